//! What DNS can do to us: records without end, aliases in a ring, silence, and lies.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mailseal::config;
use mailseal::dns::{LookupError, Resolver};
use mailseal::message::envelope::Client;
use mailseal::result::AuthResult::{self, Fail, Pass, Permerror, Temperror};

use crate::message::{Message, Signer, sample};
use crate::world::{Limit, SENDER_WALK_QUERIES, World, envelope};

/// The message's time and what is no waiting.
const LIMIT: Limit = Limit { time: Duration::from_secs(5), queries: 12, output_bytes: 2_000 };

const REJECT: &str = "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n";
const KEY: &str = "s._domainkey.example.org";

/// No answer is never "none", whoever does not answer.
#[tokio::test]
async fn silence_is_temperror() {
    let names = ["example.org", "example.net", "_dmarc.example.org", KEY, "1.2.0.192.in-addr.arpa"];
    for fault in ["TIMEOUT", "SERVFAIL", "REFUSED", "RCODE 4"] {
        let mut zone = String::new();
        for name in names {
            writeln!(zone, "{name} ANY {fault}").unwrap();
        }
        let world = World::with(&zone, |config| {
            config.dns.timeout = Duration::from_secs(1);
            config.policy.temperror = mailseal::verdict::Action::Tempfail;
        })
        .await;
        let mut envelope = envelope();
        envelope.client = Client { name: None, ..envelope.client };
        let sealed = Signer::ed25519().sign(&sample(), "");
        let judged = world.judge_from(envelope, &sealed.octets()).await;
        // A look-up without an answer is sent twice.
        judged.within(Limit { queries: 2 * LIMIT.queries, ..LIMIT });
        let auth = &judged.verdict.auth;
        let results = [
            auth.iprev.as_ref().unwrap().result,
            auth.spf[1].result,
            auth.dkim[0].result,
            judged.dmarc(),
        ];
        assert_eq!(results, [Temperror; 4], "{fault}");
        assert_eq!(judged.verdict.reply.as_ref().unwrap().code, 451);
    }
}

/// The same question, answered in different ways, is different results.
#[tokio::test]
async fn nothing_and_trouble_are_two_things() {
    let signer = Signer::ed25519();
    for (answer, dkim, dmarc) in [
        ("TXT NXDOMAIN", Permerror, Fail),
        // The name is there, and no TXT record.
        ("A 192.0.2.9", Permerror, Fail),
        ("TXT SERVFAIL", Temperror, Temperror),
        ("TXT TIMEOUT", Temperror, Temperror),
        ("TXT \"garbage\"", Permerror, Fail),
    ] {
        let world = World::with(&format!("{KEY} {answer}\n{REJECT}"), |config| {
            config.dns.timeout = Duration::from_secs(1);
        })
        .await;
        let judged = world.judge(&signer.sign(&sample(), "").octets()).await;
        assert_eq!(judged.within(LIMIT).verdict.auth.dkim[0].result, dkim, "{answer}");
        assert_eq!(judged.dmarc(), dmarc, "{answer}");
    }
}

#[tokio::test]
async fn key_records_of_any_size() {
    let signer = Signer::ed25519();
    let record = signer.record("");
    // As much as a DNS message holds, over TCP.
    let huge = format!(" \"{record}; n={}\"", "x".repeat(64_000));
    // A string an octet, behind two hundred empty ones.
    let mut split = " \"\"".repeat(200);
    for c in record.chars() {
        write!(split, " \"{c}\"").unwrap();
    }
    for (record, result) in [(huge, "permerror"), (split, "pass")] {
        let world = World::new(&format!("{KEY} TXT{record}\n{REJECT}")).await;
        let judged = world.judge(&signer.sign(&sample(), "").octets()).await;
        assert_eq!(judged.within(LIMIT).dkim(), [result], "{}", judged.verdict);
    }
}

#[tokio::test]
async fn hundreds_of_records_of_one_name() {
    let signer = Signer::ed25519();
    let mut zone = REJECT.to_owned();
    for number in 0..500 {
        writeln!(zone, "{KEY} TXT \"v=DKIM1; k=ed25519; n={number}; p={}\"", "A".repeat(43) + "=")
            .unwrap();
        writeln!(zone, "example.net TXT \"v=spf1 ip4:192.0.2.1 n={number}\"").unwrap();
        writeln!(zone, "_dmarc.example.org TXT \"v=DMARC1; p=none; n={number}\"").unwrap();
    }
    writeln!(zone, "{KEY} TXT \"{}\"", signer.record("")).unwrap();
    let world = World::new(&zone).await;
    let judged = world.judge(&signer.sign(&sample(), "").octets()).await;
    let auth = &judged.within(LIMIT).verdict.auth;
    assert_eq!(auth.spf[1].result, Permerror);
    // RFC 9989 §4.10: several records are none.
    assert_eq!(judged.dmarc(), AuthResult::None);
}

/// RFC 9989 §4.10: eight names at most, whatever the length of the domain. One that is as long as
/// a name can be has no room for `_dmarc` before it, which costs no query.
#[tokio::test]
async fn a_walk_of_127_labels() {
    let world = World::new("a TXT \"x\"\n").await;
    let labels = "a.".repeat(126) + "a";
    assert_eq!(labels.len(), 253);
    let message = format!("From: joe@{labels}\r\n\r\n");
    let mut sender = envelope();
    sender.mail_from = format!("joe@{labels}");
    let judged = world.judge_from(sender, message.as_bytes()).await;
    assert_eq!(judged.within(LIMIT).dmarc(), AuthResult::None);
    assert_eq!(world.asked("_dmarc"), 7);
    // One label more is no domain.
    let judged = world.judge(format!("From: joe@a.{labels}\r\n\r\n").as_bytes()).await;
    assert_eq!(judged.within(LIMIT).dmarc(), Permerror);
    // Ten signers within the author's domain: each walk shares the others' names.
    let signer = Signer::ed25519();
    let tail = "a.".repeat(100) + "example.org";
    let record = signer.record("");
    let mut zone = REJECT.to_owned();
    let mut message = Message::parse(format!("From: a@{tail}\r\n\r\nHello.\r\n").as_bytes());
    for number in 0..10 {
        writeln!(zone, "s._domainkey.b{number}.{tail} TXT \"{record}\"").unwrap();
        message = signer.sign(&message, &format!("d=b{number}.{tail}"));
    }
    let world = World::new(&zone).await;
    let judged = world.judge(&message.octets()).await;
    // Ten keys, eight names of the author's walk, one more for each signer, SPF and an address.
    assert_eq!(
        judged
            .within(Limit {
                queries: 10 + 8 + 10 + 3 + SENDER_WALK_QUERIES,
                output_bytes: 6_000,
                ..LIMIT
            })
            .dmarc(),
        Pass
    );
}

#[tokio::test]
async fn aliases_in_a_ring() {
    let mut zone = String::new();
    for name in ["example.net", "example.org", "_dmarc.example.org", KEY] {
        writeln!(zone, "{name} CNAME x.{name}\nx.{name} CNAME y.{name}\ny.{name} CNAME {name}")
            .unwrap();
    }
    writeln!(zone, "client.example.net CNAME client.example.net").unwrap();
    // The whole ring at once, or a piece an answer.
    let mut pieces = zone.clone();
    for line in zone.lines() {
        writeln!(pieces, "{} CNAME ALONE", line.split(' ').next().unwrap()).unwrap();
    }
    for zone in [zone, pieces] {
        let world = World::new(&zone).await;
        let judged = world.judge(&Signer::ed25519().sign(&sample(), "").octets()).await;
        // hickory follows a chain for eight steps; six questions begin one.
        let auth = &judged.within(Limit { queries: 6 * 10, ..LIMIT }).verdict.auth;
        assert_ne!(auth.dkim[0].result, Pass);
        assert_ne!(auth.spf[1].result, Pass);
        assert_ne!(judged.dmarc(), Pass);
    }
}

/// A server that gives other people's answers before its own.
struct Liar {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
struct Lie {
    /// Answers under another id.
    wrong_ids: u16,
    /// Answers to another question.
    wrong_names: u16,
    /// And at last the truth.
    tells_truth: bool,
}

impl Liar {
    fn start(lie: Lie) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let addr = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut query = [0; 1_500];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                let Some(query) = query.get(..length) else { continue };
                for number in 1..=lie.wrong_ids {
                    let mut answer = answer(query, "forged");
                    let id = u16::from_be_bytes([answer[0], answer[1]]).wrapping_add(number);
                    answer[..2].copy_from_slice(&id.to_be_bytes());
                    let _ = socket.send_to(&answer, from);
                }
                for _ in 0..lie.wrong_names {
                    let mut answer = answer(query, "forged");
                    answer[13] ^= 1;
                    let _ = socket.send_to(&answer, from);
                }
                if lie.tells_truth {
                    let _ = socket.send_to(&answer(query, "true"), from);
                }
            }
        });
        Self { addr, stop }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One TXT record for the query's question.
fn answer(query: &[u8], text: &str) -> Vec<u8> {
    let name_length = query[12..].iter().position(|octet| *octet == 0).unwrap() + 1;
    let question = &query[12..12 + name_length + 4];
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend(question);
    let length = u8::try_from(text.len()).unwrap();
    answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
    answer.extend(text.as_bytes());
    answer
}

#[tokio::test]
async fn a_resolver_that_lies_about_the_id() {
    let timeout = Duration::from_secs(1);
    for (wrong_ids, wrong_names) in [(1, 0), (2, 0), (100, 0), (0, 1), (0, 2), (0, 100), (1, 1)] {
        for tells_truth in [true, false] {
            let liar = Liar::start(Lie { wrong_ids, wrong_names, tells_truth });
            let settings = config::Dns { servers: vec![liar.addr], timeout };
            let resolver = Resolver::new(&settings).unwrap();
            let start = Instant::now();
            let dns = resolver.until(tokio::time::Instant::now() + Duration::from_secs(10));
            let found = dns.txt("example.org").await;
            assert!(start.elapsed() < timeout + Duration::from_secs(1), "{:?}", start.elapsed());
            let lies = format!("{wrong_ids} ids, {wrong_names} names, {tells_truth}: {found:?}");
            match found {
                Ok(texts) => assert!(tells_truth && texts == [b"true"], "{lies}"),
                Err(error) => {
                    assert!(!tells_truth && matches!(error, LookupError::Temporary(_)), "{lies}");
                }
            }
        }
    }
}
