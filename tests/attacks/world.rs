//! A receiving host under attack: its DNS, what it makes of a message, and what that cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mailseal::config::Config;
use mailseal::message::envelope::{Client, Envelope};
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::result::AuthResult;
use mailseal::runtime::Runtime;
use mailseal::verdict::{Change, Verdict};
use tempfile::TempDir;

use crate::message::NOW;
use crate::support::dns::DnsServer;
use crate::support::zone::Zone;

/// No attack may make the process larger, test and message included.
const MEMORY_BYTES_MAX: usize = 512 << 20;

/// A client that is known by name, so that iprev asks nothing.
pub(crate) const CLIENT: &str = "client.example.net";

/// The DMARC look-ups for the sender's domain, `example.net`, that start with SPF.
pub(crate) const SENDER_WALK_QUERIES: usize = 2;

/// What one message may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub time: Duration,
    pub queries: usize,
    /// Of all fields that are written.
    pub output_bytes: usize,
}

pub(crate) struct World {
    pub dns: DnsServer,
    pub runtime: Arc<Runtime>,
    _empty: TempDir,
}

/// What came of a message.
pub(crate) struct Judged {
    pub verdict: Verdict,
    pub took: Duration,
    pub queries: usize,
}

impl World {
    pub(crate) async fn new(zone: &str) -> Self {
        Self::with(zone, |_| ()).await
    }

    pub(crate) async fn with(zone: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::of(DnsServer::start(Zone::parse(zone)).await, change)
    }

    pub(crate) fn of(dns: DnsServer, change: impl FnOnce(&mut Config)) -> Self {
        let empty = tempfile::tempdir().unwrap();
        let mut config = Config { dns: dns.settings(Duration::from_secs(2)), ..Config::default() };
        config.identity.authserv_id = "mx.example.org".into();
        config.sign.keys = empty.path().into();
        config.rules.dir = empty.path().into();
        change(&mut config);
        let mut runtime = Runtime::build(config).unwrap();
        runtime.clock = Arc::new(|| NOW);
        Self { dns, runtime: Arc::new(runtime), _empty: empty }
    }

    /// Judges a message from `joe@example.net`.
    pub(crate) async fn judge(&self, message: &[u8]) -> Judged {
        self.judge_from(envelope(), message).await
    }

    pub(crate) async fn judge_from(&self, envelope: Envelope, message: &[u8]) -> Judged {
        let before = self.queries();
        let start = Instant::now();
        let (draft, body) = file::parse(message, envelope, &self.runtime.config.limits);
        let verdict = Inspection::whole(&self.runtime, draft, body).await;
        Judged { verdict, took: start.elapsed(), queries: self.queries() - before }
    }

    fn queries(&self) -> usize {
        self.dns.queries().values().sum()
    }

    /// The queries for names that contain this.
    pub(crate) fn asked(&self, part: &str) -> usize {
        let queries = self.dns.queries();
        queries.iter().filter(|((name, _), _)| name.contains(part)).map(|(_, count)| count).sum()
    }
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        client: Client { addr: Some("192.0.2.1".parse().unwrap()), name: Some(CLIENT.into()) },
        helo: Some(CLIENT.into()),
        mail_from: "joe@example.net".into(),
        recipients: vec!["ann@example.org".into()],
        queue_id: Some("4bXyz1".into()),
        ..Envelope::default()
    }
}

impl Judged {
    /// Fails where the attack cost more.
    pub(crate) fn within(&self, limit: Limit) -> &Self {
        let output: usize = self.verdict.changes.iter().map(octets).sum();
        let memory = memory_bytes();
        let cost = format!("{:?}, {} queries, {output} octets", self.took, self.queries);
        assert!(self.took <= limit.time, "{cost}");
        assert!(self.queries <= limit.queries, "{cost}");
        assert!(output <= limit.output_bytes, "{cost}");
        assert!(memory <= MEMORY_BYTES_MAX, "{memory} octets of memory");
        self
    }

    pub(crate) fn dmarc(&self) -> AuthResult {
        self.verdict.auth.dmarc.as_ref().expect("DMARC was evaluated").result
    }

    /// The words of the signatures' results.
    pub(crate) fn dkim(&self) -> Vec<&'static str> {
        self.verdict.auth.dkim.iter().map(|signature| signature.result.as_str()).collect()
    }

    /// The value of a field that is written.
    pub(crate) fn field(&self, wanted: &str) -> &str {
        let value = self.verdict.changes.iter().find_map(|change| match change {
            Change::InsertHeader { name, value } if name == wanted => Some(value.as_str()),
            _ => None,
        });
        value.unwrap_or_else(|| panic!("no {wanted} in {}", self.verdict))
    }

    pub(crate) fn results(&self) -> &str {
        self.field("Authentication-Results")
    }

    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.verdict.changes.iter().any(|change| {
            matches!(change, Change::InsertHeader { name, value }
                if name == "X-Mailseal-Tag" && value == tag)
        })
    }
}

fn octets(change: &Change) -> usize {
    match change {
        Change::InsertHeader { name, value }
        | Change::AddHeader { name, value }
        | Change::ReplaceHeader { name, value, .. } => name.len() + value.len(),
        Change::DeleteHeader { .. } => 0,
        Change::AddRecipient { address } | Change::DeleteRecipient { address } => address.len(),
        Change::Quarantine { reason } => reason.len(),
    }
}

/// The most that the process has had in memory.
fn memory_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// The parts of a results field: what stands between semicolons that are in no quotes and in no
/// comment. Panics where a line does not go on as RFC 5322 §2.2.3 has it, or a quote does not end.
pub(crate) fn parts(value: &str) -> Vec<String> {
    let unfolded = value.replace("\r\n\t", " ");
    assert!(unfolded.chars().all(|c| matches!(c, ' '..='~')), "{value:?}");
    assert!(value.split("\r\n").all(|line| line.len() <= 998), "{value:?}");
    let (mut parts, mut part, mut depth) = (Vec::new(), String::new(), 0_u32);
    let mut chars = unfolded.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' if depth == 0 => loop {
                match chars.next().expect("the quotes end") {
                    '"' => break,
                    '\\' => drop(chars.next()),
                    _ => {}
                }
            },
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).expect("a comment began"),
            ';' if depth == 0 => parts.push(std::mem::take(&mut part).trim().to_owned()),
            c if depth == 0 => part.push(c),
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{value:?}");
    parts.push(part.trim().to_owned());
    parts
}
