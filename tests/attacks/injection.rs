//! Names and addresses made to write into the results.

use std::time::Duration;

use mailseal::message::envelope::{Client, Envelope};
use mailseal::result::AuthResult::Permerror;

use crate::message::{Signer, sample};
use crate::world::{Limit, World, envelope, parts};

/// SPF for two identities, a walk of two names, an address, a key.
const LIMIT: Limit = Limit { time: Duration::from_secs(5), queries: 8, output_bytes: 10_000 };

const HOSTILE: &[&str] = &[
    "a; dmarc=pass header.from=bank.example",
    "a\"; dmarc=pass header.from=bank.example",
    "a\\\"; dmarc=pass",
    "\"a; dmarc=pass@bank.example",
    "a\r\n\tdmarc=pass",
    "a\r\nAuthentication-Results: mx.example.org; dmarc=pass",
    "a\rb",
    "a\nb",
    "a\0b",
    "(",
    "a(b",
    ")",
    "a) dmarc=pass (",
    "a@b@c; dmarc=pass",
    "\u{fc}; dmarc=pass",
    "\u{7f}\u{1b}[31m",
];

/// CVE-2020-12272: HELO, MAIL FROM, the client's name, and what the three are together.
#[tokio::test]
async fn cve_2020_12272_envelope() {
    let world = World::with("", |config| config.verify.received_spf = true).await;
    for hostile in HOSTILE {
        for mail_from in
            [(*hostile).to_owned(), format!("{hostile}@example.net"), format!("a@{hostile}")]
        {
            let client = Client { name: Some((*hostile).into()), ..envelope().client };
            let helo = Some((*hostile).into());
            let queue_id = Some((*hostile).into());
            let envelope = Envelope { client, helo, mail_from, queue_id, ..envelope() };
            let judged = world.judge_from(envelope, b"From: joe@example.net\r\n\r\n").await;
            let results = parts(judged.within(LIMIT).results());
            let methods: Vec<_> =
                results.iter().map(|part| part.split('=').next().unwrap()).collect();
            assert_eq!(
                methods,
                ["mx.example.org", "iprev", "spf", "spf", "dkim", "arc", "dmarc"],
                "{hostile:?}"
            );
            assert_eq!(results[6], "dmarc=none header.from=example.net");
            let received = parts(judged.field("Received-SPF"));
            assert!(received.iter().all(|pair| !pair.starts_with("dmarc")), "{received:?}");
            let reply = judged.verdict.to_string();
            assert!(reply.chars().all(|c| matches!(c, '\n' | '\t' | ' '..='~')), "{reply:?}");
        }
    }
}

/// CVE-2020-12272, mail-auth 0.9.1: a signature's tags. Names that are none are permerror and no
/// query.
#[tokio::test]
async fn cve_2020_12272_signature() {
    let world = World::new("").await;
    let signer = Signer::ed25519();
    for hostile in HOSTILE {
        // A semicolon ends a tag: the rest of such a value is other tags.
        let hostile = hostile.replace(';', ":").replace("\r\nA", "\r\n A");
        for tag in ["s", "d", "i", "a", "q"] {
            let sealed = signer.sign(&sample(), &format!("{tag}={hostile}"));
            let judged = world.judge(&sealed.octets()).await;
            let results = parts(judged.within(LIMIT).results());
            let methods: Vec<_> =
                results.iter().map(|part| part.split('=').next().unwrap()).collect();
            assert_eq!(
                methods,
                ["mx.example.org", "iprev", "spf", "spf", "dkim", "arc", "dmarc"],
                "{tag}={hostile:?}"
            );
            let signature = &judged.verdict.auth.dkim[0];
            assert_eq!(signature.result, Permerror, "{tag}={hostile:?} {signature:?}");
        }
    }
    assert_eq!(world.asked("_domainkey"), 0);
}
