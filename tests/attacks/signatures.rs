//! Signatures in numbers, at slow names, of other domains, over a part, by weak keys, and replayed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mailseal::dkim::canonical::Canonicalization;
use mailseal::dkim::digest::{BodyHasher, BodyWant};
use mailseal::dkim::record::dns_text;
use mailseal::dkim::signing_key::{SigningKey, generate_rsa};
use mailseal::dkim::verify::SIGNATURES_MAX;
use mailseal::message::file;
use mailseal::result::AuthResult::{Fail, Pass};

use crate::message::{Message, Signer, base64, sample};
use crate::support::process::run;
use crate::world::{Limit, SENDER_WALK_QUERIES, World, envelope, parts};

/// SPF of two identities, a walk of two names and one address, and a key a signature.
const LIMIT: Limit = Limit {
    time: Duration::from_secs(10),
    queries: 5 + SENDER_WALK_QUERIES + SIGNATURES_MAX,
    output_bytes: 16_000,
};

const BAD: &str = " v=1; a=rsa-sha256; d=evil.example; s=s; h=from; bh=AAAA; b=AAAA";

fn zone(signer: &Signer, policy: &str) -> String {
    let record = signer.record("");
    format!(
        "s._domainkey.example.org TXT \"{record}\"\ns._domainkey.co.example TXT \"{record}\"\n\
         s._domainkey.evil-example.org TXT \"{record}\"\ns._domainkey.org TXT \"{record}\"\n{policy}"
    )
}

const REJECT: &str = "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n";

fn above(message: &Message, count: usize, value: &str) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..count {
        write!(text, "DKIM-Signature:{value}\r\n").unwrap();
    }
    [text.into_bytes(), message.octets()].concat()
}

/// The first ten by position are verified; the results count the rest.
#[tokio::test]
async fn a_thousand_signatures() {
    let signer = Signer::ed25519();
    let world = World::new(&zone(&signer, REJECT)).await;
    let sealed = signer.sign(&sample(), "");
    let mut message = sealed.clone();
    for number in 0..1_000 {
        let value = BAD.replace("d=evil", &format!("d=evil{number}"));
        let value = value.replace("AAAA", &base64(&[0; 32]));
        message.headers.push(b"DKIM-Signature", value.as_bytes());
    }
    let judged = world.judge(&message.octets()).await;
    assert_eq!(judged.within(LIMIT).dmarc(), Pass);
    assert_eq!(judged.dkim().len(), SIGNATURES_MAX);
    assert_eq!(world.asked("_domainkey"), SIGNATURES_MAX);
    assert_eq!(judged.verdict.auth.dkim_left_out, 991);
    let results = judged.results();
    assert!(
        results.contains("dkim=neutral reason=\"991 more signatures were not verified\""),
        "{results}"
    );
    assert_eq!(parts(results).iter().filter(|part| part.starts_with("dkim=")).count(), 11);
}

#[tokio::test]
async fn a_good_signature_behind_bad_ones() {
    let signer = Signer::ed25519();
    let world = World::new(&zone(&signer, REJECT)).await;
    let sealed = signer.sign(&sample(), "");
    for (bad, expected) in [(1, Pass), (SIGNATURES_MAX - 1, Pass), (SIGNATURES_MAX, Fail)] {
        for value in [BAD, " garbage", " v=1; d=example.org; s=s"] {
            let judged = world.judge(&above(&sealed, bad, value)).await;
            assert_eq!(judged.within(LIMIT).dmarc(), expected, "{bad} {value}");
        }
    }
}

/// The whole message ends within its limit, and nothing that could not be asked is called absent.
#[tokio::test]
async fn signatures_at_slow_names() {
    for fault in ["TIMEOUT", "SLOW 20000ms"] {
        let mut zone = format!("example.org TXT {fault}\n_dmarc.example.org TXT {fault}\n");
        let mut message = sample();
        for number in 0..100 {
            let value = BAD.replace("d=evil", &format!("d=slow{number}"));
            let bh = base64(&[0; 32]);
            let value = value.replace("bh=AAAA", &format!("bh={bh}"));
            message.headers.push(b"DKIM-Signature", value.as_bytes());
            writeln!(zone, "s._domainkey.slow{number}.example TXT {fault}").unwrap();
        }
        let limit = Duration::from_secs(2);
        let world = World::with(&zone, |config| {
            config.limits.message = limit;
            config.dns.timeout = Duration::from_mins(1);
        })
        .await;
        let judged = world.judge(&message.octets()).await;
        // Half a second for all that is no waiting.
        let time = limit + Duration::from_millis(500);
        // What is not answered is sent again.
        judged.within(Limit { time, queries: 4 * LIMIT.queries, ..LIMIT });
        assert_eq!(judged.dkim(), ["temperror"; SIGNATURES_MAX]);
        assert_eq!(judged.dmarc().as_str(), "temperror");
    }
}

/// OpenDKIM #433, rspamd 4.1.3: all that can be long is, ten times over.
#[tokio::test]
async fn opendkim_433() {
    let signer = Signer::ed25519();
    let world = World::new(&zone(&signer, "")).await;
    for tags in [
        format!("z={}", "Subject:=20long|".repeat(4_000)),
        format!("h=from{}", ":x".repeat(10_000)),
        format!("h=from{}", ":subject".repeat(998)),
        format!("x-{}=1", "y".repeat(60_000)),
        "a1=1;".repeat(10_000),
        format!("i={}@example.org", "(".repeat(10_000)),
        format!("i={}@example.org", "a".repeat(60_000)),
        format!("s={}", "a.".repeat(30_000)),
        format!("d={}example.org", "a.".repeat(30_000)),
        format!("q={}", "dns/txt:".repeat(8_000)),
        format!("t={}", "9".repeat(60_000)),
        format!("l={}", "9".repeat(60_000)),
    ] {
        let mut message = sample();
        for _ in 0..SIGNATURES_MAX {
            message = signer.sign(&message, &tags);
        }
        world.judge(&message.octets()).await.within(LIMIT);
    }
}

/// VU#268267, RFC 8301: understood, and refused by policy.
#[tokio::test]
async fn vu_268267() {
    let mut zone = REJECT.to_owned();
    for (selector, key) in WEAK_KEYS {
        writeln!(zone, "{selector}._domainkey.example.org TXT \"v=DKIM1; p={key}\"").unwrap();
    }
    let world = World::new(&zone).await;
    for (selector, _) in WEAK_KEYS {
        for algorithm in ["rsa-sha256", "rsa-sha1"] {
            let bh = base64(&sample().body_hash(Canonicalization::Simple));
            let value = format!(
                " v=1; a={algorithm}; d=example.org; s={selector}; h=from; bh={bh}; b=AAAA"
            );
            let judged = world
                .judge(&sample().with_field("DKIM-Signature", value.as_bytes()).octets())
                .await;
            assert_eq!(judged.within(LIMIT).dkim(), ["policy"], "{selector} {algorithm}");
            assert_eq!(judged.dmarc(), Fail);
        }
    }
}

/// Made with openssl, which still makes them.
const WEAK_KEYS: &[(&str, &str)] = &[
    (
        "b512",
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMMlzPk2YerbzJFUV+ba8x2oKg6F+7QmOZciGg+n5Va7ETnhxgedTvWLEMWSMqKJVRb6vOjC4YmQCRsZ+OB8LY0CAwEAAQ==",
    ),
    (
        "b768",
        "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAJnVMZwZyJnS9ADjwiF2n9Diojo1ObzFsVlMJngiTT9e/F7I5Qv/jxwRyfHWXnJxWo7tEIRlLXkDn7TDUg8OjKhzk+Zd8zEiu/6ljjvC63oI5TH4oGWuRGD9T6T0li4VowIDAQAB",
    ),
    (
        "b1023",
        "MIGeMA0GCSqGSIb3DQEBAQUAA4GMADCBiAKBgFrJU4s9JQx1zvK+qp6ND00NbhGrfNGcPX/Upv8mCPPOu7sPaZFrZcISMzcSdBgCEZQFFmzijVh9lyUO8aLnRTHxwAZyxMo/erx4gaebs41VSKQzVGSozKivhobdUk7nunnaOUCyPt+024I1jZaPgXIIyHMq3InYjTSQTUKN3fR5AgMBAAE=",
    ),
];

/// The tags of a signature of the sample's first octets.
fn prefix(length: u64) -> String {
    let want = BodyWant { canonicalization: Canonicalization::Relaxed, length: Some(length) };
    let mut hasher = BodyHasher::new([want]);
    hasher.update(&sample().body);
    let hash = hasher.finish().get(&want).unwrap().sha256;
    format!("l={length};bh={}", base64(&hash))
}

/// What is appended behind `l=` is not the signer's.
#[tokio::test]
async fn appended_to_a_signed_prefix() {
    let signer = Signer::ed25519();
    let world = World::with(&zone(&signer, REJECT), |config| {
        config.verify.require_dkim = vec!["example.org".into()];
    })
    .await;
    for length in [0, 1, 8] {
        let mut sealed = signer.sign(&sample(), &prefix(length));
        assert_eq!(world.judge(&sealed.octets()).await.dkim(), ["pass"], "l={length}");
        sealed.body.extend(b"Buy this!\r\n");
        let judged = world.judge(&sealed.octets()).await;
        assert_eq!(judged.within(LIMIT).dkim(), ["pass"]);
        assert_eq!(judged.dmarc(), Fail, "l={length}");
        assert!(judged.has_tag("dkim-required"));
    }
}

/// A domain that only looks like the author's, or stands above it.
#[tokio::test]
async fn signatures_of_other_domains() {
    let signer = Signer::ed25519();
    let policies = "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n\
                    _dmarc.co.example TXT \"v=DMARC1; p=none; psd=y\"\n\
                    _dmarc.bank.co.example TXT \"v=DMARC1; p=reject\"\n";
    let world = World::with(&zone(&signer, policies), |config| {
        config.verify.require_dkim = vec!["example.org".into(), "bank.co.example".into()];
    })
    .await;
    let bank = Message::parse(b"From: a@bank.co.example\r\n\r\nHello.\r\n");
    for (message, domain, dkim) in [
        (sample(), "evil-example.org", "pass"),
        (sample(), "co.example", "pass"),
        // No domain of one label signs.
        (sample(), "org", "permerror"),
        (bank.clone(), "co.example", "pass"),
        (bank, "example.org", "pass"),
    ] {
        let judged = world.judge(&signer.sign(&message, &format!("d={domain}")).octets()).await;
        assert_eq!(judged.within(LIMIT).dkim(), [dkim], "{domain}");
        assert_eq!(judged.dmarc(), Fail, "{domain}");
        assert!(judged.has_tag("dkim-required"), "{domain}");
    }
}

/// What our own signer signs cannot be given another author or subject on its way.
#[tokio::test]
async fn replay_with_added_fields() {
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("keys");
    mailseal(keys.path(), &["keys", "generate", "example.org"]);
    mailseal(keys.path(), &["keys", "activate", "example.org", "--force"]);
    let domain = path.join("example.org");
    let pem = std::fs::read_dir(domain).unwrap().map(|entry| entry.unwrap().path());
    let pem = pem.into_iter().find(|path| path.extension().is_some_and(|e| e == "pem")).unwrap();
    let key = SigningKey::from_pem(&std::fs::read_to_string(&pem).unwrap()).unwrap();
    let record = dns_text(key.key_type(), &key.public_key(), false, false);
    let selector = pem.file_stem().unwrap().to_str().unwrap();
    let zone = format!("{selector}._domainkey.example.org TXT \"{record}\"\n{REJECT}");
    let world = World::with(&zone, |config| config.sign.keys = path).await;

    let mut sender = envelope();
    sender.auth_user = Some("joe".into());
    let (draft, body) =
        file::parse(&sample().octets(), sender.clone(), &world.runtime.config.limits);
    let verdict = world.judge_from(sender, &sample().octets()).await.verdict;
    let sealed = file::emit(&draft.headers, &body, &verdict.changes);
    let judged = world.judge(&sealed).await;
    assert_eq!((judged.dkim(), judged.dmarc()), (vec!["pass"], Pass), "{}", judged.verdict);

    let sealed = String::from_utf8(sealed).unwrap();
    let (header, rest) = sealed.split_once("\r\n\r\n").unwrap();
    for field in [
        "Subject: Buy this",
        "From: evil@evil.example",
        "To: x@evil.example",
        "Cc: x@evil.example",
        "Reply-To: x@evil.example",
        "Content-Type: text/html",
        "subject : Buy this",
    ] {
        for added in [format!("{field}\r\n{header}"), format!("{header}\r\n{field}")] {
            let judged = world.judge(format!("{added}\r\n\r\n{rest}").as_bytes()).await;
            assert_eq!(judged.within(LIMIT).dkim(), ["fail"], "{field}");
            assert_ne!(judged.dmarc(), Pass, "{field}");
        }
    }
    // Where nothing is added, a replay is as good as the message: RFC 6376 §8.6.
    assert_eq!(world.judge(format!("X-New: y\r\n{sealed}").as_bytes()).await.dkim(), ["pass"]);
}

fn mailseal(dir: &Path, args: &[&str]) {
    run(Command::new(env!("CARGO_BIN_EXE_mailseal")).current_dir(dir).args(args));
}

#[test]
fn we_make_no_weak_keys() {
    for bits in [512, 768, 1023] {
        assert!(generate_rsa(bits).is_err(), "{bits}");
    }
}
