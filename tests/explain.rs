//! What `check` says of a message that was changed on its way: the reasons tell an operator what was
//! done to it. `tests/cases/` show the reasons of every other kind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;
mod support;

use std::sync::Arc;
use std::time::Duration;

use mailseal::config::Config;
use mailseal::message::envelope::{Client, Envelope};
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::runtime::Runtime;
use message::{NOW, Signer, sample};
use support::dns::DnsServer;
use support::zone::Zone;

/// The reasons that speak of the first signature.
async fn reasons(signer: &Signer, message: &[u8]) -> Vec<String> {
    let zone = format!("s._domainkey.example.org TXT \"{}\"\n", signer.record(""));
    let dns = DnsServer::start(Zone::parse(&zone)).await;
    let empty = tempfile::tempdir().unwrap();
    let mut config = Config { dns: dns.settings(Duration::from_secs(2)), ..Config::default() };
    config.sign.keys = empty.path().into();
    config.rules.dir = empty.path().into();
    let mut runtime = Runtime::build(config).unwrap();
    runtime.clock = Arc::new(|| NOW);
    let runtime = Arc::new(runtime);
    let addr = Some("192.0.2.1".parse().unwrap());
    let envelope = Envelope { client: Client { addr, name: None }, ..Envelope::default() };
    let (draft, body) = file::parse(message, envelope, &runtime.config.limits);
    let verdict = Inspection::whole(&runtime, draft, body).await;
    verdict.reasons.into_iter().filter(|reason| reason.starts_with("dkim 1: ")).collect()
}

#[tokio::test]
async fn changed_fields_are_named() {
    let signer = Signer::ed25519();
    let copies = "z=From:=20a@example.org|Subject:=20hello|To:=20b@example.net";
    let message = signer.sign(&sample(), &format!("h=from:subject:to;{copies}")).octets();
    let message = String::from_utf8(message).unwrap();
    let record = format!("dkim 1: TXT of s._domainkey.example.org: \"{}\"", signer.record(""));
    assert_eq!(reasons(&signer, message.as_bytes()).await, [record.as_str()]);
    let changed = message.replace("Subject: hello", "Subject: [list]\x1b hello");
    assert_eq!(
        reasons(&signer, changed.as_bytes()).await,
        [
            record.as_str(),
            "dkim 1: of the signed fields some were changed, added or removed: from, subject, to",
            "dkim 1: by z= Subject was \"hello\", and is \"[list]\\x1b hello\"",
        ]
    );
    let footer = format!("{message}a footer\r\n");
    assert_eq!(
        reasons(&signer, footer.as_bytes()).await[1..],
        ["dkim 1: bh= fits the body without its last line: a footer was added"]
    );
}

/// A large body under ten signatures that it does not fit: the search for what was done to it is
/// linear, and not made for each of them.
#[tokio::test]
async fn a_large_changed_body_takes_its_time_once() {
    let signer = Signer::ed25519();
    let mut message = sample();
    for _ in 0..10 {
        message = signer.sign(&message, "");
    }
    message.body = b"another line of another body\r\n".repeat(300_000);
    let start = std::time::Instant::now();
    assert_eq!(reasons(&signer, &message.octets()).await.len(), 2);
    println!("{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
