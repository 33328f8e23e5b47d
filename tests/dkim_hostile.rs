//! DKIM signatures and key records made to hurt: each has a defined result at a bounded cost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use std::time::{Duration, Instant};

use mailseal::dkim::record::{KeyRecord, RECORD_BYTES_MAX, RecordError};
use mailseal::dkim::signature::{SIGNED_FIELDS_MAX, Signature};
use mailseal::dkim::verify::{Check, KeyLookup, SIGNATURES_MAX, begin};
use mailseal::result::AuthResult::{Fail, Pass, Permerror, Policy};
use message::{Message, NOW, Signer, Zone, base64, said, sample, words, zone};

const KEY_NAME: &str = "s._domainkey.example.org";
/// Far above what any of these takes, far below what quadratic work would take.
const COST_MAX: Duration = Duration::from_secs(5);

fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < COST_MAX, "took {:?}", start.elapsed());
    result
}

/// `RSAPublicKey` with a modulus of so many bits, in base64.
fn rsa_key(bits: usize) -> String {
    let mut modulus = vec![0x55; bits.div_ceil(8)];
    modulus[0] = 0xff >> (modulus.len() * 8 - bits);
    modulus.insert(0, 0);
    if modulus[1] < 0x80 {
        modulus.remove(0);
    }
    let key = [element(2, &modulus), element(2, &[1, 0, 1])].concat();
    base64(&element(0x30, &key))
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = (contents.len() as u16).to_be_bytes();
    [&[tag, 0x82], &length[..], contents].concat()
}

/// An RSA signature of that length in octets, which verifies nowhere.
fn rsa_signed(octets: usize) -> Message {
    let bh = base64(&sample().body_hash(mailseal::dkim::canonical::Canonicalization::Relaxed));
    let b = base64(&vec![0x5a; octets]);
    let value = format!(
        " v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s; h=from; bh={bh}; b={b}"
    );
    sample().with_field("DKIM-Signature", value.as_bytes())
}

/// RFC 8301 §3.2, VU#268267: a weak key is understood and refused by policy.
#[test]
fn weak_rsa_keys() {
    for (bits, result, reason) in [
        (512, Policy, "RSA key has 512 bits, 1024 are required"),
        (768, Policy, "RSA key has 768 bits, 1024 are required"),
        (1023, Policy, "RSA key has 1023 bits, 1024 are required"),
        (1024, Fail, "signature did not verify"),
        (8192, Fail, "signature did not verify"),
        (8193, Permerror, "RSA key has more than 8192 bits"),
        (16_384, Permerror, "RSA key has more than 8192 bits"),
    ] {
        let record = format!("v=DKIM1; p={}", rsa_key(bits));
        let message = rsa_signed(bits.div_ceil(8));
        let verification = bounded(|| message.verify(&zone(KEY_NAME, &[&record]), NOW).remove(0));
        assert_eq!(said(&verification), (result, reason), "{bits}");
    }
}

/// `min_rsa_bits` may ask for more.
#[test]
fn rsa_bits_of_the_operator() {
    let message = rsa_signed(128);
    let Check::Pending(pending) = begin(&message.headers, NOW).checks.remove(0) else { panic!() };
    let record = format!("v=DKIM1; p={}", rsa_key(1024));
    let lookup = KeyLookup::Found(vec![record.into_bytes()]);
    let check = pending.check_key(&message.headers, &lookup, 2048);
    let verification = check.finish(&mailseal::dkim::digest::BodyHashes::default());
    assert_eq!(said(&verification), (Policy, "RSA key has 1024 bits, 2048 are required"));
}

/// `OpenDKIM` #433: copied header fields (`z=`) of any length are passed over.
#[test]
fn long_copied_fields() {
    let signer = Signer::ed25519();
    let copied = "Subject:=20long|".repeat(64_000);
    let message = signer.sign(&sample(), &format!("z={copied}"));
    assert_eq!(bounded(|| signer.verify(&message, "")).result, Pass);
}

#[test]
fn many_signed_fields() {
    let signer = Signer::ed25519();
    let names = |count: usize| format!("h=from{}", ":x".repeat(count - 1));
    let message = signer.sign(&sample(), &names(SIGNED_FIELDS_MAX));
    assert_eq!(bounded(|| signer.verify(&message, "")).result, Pass);
    for count in [SIGNED_FIELDS_MAX + 1, 10_000, 300_000] {
        let message = signer.sign(&sample(), &names(count));
        let verification = bounded(|| signer.verify(&message, ""));
        assert_eq!(said(&verification), (Permerror, "h= names more than 1000 fields"));
    }
}

/// As many names as may be, over as many fields as come.
#[test]
fn many_fields_of_one_name() {
    let signer = Signer::ed25519();
    let text = format!("From: a@example.org\r\n{}\r\n", "X: y\r\n".repeat(20_000));
    let message = Message::parse(text.as_bytes());
    let mut sealed = message.clone();
    for _ in 0..SIGNATURES_MAX {
        sealed = signer.sign(&sealed, &format!("h=from{}", ":x".repeat(SIGNED_FIELDS_MAX - 1)));
    }
    let zone = zone(KEY_NAME, &[&signer.record("")]);
    let verifications = bounded(|| sealed.verify(&zone, NOW));
    assert_eq!(words(&verifications), ["pass"; SIGNATURES_MAX]);
}

/// The first ten are verified, from the top, and the others counted.
#[test]
fn many_signatures() {
    let signer = Signer::ed25519();
    let sealed = signer.sign(&sample(), "");
    let mut text = sealed.headers.octets().to_vec();
    for _ in 0..1000 {
        text.extend(b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=a; b=AAAA\r\n");
    }
    text.extend(b"\r\nHello.\r\n");
    let message = Message::parse(&text);
    let signatures = bounded(|| begin(&message.headers, NOW));
    assert_eq!((signatures.checks.len(), signatures.left_out), (SIGNATURES_MAX, 991));
    let verifications =
        bounded(|| message.finish(signatures, &zone(KEY_NAME, &[&signer.record("")])));
    let mut expected = vec!["permerror"; SIGNATURES_MAX];
    expected[0] = "pass";
    assert_eq!(words(&verifications), expected);
}

/// CVE-2020-12272 and its kin: nothing that could end a name, a comment or a line gets into a
/// query, and what is told of the signature holds none of it.
#[test]
fn names_with_syntax_in_them() {
    for hostile in [
        "\0",
        "a\0b",
        "\r\n",
        "a\r\nb",
        "a\nb",
        "\r",
        "\"a\"",
        "a;b",
        "a(b)",
        "a b",
        "a\tb",
        "a\\b",
        "a,b",
        "a@b",
        "a/b",
        "..",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "",
        "*",
        "a\u{7f}",
        "\u{202e}a",
        "a\u{0}.b",
        "xn--\u{fc}",
        &"a".repeat(64),
        &"a.".repeat(500),
        &"ü".repeat(100_000),
    ] {
        for tag in ["d", "s"] {
            let (d, s) = if tag == "d" {
                (format!("{hostile}.org"), "s".into())
            } else {
                ("example.org".into(), hostile.to_owned())
            };
            let value = format!(
                " v=1; a=rsa-sha256; d={d}; s={s}; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
            );
            // A NUL or a line end that a milter would not bring is tried as well.
            let parsed = bounded(|| Signature::parse(value.as_bytes()));
            let message = sample().with_field("DKIM-Signature", value.as_bytes());
            let mut checks = bounded(|| begin(&message.headers, NOW)).checks;
            let Check::Done(verification) = checks.remove(0) else {
                panic!("{tag}={hostile:?} is queried")
            };
            assert!(parsed.is_err(), "{tag}={hostile:?}");
            assert_eq!(verification.result, Permerror, "{tag}={hostile:?}");
            let told = [
                Some(verification.domain),
                verification.selector,
                verification.auid,
                verification.algorithm,
                verification.signature_start,
                verification.reason,
            ];
            let told = told.into_iter().flatten().collect::<String>();
            let harmless = |c: char| matches!(c, ' '..='~') && !";\"()\\".contains(c);
            assert!(told.chars().all(harmless), "{told:?}");
        }
    }
}

/// The values that are told may not smuggle anything either.
#[test]
fn claims_with_syntax_in_them() {
    for (tag, hostile) in [
        ("a", "rsa-sha256 (x)"),
        ("a", "rsa\"-sha256"),
        ("b", "AAAA(AAAA"),
        ("b", "\"AAAAAAAA\""),
        ("i", "\u{7f}@example.org"),
        ("i", "a@exa(mple.org"),
        ("i", "a@example.org=0D=0A"),
    ] {
        let value = format!(" v=9; d=example.org; {tag}={hostile}");
        let message = sample().with_field("DKIM-Signature", value.as_bytes());
        let verification = message.verify(&Zone::new(), NOW).remove(0);
        let told = [verification.auid, verification.algorithm, verification.signature_start];
        assert_eq!(told, [None, None, None], "{tag}={hostile}");
    }
}

#[test]
fn long_and_many_tags() {
    for value in [
        "a=".repeat(300_000),
        "a=b;".repeat(300_000),
        ";".repeat(1_000_000),
        "=".repeat(1_000_000),
        " ".repeat(1_000_000),
        "\r\n ".repeat(300_000),
        (0..100_000).map(|n| format!("t{n}=")).collect::<Vec<_>>().join(";"),
        format!("b={}", "A".repeat(1_000_000)),
        format!("v=1; a=rsa-sha256; b={}", "A".repeat(1_000_000)),
        format!("v=1; a=rsa-sha256; b=AAAA; bh={}", "A ".repeat(500_000)),
        format!("v=1; i={}@example.org", "=41".repeat(300_000)),
    ] {
        assert!(bounded(|| Signature::parse(value.as_bytes())).is_err());
        assert!(bounded(|| KeyRecord::parse(value.as_bytes())).is_err());
    }
}

#[test]
fn long_and_many_key_records() {
    let signer = Signer::ed25519();
    let message = signer.sign(&sample(), "");
    let record = format!("v=DKIM1; n={}; p=", "x".repeat(64 * 1024));
    assert!(record.len() > RECORD_BYTES_MAX);
    assert_eq!(KeyRecord::parse(record.as_bytes()), Err(RecordError::TooLong));
    // A good key behind more records than are tried is not found.
    let mut records = vec![record.as_str(); 1000];
    let good = signer.record("");
    records.push(&good);
    let verification = bounded(|| message.verify(&zone(KEY_NAME, &records), NOW).remove(0));
    assert_eq!(said(&verification), (Permerror, "key record is longer than 8192 octets"));
}

/// DER whose lengths lie, and keys that are none.
#[test]
fn broken_rsa_keys() {
    let message = rsa_signed(256);
    let good = rsa_key(2048);
    let sequence = |contents: &[u8]| base64(&element(0x30, contents));
    for key in [
        "MA==".into(),
        "MIL//w==".into(),
        "MIT/////".into(),
        "MAA=".into(),
        base64(&[0x30, 0x80, 0, 0]),
        sequence(&[]),
        sequence(&element(2, &[])),
        sequence(&[element(2, &[0]), element(2, &[0])].concat()),
        sequence(&[element(2, &[0x80]), element(2, &[3])].concat()),
        sequence(&element(0x30, &[])),
        format!("{}AAAA", good.trim_end_matches('=')),
        good[..good.len() / 2].to_owned(),
    ] {
        let record = format!("v=DKIM1; p={key}");
        let verification = message.verify(&zone(KEY_NAME, &[&record]), NOW).remove(0);
        assert_eq!(said(&verification), (Permerror, "key syntax error in p="), "{key}");
    }
    // An even modulus, an exponent of one: keys by their form, with which nothing verifies.
    for (last, exponent) in [(0x54, 3), (0x55, 1), (0x55, 2)] {
        let mut modulus = vec![0x7f; 256];
        modulus[255] = last;
        let key = sequence(&[element(2, &modulus), element(2, &[exponent])].concat());
        let record = format!("v=DKIM1; p={key}");
        let verification = message.verify(&zone(KEY_NAME, &[&record]), NOW).remove(0);
        assert_eq!(said(&verification), (Fail, "signature did not verify"));
    }
}

/// A header block at its limit with all signatures over all of it.
#[test]
fn megabyte_header_lines() {
    let signer = Signer::ed25519();
    let long = format!("From: a@example.org\r\nSubject:{}x\r\n\r\n", " \r\n\t".repeat(250_000));
    let mut message = Message::parse(long.as_bytes());
    for _ in 0..SIGNATURES_MAX {
        message = signer.sign(&message, "h=from:subject");
    }
    let zone = zone(KEY_NAME, &[&signer.record("")]);
    let verifications = bounded(|| message.verify(&zone, NOW));
    assert_eq!(words(&verifications), ["pass"; SIGNATURES_MAX]);
}
