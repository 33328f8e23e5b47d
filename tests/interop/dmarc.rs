//! DMARC: what `OpenDMARC` and rspamd say of the messages of `dmarc.toml`, beside what we say.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailseal::config::Config;
use mailseal::message::envelope::{Client, Envelope};
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::result::AuthResult;
use mailseal::runtime::Runtime;
use regex::Regex;
use serde::Deserialize;
use tempfile::TempDir;

use crate::keys::{Keys, forms};
use crate::message::{Message, crlf};
use crate::opendkim;
use crate::opendmarc::{self, OpenDmarc};
use crate::peers;
use crate::rspamd::{self, Rspamd};
use crate::support::dns::DnsServer;
use crate::support::milter::Mail;
use crate::support::zone::Zone;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/dmarc.toml");
const CLIENT: &str = "192.0.2.1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    zone: String,
    message: Vec<Row>,
}

/// A message, and what is said of it: `dmarc.toml` says what the keys mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    header: String,
    mail_from: String,
    #[serde(default = "client_name")]
    helo: String,
    #[serde(default)]
    signed: Vec<String>,
    #[serde(default)]
    changed: bool,
    ours: String,
    opendmarc: String,
    rspamd: String,
    opendmarc_differs: Option<String>,
    rspamd_differs: Option<String>,
}

fn client_name() -> String {
    "client.example.net".to_owned()
}

struct World {
    _dns: DnsServer,
    runtime: Arc<Runtime>,
    opendmarc: OpenDmarc,
    rspamd: Rspamd,
    keys: Keys,
    _dir: TempDir,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_say_of_dmarc_is_explained() {
    let programs = [opendmarc::PROGRAM, opendkim::PROGRAM, rspamd::PROGRAM];
    if !peers::are_there(&programs) || !peers::may_mount() {
        return;
    }
    let mut text = fs::read_to_string(TABLE).unwrap();
    let table: Table = toml::from_str(&text).unwrap();
    let world = World::start(&table.zone).await;
    let (mut faults, mut differences) = (Vec::new(), [0; 2]);
    for row in &table.message {
        let said = world.ask(row).await;
        if said != row.verdicts() {
            faults.push(format!("{}: {said:?}, not {:?}", row.name, row.verdicts()));
            text = row.with_verdicts(&text, &said);
        }
        faults.extend(row.unexplained(&said));
        differences[0] += usize::from(said[0] != said[1]);
        differences[1] += usize::from(said[0] != said[2]);
    }
    let (count, [opendmarc, rspamd]) = (table.message.len(), differences);
    println!("DMARC of {count} messages: OpenDMARC differs on {opendmarc}, rspamd on {rspamd}");
    if std::env::var("UPDATE_EXPECT").is_ok_and(|value| value == "1") {
        fs::write(TABLE, text).unwrap();
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A table of nothing but agreement would prove nothing.
#[test]
fn every_verdict_is_in_the_table() {
    let table: Table = toml::from_str(&fs::read_to_string(TABLE).unwrap()).unwrap();
    let mut seen: Vec<&str> = table.message.iter().map(|row| row.ours.as_str()).collect();
    seen.sort_unstable();
    seen.dedup();
    let all =
        ["fail none", "fail quarantine", "fail reject", "none", "pass", "permerror", "temperror"];
    assert_eq!(seen, all);
}

impl Row {
    fn verdicts(&self) -> [String; 3] {
        [self.ours.clone(), self.opendmarc.clone(), self.rspamd.clone()]
    }

    /// What is said against the table's rule that each difference, and nothing else, is explained.
    fn unexplained(&self, [ours, opendmarc, rspamd]: &[String; 3]) -> Vec<String> {
        let peers = [
            ("OpenDMARC", opendmarc, &self.opendmarc_differs),
            ("rspamd", rspamd, &self.rspamd_differs),
        ];
        let section = Regex::new(r"^RFC \d{4} §\d+(\.\d+)*: ").unwrap();
        let mut faults = Vec::new();
        for (peer, said, reason) in peers {
            let fault = match reason {
                None if said != ours => "differs, and nothing explains it",
                Some(_) if said == ours => "agrees, and yet a difference is explained",
                Some(reason) if !section.is_match(reason) => {
                    "differs, and no RFC's section explains it"
                }
                _ => continue,
            };
            faults.push(format!("{}: {peer} {fault}", self.name));
        }
        faults
    }

    /// The table's text with these verdicts in this row.
    fn with_verdicts(&self, text: &str, said: &[String; 3]) -> String {
        let start = text.find(&format!("\nname = \"{}\"\n", self.name)).unwrap();
        let (before, row) = text.split_at(start);
        let mut row = row.to_owned();
        for (key, verdict) in ["ours", "opendmarc", "rspamd"].iter().zip(said) {
            let line = Regex::new(&format!("\n{key} = \".*\"")).unwrap();
            row = line.replace(&row, format!("\n{key} = \"{verdict}\"")).into_owned();
        }
        before.to_owned() + &row
    }
}

impl World {
    async fn start(zone: &str) -> Self {
        let keys = Keys::generate();
        let (_, record) = keys.records().swap_remove(0);
        let dns = on_port_53(&Zone::parse(&zone.replace("{key}", &record))).await;
        let IpAddr::V4(addr) = dns.addr.ip() else { unreachable!() };
        let dir = TempDir::new().unwrap();
        let opendmarc = OpenDmarc::start(dir.path(), addr);
        let rspamd = Rspamd::verifier(dir.path(), dns.addr);
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let mut config = Config { dns: dns.settings(Duration::from_secs(10)), ..Config::default() };
        config.identity.authserv_id = "mx.example.org".into();
        config.sign.keys.clone_from(&empty);
        config.rules.dir = empty;
        let mut runtime = Runtime::build(config).unwrap();
        runtime.clock = Arc::new(now);
        Self { _dns: dns, runtime: Arc::new(runtime), opendmarc, rspamd, keys, _dir: dir }
    }

    /// Our verdict, `OpenDMARC`'s and rspamd's.
    async fn ask(&self, row: &Row) -> [String; 3] {
        let message = self.message(row);
        [
            self.ours(row, &message).await,
            self.opendmarcs(row, &message),
            self.rspamds(row, &message),
        ]
    }

    fn message(&self, row: &Row) -> Message {
        let header = crlf(&row.header);
        let rest = b"Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nHello.\r\n";
        let message = Message::parse(&[&header[..], rest].concat());
        let sign = |message, domain: &String| self.keys.sign_for(domain, &forms()[0], &message);
        let mut message = row.signed.iter().fold(message, sign);
        if row.changed {
            message.body.extend_from_slice(b"More.\r\n");
        }
        message
    }

    async fn ours(&self, row: &Row, message: &Message) -> String {
        let envelope = Envelope {
            client: Client { addr: Some(CLIENT.parse().unwrap()), name: Some(client_name()) },
            helo: Some(row.helo.clone()),
            mail_from: row.mail_from.clone(),
            recipients: vec!["ann@example.org".into()],
            queue_id: Some("4bXyz1".into()),
            ..Envelope::default()
        };
        let (draft, body) = file::parse(&message.octets(), envelope, &self.runtime.config.limits);
        let verdict = Inspection::whole(&self.runtime, draft, body).await;
        let dmarc = verdict.auth.dmarc.unwrap();
        match (dmarc.result, dmarc.applied_policy()) {
            (AuthResult::Fail, Some(policy)) => format!("fail {}", policy.as_str()),
            (result, _) => result.as_str().to_owned(),
        }
    }

    fn opendmarcs(&self, row: &Row, message: &Message) -> String {
        let mail =
            Mail { client_addr: CLIENT, helo: &row.helo, from: &row.mail_from, ..Mail::default() };
        self.opendmarc.verdict(message, &mail)
    }

    fn rspamds(&self, row: &Row, message: &Message) -> String {
        let name = client_name();
        let envelope = [
            ("IP", CLIENT),
            ("Helo", &row.helo),
            ("Hostname", &name),
            ("From", &row.mail_from),
            ("Rcpt", "ann@example.org"),
        ];
        rspamd::dmarc(&self.rspamd.check(&message.octets(), &envelope))
    }
}

/// A DNS server on port 53 of a loopback address that nobody else has.
async fn on_port_53(zone: &Zone) -> DnsServer {
    let own = std::process::id().to_be_bytes();
    for attempt in 1..=254 {
        let addr = Ipv4Addr::new(127, own[2] | 1, own[3], attempt);
        if let Ok(server) = DnsServer::start_at(SocketAddr::from((addr, 53)), zone.clone()).await {
            return server;
        }
    }
    panic!("no port 53 on a loopback address");
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}
