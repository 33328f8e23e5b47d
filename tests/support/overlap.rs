//! A message whose look-ups overlap, what it costs, and where that is measured: for the test that proves
//! the rounds and for the bench that prints the times.
#![allow(dead_code, unreachable_pub, reason = "each crate uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mailseal::config::{self, Config};
use mailseal::runtime::Runtime;

use crate::message::{Message, Signer};
use crate::support::dns::{DnsServer, Query};
use crate::support::live::Running;
use crate::support::milter::{Edit, Mail, Mta, Outcome};
use crate::support::zone::{Zone, txt};

pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Three signers: a stranger, one whose walk decides on alignment, and the sender's provider.
pub const SIGNERS: [(&str, &str); 3] =
    [("one", "esp.example.net"), ("two", "bounce.example.org"), ("three", "example.com")];
pub const AUTHOR: &str = "ann@letters.news.example.org";
pub const CLIENT: &str = "192.0.2.1";

/// The records of one message, and the message.
pub struct Sample {
    pub zone: Zone,
    pub message: Message,
}

impl Sample {
    pub fn new() -> Self {
        let mut zone = Zone::parse(
            r#"
            org SOA 300
            net SOA 300
            com SOA 300
            arpa SOA 300
            _dmarc.example.org TXT "v=DMARC1; p=reject"
            letters.news.example.org A 192.0.2.7
            client.example.net TXT "v=spf1 a -all"
            client.example.net A 192.0.2.1
            example.net TXT "v=spf1 ip4:192.0.2.0/24 -all"
            1.2.0.192.in-addr.arpa PTR other.example.net
            1.2.0.192.in-addr.arpa PTR client.example.net
            "#,
        );
        let text = format!("From: {AUTHOR}\r\nSubject: letters\r\n\r\nHello.\r\n");
        let mut message = Message::parse(text.as_bytes());
        for (selector, domain) in SIGNERS {
            let signer = Signer::ed25519();
            let record = signer.record("").into_bytes();
            zone.add(&format!("{selector}._domainkey.{domain}"), txt(&[record]));
            message = signer.sign(&message, &format!(" s={selector}; d={domain}"));
        }
        Self { zone, message }
    }

    pub fn mail(&self) -> Mail<'_> {
        let fields = self.message.headers.iter();
        Mail {
            client_name: "unknown",
            client_addr: CLIENT,
            headers: fields.map(|field| (field.name.to_vec(), field.value.to_vec())).collect(),
            body: &self.message.body,
            ..Mail::default()
        }
    }
}

/// A daemon that asks the server at the address.
pub async fn daemon(dns: SocketAddr, timeout: Duration, message: Duration) -> Running {
    let empty = tempfile::tempdir().unwrap();
    let dns = config::Dns { servers: vec![dns], timeout };
    let mut config = Config { dns, ..Config::default() };
    config.identity.authserv_id = "mx.example.org".into();
    config.sign.keys = empty.path().into();
    config.rules.dir = empty.path().into();
    config.limits.message = message;
    Running::start(Runtime::build(config).unwrap(), false).await
}

/// Waits until the questions were asked and everything asked was answered.
pub async fn settled(server: &DnsServer, questions: &[(&str, &str)]) {
    let end = Instant::now() + TIMEOUT;
    loop {
        let log = server.log();
        let asked = |name, kind| log.iter().any(|query| query.question == question(name, kind));
        if questions.iter().all(|&(name, kind)| asked(name, kind))
            && log.iter().all(|query| query.answered.is_some())
        {
            // The client has it a moment later.
            return tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(Instant::now() < end, "{questions:?} of {log:#?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn question(name: &str, kind: &str) -> (String, String) {
    (name.to_owned(), kind.to_owned())
}

pub fn questions(log: &[Query]) -> BTreeSet<(&str, &str)> {
    log.iter().map(|query| (query.question.0.as_str(), query.question.1.as_str())).collect()
}

pub const AT_CONNECT: [(&str, &str); 3] =
    [("1.2.0.192.in-addr.arpa", "PTR"), ("client.example.net", "A"), ("other.example.net", "A")];
pub const AT_MAIL: [(&str, &str); 4] = [
    ("client.example.net", "TXT"),
    ("example.net", "TXT"),
    ("_dmarc.example.net", "TXT"),
    ("_dmarc.net", "TXT"),
];
pub const AT_HEADER: [(&str, &str); 9] = [
    ("one._domainkey.esp.example.net", "TXT"),
    ("two._domainkey.bounce.example.org", "TXT"),
    ("three._domainkey.example.com", "TXT"),
    ("_dmarc.letters.news.example.org", "TXT"),
    ("_dmarc.news.example.org", "TXT"),
    ("_dmarc.example.org", "TXT"),
    ("_dmarc.org", "TXT"),
    ("letters.news.example.org", "A"),
    ("_dmarc.bounce.example.org", "TXT"),
];

/// Plays header, body and end in one burst, and measures until the final reply.
pub fn burst(mta: &mut Mta, mail: &Mail<'_>) -> (Outcome, Duration) {
    let start = Instant::now();
    mta.content(mail).unwrap();
    let outcome = mta.end().unwrap();
    (outcome, start.elapsed())
}

pub fn results(outcome: &Outcome) -> &str {
    let field = outcome.edits.iter().find_map(|edit| match edit {
        Edit::Insert(_, name, value) if name == "Authentication-Results" => Some(value.as_str()),
        _ => None,
    });
    field.unwrap_or_else(|| panic!("{outcome:?}"))
}

pub fn assert_all_pass(outcome: &Outcome) {
    assert_eq!(outcome.disposition, "accept");
    let results = results(outcome);
    assert_eq!(results.matches("dkim=pass").count(), 3, "{results}");
    assert_eq!(results.matches("spf=pass").count(), 2, "{results}");
    for method in ["iprev=pass", "dmarc=pass"] {
        assert!(results.contains(method), "{method}: {results}");
    }
}

/// What one message with cold caches and one with warm ones cost.
pub struct Measured {
    pub cold: Duration,
    pub warm: Duration,
    /// The queries after the envelope's.
    pub log: Vec<Query>,
}

pub async fn measure(sample: &Sample, delay: Duration) -> Measured {
    let server = DnsServer::start_slow(sample.zone.clone(), delay).await;
    let daemon = daemon(server.addr, TIMEOUT, Duration::from_secs(30)).await;
    let mail = sample.mail();
    let mut mta = Mta::connect(daemon.addr).unwrap();

    mta.session(&mail).unwrap();
    settled(&server, &AT_CONNECT).await;
    assert_eq!(questions(&server.log()), BTreeSet::from(AT_CONNECT));
    mta.envelope(&mail).unwrap();
    settled(&server, &AT_MAIL).await;
    let early = server.log();
    assert_eq!(questions(&early), AT_CONNECT.into_iter().chain(AT_MAIL).collect());

    let (outcome, cold) = burst(&mut mta, &mail);
    assert_all_pass(&outcome);
    let log = server.log().split_off(early.len());

    let asked = server.log().len();
    let mut mta = Mta::connect(daemon.addr).unwrap();
    mta.session(&mail).unwrap();
    mta.envelope(&mail).unwrap();
    let (outcome, warm) = burst(&mut mta, &mail);
    assert_all_pass(&outcome);
    assert_eq!(server.log().len(), asked, "warm caches have no query");
    Measured { cold, warm, log }
}

/// What one look-up takes.
pub async fn one_look_up(delay: Duration) -> Duration {
    let server = DnsServer::start_slow(Zone::parse("a.example A 192.0.2.1"), delay).await;
    let dns = server.resolver(TIMEOUT).until(tokio::time::Instant::now() + TIMEOUT);
    let start = Instant::now();
    dns.a("a.example").await.unwrap();
    start.elapsed()
}
