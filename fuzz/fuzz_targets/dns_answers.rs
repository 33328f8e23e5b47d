//! What a DNS server answers while one message is judged: to iprev, to SPF, for the keys of DKIM and
//! ARC, to DMARC's tree walks, and then to the lint of a domain. The verdict comes in time and after no
//! more look-ups than each method may make, nothing passes that nobody signed, and the fields that are
//! written are lines of text and ours.
//!
//! The input is a script of answers. The first octet of each says what kind of question it is for, the
//! second its shape, the third the length of the octets that follow. The questions of a kind get the
//! answers of that kind by turns. Time is simulated: an answer that never comes costs nothing.
#![no_main]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailseal::auth::results::claims_authserv_id;
use mailseal::config::Config;
use mailseal::dns::lint::lint;
use mailseal::keys::{DomainName, Selector};
use mailseal::message::envelope::{Client, Envelope};
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::result::AuthResult;
use mailseal::runtime::Runtime;
use mailseal::verdict::{Change, Verdict};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::Instant;

/// The body hashes are right, and the signatures nobody's.
const MESSAGE: &str = "\
ARC-Seal: i=1; a=ed25519-sha256; d=lists.example; s=s; cv=none; t=1; b=3q2+78r+ur4A\r\n\
ARC-Message-Signature: i=1; a=ed25519-sha256; d=lists.example; s=s; h=from; c=relaxed/relaxed;\r\n\
\tbh=MgN1JYQ2DNEuMJPkHVRlrWHWUrrj3ZcykkSjZJnfrk4=; b=3q2+78r+ur4A\r\n\
ARC-Authentication-Results: i=1; lists.example; dmarc=pass header.from=mail.example.org\r\n\
DKIM-Signature: v=1; a=ed25519-sha256; d=example.org; s=s; h=from; c=relaxed/relaxed;\r\n\
\tbh=MgN1JYQ2DNEuMJPkHVRlrWHWUrrj3ZcykkSjZJnfrk4=;\r\n\
\tb=kAkDcVEjiDt4LfOPWSvr8xGsLwrkGuHxkCZFMrYPfTY9bGzyaqHqVJ07nq5Eu1DxbbvUZ4Rg0S8HxQ2f3kPzDA==\r\n\
From: a@mail.example.org\r\n\
\r\n\
Hello.\r\n";
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OURS: &str = "mx.example.com";
/// What a method may look up: the names of a client and their addresses; SPF's ten terms (RFC 7208
/// §4.6.4), each an `mx` of ten exchangers, besides the record, the client's names and the explanation;
/// DMARC's policy by two readings, and two identifiers.
const LOOK_UPS: [(&str, usize); 6] = [
    ("iprev", 11),
    ("spf helo", 1 + 10 * 11 + 11 + 1),
    ("spf mailfrom", 1 + 10 * 11 + 11 + 1),
    ("dkim 1", 1),
    ("arc", 1),
    ("dmarc", 9 + 2 + 2 * 8),
];

static EMPTY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut config = Config::default();
    config.identity.authserv_id = OURS.into();
    config.sign.keys = EMPTY.path().into();
    config.rules.dir = EMPTY.path().into();
    config.verify.received_spf = true;
    config.verify.dmarc_psl = true;
    config.arc.trusted_sealers = vec!["lists.example".into()];
    config
});

fuzz_target!(|data: &[u8]| {
    judged(data);
});

/// The verdict after such answers; the same are given to the lint.
pub(crate) fn judged(data: &[u8]) -> Verdict {
    let mut threads = tokio::runtime::Builder::new_current_thread();
    let threads = threads.enable_all().start_paused(true).build().expect("a thread");
    threads.block_on(async {
        let mut config = CONFIG.clone();
        config.dns.servers = vec![serve(Script::parse(data)).await];
        let verdict = judge(config.clone()).await;
        lint_domain(Runtime::build(config).expect("a runtime")).await;
        verdict
    })
}

async fn judge(config: Config) -> Verdict {
    let runtime = Arc::new(Runtime::build(config).expect("a runtime"));
    let envelope = Envelope {
        client: Client { addr: Some(CLIENT.into()), name: None },
        helo: Some("mail.example.net".into()),
        mail_from: "a@example.org".into(),
        recipients: vec!["b@example.com".into()],
        ..Envelope::default()
    };
    let (draft, body) = file::parse(MESSAGE.as_bytes(), envelope, &runtime.config.limits);
    let begun = Instant::now();
    let verdict = Box::pin(Inspection::whole(&runtime, draft, body)).await;
    assert!(begun.elapsed() <= runtime.config.limits.message + Duration::from_secs(1));
    assert_just(&verdict);
    for (method, look_ups_max) in LOOK_UPS {
        assert!(look_ups(&verdict, method) <= look_ups_max, "{method}: {:?}", verdict.reasons);
    }
    verdict.changes.iter().for_each(assert_sound);
    // Folds are shown with their tabs.
    assert!(
        !verdict.to_string().contains(|c: char| c.is_control() && !"\n\t".contains(c)),
        "{verdict}"
    );
    verdict
}

fn assert_just(verdict: &Verdict) {
    let auth = &verdict.auth;
    let [signature] = &auth.dkim[..] else { panic!("there is one signature") };
    assert_ne!(signature.result, AuthResult::Pass, "nobody has signed this");
    let chain = auth.arc.as_ref().expect("there is a chain");
    assert!(chain.result == AuthResult::Fail && chain.endorsements.is_empty());
    let [_, mail_from] = &auth.spf[..] else { panic!("there are two identities") };
    let has_answer =
        |spf| !matches!(spf, AuthResult::Pass | AuthResult::Fail | AuthResult::Softfail);
    assert!(has_answer(mail_from.result) || mail_from.mechanism.is_some(), "{mail_from:?}");
    let dmarc = auth.dmarc.as_ref().expect("there is an author domain");
    if dmarc.result == AuthResult::Pass {
        assert!(dmarc.spf_aligned && mail_from.result == AuthResult::Pass, "{dmarc:?}");
    }
    assert!(auth.iprev.is_some());
}

/// How much the method asked, as the reasons tell it.
fn look_ups(verdict: &Verdict, method: &str) -> usize {
    let of = |line: &str| {
        let (first, rest) = line.split_once(' ').unwrap_or_default();
        if rest == "more look-ups" {
            return first.parse().expect("a number");
        }
        usize::from(["TXT", "A", "AAAA", "MX", "PTR"].contains(&first) && rest.starts_with("of "))
    };
    let prefix = format!("{method}: ");
    verdict.reasons.iter().filter_map(|reason| reason.strip_prefix(&prefix)).map(of).sum()
}

fn assert_sound(change: &Change) {
    let Change::InsertHeader { name, value } = change else { panic!("{change} was not asked for") };
    if name == "Authentication-Results" {
        assert!(claims_authserv_id(value.as_bytes(), &[OURS.to_owned()]), "{value}");
        let others = ["mail.example.net", "example.org", "none", "spf"].map(str::to_owned);
        assert!(!claims_authserv_id(value.as_bytes(), &others), "{value}");
    }
    for line in value.split("\r\n") {
        let line = line.strip_prefix('\t').unwrap_or(line);
        assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{value:?}");
        assert!(!line.trim().is_empty() && line.len() < 990, "{value:?}");
    }
}

async fn lint_domain(runtime: Runtime) {
    let (domain, selector) = (DomainName::parse("example.org"), Selector::parse("s"));
    let (domain, selector) = (domain.expect("a name"), selector.expect("a name"));
    let begun = Instant::now();
    let dns = runtime.resolver.until(begun + runtime.config.limits.message);
    for finding in lint(&dns, &domain, &[selector]).await.unwrap_or_default() {
        assert!(!finding.to_string().contains(char::is_control), "{finding}");
    }
    assert!(begun.elapsed() <= runtime.config.limits.message + Duration::from_secs(1));
}

/// The answers, by the kind of their questions.
#[derive(Default)]
struct Script {
    answers: [Vec<(u8, Vec<u8>)>; KINDS],
    turns: [AtomicUsize; KINDS],
}

/// TXT of `_dmarc`, of `_domainkey` and of others; addresses; exchangers; all else.
const KINDS: usize = 6;
/// The types of records that come unasked, too: NS, CNAME, SOA, MX, TXT, AAAA, DNAME, OPT, RRSIG, TSIG,
/// ANY and one that nobody knows.
const TYPES: [u16; 12] = [2, 5, 6, 15, 16, 28, 39, 41, 46, 250, 255, 65_280];

impl Script {
    fn parse(mut rest: &[u8]) -> Self {
        let mut script = Self::default();
        while let [kind, shape, len, after @ ..] = rest {
            let (octets, after) = after.split_at(usize::from(*len).min(after.len()));
            rest = after;
            script.answers[usize::from(*kind) % KINDS].push((*shape, octets.to_vec()));
        }
        script
    }

    /// The answer to a query, if there is one.
    fn answer(&self, query: &[u8], is_tcp: bool) -> Option<Vec<u8>> {
        let question = question(query)?;
        let (kind, asked) = kind(question);
        let turn = self.turns[kind].fetch_add(1, Ordering::Relaxed);
        let answers = &self.answers[kind];
        // Nothing said of a kind is NXDOMAIN.
        let (shape, octets) =
            if answers.is_empty() { (4, &[3][..]) } else { shape(&answers[turn % answers.len()]) };
        let text = || vec![(asked, octets.chunks(255).flat_map(string).collect())];
        Some(match shape % 8 {
            0 => message(query, question, 0, 0, &text()),
            1 => message(query, question, 0, 0, &[(asked, octets.to_vec())]),
            2 => message(query, question, 0, 0, &records(asked, octets)),
            3 => [&query[..2], octets].concat(),
            4 => {
                let (&rcode, rest) = octets.split_first().unwrap_or((&0, octets));
                message(query, question, 0, rcode, &records(asked, rest))
            }
            // Over UDP it says that there is more.
            5 => message(query, question, if is_tcp { 0 } else { 2 }, 0, &text()),
            // Another's answer, and none to this query.
            6 => {
                let mut other = message(query, question, 0, 0, &text());
                other[0] ^= 1;
                other
            }
            _ => return None,
        })
    }
}

fn shape((shape, octets): &(u8, Vec<u8>)) -> (u8, &[u8]) {
    (*shape, octets)
}

/// The question's octets: the name, its type, its class.
fn question(query: &[u8]) -> Option<&[u8]> {
    let mut end = 12;
    while let Some(&len @ 1..) = query.get(end) {
        end += usize::from(len) + 1;
    }
    query.get(12..end + 5)
}

/// The kind of a question, and the type that it asks for.
fn kind(question: &[u8]) -> (usize, u16) {
    let (name, rest) = question.split_at(question.len() - 4);
    let asked = u16::from_be_bytes([rest[0], rest[1]]);
    let holds = |label: &[u8]| name.windows(label.len()).any(|part| part == label);
    let kind = match asked {
        16 if name.starts_with(b"\x06_dmarc") => 0,
        16 if holds(b"_domainkey") => 1,
        16 => 2,
        1 | 28 => 3,
        15 => 4,
        _ => 5,
    };
    (kind, asked)
}

/// Records, each an octet for the type, one for the length, and the octets.
fn records(asked: u16, mut rest: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut records = Vec::new();
    while let [kind, len, after @ ..] = rest {
        let (octets, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        // The type that was asked for, where there is no other.
        let kind = TYPES.get(usize::from(*kind)).copied().unwrap_or(asked);
        records.push((kind, octets.to_vec()));
    }
    records
}

fn string(octets: &[u8]) -> Vec<u8> {
    [&[octets.len() as u8], octets].concat()
}

/// A message (RFC 1035 §4.1) whose records are all of the name that was asked for.
fn message(
    query: &[u8],
    question: &[u8],
    flags: u8,
    rcode: u8,
    records: &[(u16, Vec<u8>)],
) -> Vec<u8> {
    let mut message = [&query[..2], &[0x81 | flags, 0x80 | (rcode & 15), 0, 1]].concat();
    message.extend((records.len() as u16).to_be_bytes());
    message.extend([0; 4]);
    message.extend(question);
    for (kind, octets) in records {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 1, 44]);
        message.extend((octets.len() as u16).to_be_bytes());
        message.extend(octets);
    }
    message
}

/// Answers from the script, over UDP and TCP.
async fn serve(script: Script) -> SocketAddr {
    let script = Arc::new(script);
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = udp.local_addr().expect("an address");
        if let Ok(tcp) = TcpListener::bind(addr).await {
            break (udp, tcp);
        }
    };
    let addr = udp.local_addr().expect("an address");
    let over_udp = Arc::clone(&script);
    tokio::spawn(async move {
        let mut query = [0; 4096];
        while let Ok((len, peer)) = udp.recv_from(&mut query).await {
            if let Some(answer) = over_udp.answer(&query[..len], false) {
                drop(udp.send_to(&answer, peer).await);
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = tcp.accept().await {
            tokio::spawn(over_tcp(Arc::clone(&script), stream));
        }
    });
    addr
}

async fn over_tcp(script: Arc<Script>, mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let mut query = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut query).await?;
        if let Some(answer) = script.answer(&query, true) {
            stream.write_u16(answer.len() as u16).await?;
            stream.write_all(&answer).await?;
        }
    }
}
