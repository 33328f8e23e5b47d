//! DKIM signatures (RFC 6376): its example, and its verification procedure step by step.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use mailseal::dkim::canonical::Canonicalization::{Relaxed, Simple};
use mailseal::dkim::canonical::{body::BodyCanonicalizer, header};
use mailseal::dkim::verify::{Check, KeyLookup, begin};
use mailseal::result::AuthResult::{Fail, Neutral, Pass, Permerror, Policy, Temperror};
use message::{Message, NOW, Signer, Zone, base64, crlf, said, sample, words, zone};

const EXAMPLE: &str = include_str!("data/rfc6376-a2.eml");
/// Appendix C.
const EXAMPLE_RECORD: &str = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ\
    KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt\
    IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v\
    /RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi\
    tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

/// Appendix A.2, with the white space that its signature was made over: six octets at folds, one
/// space in "game. Are" (the published text was reformatted; errata).
#[test]
fn the_example_verifies() {
    let zone = zone("brisbane._domainkey.example.com", &[EXAMPLE_RECORD]);
    let verifications = Message::parse(&crlf(EXAMPLE)).verify(&zone, NOW);
    assert_eq!(words(&verifications), ["pass"], "{verifications:?}");
    assert_eq!(verifications[0].auid.as_deref(), Some("joe@football.example.com"));
    for (from, to) in [("client1", "client2"), ("Are you", "Are  you"), ("Date: ", "Date:")] {
        let changed = Message::parse(&crlf(&EXAMPLE.replace(from, to)));
        assert_eq!(words(&changed.verify(&zone, NOW)), ["fail"], "{from}");
    }
}

/// §3.4.5.
#[test]
fn canonicalization_examples() {
    let fields: [(&[u8], &[u8]); 2] = [(b"A", b" X"), (b"B ", b" Y\t\r\n\tZ  ")];
    let header = |canonicalization| {
        let mut out = Vec::new();
        for (name, value) in fields {
            header::append(&mut out, name, value, canonicalization);
        }
        String::from_utf8(out).unwrap()
    };
    assert_eq!(header(Relaxed), "a:X\r\nb:Y Z\r\n");
    assert_eq!(header(Simple), "A: X\r\nB : Y\t\r\n\tZ  \r\n");
    let body = |canonicalization| {
        let mut out = Vec::new();
        let mut canonicalizer = BodyCanonicalizer::new(canonicalization);
        canonicalizer.update(b" C \r\nD \t E\r\n\r\n\r\n", &mut |slice| out.extend(slice));
        canonicalizer.finish(&mut |slice| out.extend(slice));
        String::from_utf8(out).unwrap()
    };
    assert_eq!(body(Relaxed), " C\r\nD E\r\n");
    assert_eq!(body(Simple), " C \r\nD \t E\r\n");
}

/// §3.4.3 and §3.4.4 give the digests of an empty body.
#[test]
fn empty_bodies() {
    let empty = Message::default();
    assert_eq!(base64(&empty.body_hash(Simple)), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
    assert_eq!(base64(&empty.body_hash(Relaxed)), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

/// §6.1.1: what the field itself says. A result here comes before any query.
#[test]
fn invalid_fields() {
    let signer = Signer::ed25519();
    let long = format!("s={}.x", ["a".repeat(62), "b".repeat(62), "c".repeat(62)].join("."));
    let cases = [
        ("v=2", Permerror, "incompatible version"),
        ("v=", Permerror, "signature lacks the required tag v="),
        ("a=", Permerror, "signature lacks the required tag a="),
        ("d=", Permerror, "signature lacks the required tag d="),
        ("s=", Permerror, "signature lacks the required tag s="),
        ("h=", Permerror, "signature lacks the required tag h="),
        ("bh=", Permerror, "signature lacks the required tag bh="),
        ("a=rsa-sha512", Permerror, "unknown algorithm"),
        ("a=rsa-sha1; bh=aGVsbG8=", Policy, "rsa-sha1 is not accepted, RFC 8301"),
        ("c=nowsp", Permerror, "unknown canonicalization"),
        ("c=relaxed/relaxed/simple", Permerror, "unknown canonicalization"),
        ("h=to:subject", Permerror, "From field not signed"),
        ("h=from::to", Permerror, "signature syntax error in h="),
        ("i=a@example.com", Permerror, "domain mismatch, i= is not within d="),
        ("i=a@xexample.org", Permerror, "domain mismatch, i= is not within d="),
        ("i=example.org", Permerror, "signature syntax error in i="),
        ("i==+1@example.org", Permerror, "signature syntax error in i="),
        ("q=dns/http", Permerror, "unknown query method"),
        ("l=-1", Permerror, "signature syntax error in l="),
        ("t=now", Permerror, "signature syntax error in t="),
        ("t=20;x=20", Permerror, "signature expires before it was made"),
        ("x=1799999999", Fail, "signature expired"),
        ("t=1800000301", Neutral, "signature timestamp is in the future"),
        ("bh=AAAA", Permerror, "signature syntax error in bh="),
        ("d=org", Permerror, "signature syntax error in d="),
        ("d=example.org.", Permerror, "signature syntax error in d="),
        ("d=exa mple.org", Permerror, "signature syntax error in d="),
        ("d=\"example\".org", Permerror, "signature syntax error in d="),
        ("s=a/b", Permerror, "signature syntax error in s="),
        ("s=", Permerror, "signature lacks the required tag s="),
        (
            &format!("{long};d=sub.{}.example.org", "d".repeat(50)),
            Permerror,
            "signature syntax error in s=",
        ),
        (
            "d=example.org;d=example.org",
            Permerror,
            "signature syntax error, tag 8 repeats the \
            name of another",
        ),
        ("nonsense", Permerror, "signature syntax error, tag 8 is not name=value"),
    ];
    for (tags, result, reason) in cases {
        let message = signer.sign(&sample(), tags);
        let mut checks = begin(&message.headers, NOW).checks;
        let Check::Done(verification) = checks.remove(0) else { panic!("{tags}: pending") };
        assert_eq!(said(&verification), (result, reason), "{tags}");
    }
}

#[test]
fn valid_fields() {
    let signer = Signer::ed25519();
    for tags in [
        "",
        "c=relaxed/relaxed",
        "c=simple/relaxed",
        "q=dns/http : dns/txt",
        "i=a=40b@mail.example.org",
        "i=@EXAMPLE.ORG",
        "t=1800000299;x=1800000301",
        "t=1;x=999999999999999999999999999999999999",
        "x=1800000000",
        "l=8",
        "h=from : to:\r\n\tsubject:from:x-absent",
        "z=From:a@example.org|To:b=3B",
        "unknown=whatever; n2_=",
        "d=Example.ORG",
        "h=From:TO:Subject",
    ] {
        let verification = signer.verify(&signer.sign(&sample(), tags), "");
        assert_eq!(said(&verification), (Pass, ""), "{tags}");
        assert_eq!(verification.domain, "example.org");
        assert!(verification.covers_body);
    }
}

/// "If only one algorithm is named, that algorithm is used for the header and "simple" is used
/// for the body" (§3.5 c=).
#[test]
fn one_canonicalization_named() {
    let signer = Signer::ed25519();
    let mut message = sample();
    message.body = b"two  spaces \r\n".to_vec();
    let bh = base64(&message.body_hash(Simple));
    for c in ["c=relaxed", "c=simple", "c=simple/simple", "c="] {
        let one = signer.sign(&message, &format!("{c};bh={bh}"));
        assert_eq!(said(&signer.verify(&one, "")), (Pass, ""), "{c}");
    }
}

/// RFC 8616 §5: internationalized fields may hold U-labels; the key stands under A-labels, and the
/// hash is over the field as it stands.
#[test]
fn u_labels() {
    let signer = Signer::ed25519();
    let message = signer.sign(&sample(), "d=BÜCHER.example;s=grün;i=jürgen@post.bücher.example");
    let name = "xn--grn-ioa._domainkey.xn--bcher-kva.example";
    let verifications = message.verify(&zone(name, &[&signer.record("")]), NOW);
    assert_eq!(words(&verifications), ["pass"], "{verifications:?}");
    assert_eq!(verifications[0].domain, "xn--bcher-kva.example");
    assert_eq!(verifications[0].selector.as_deref(), Some("xn--grn-ioa"));
}

/// §6.1.2, in its order.
#[test]
fn key_records() {
    let signer = Signer::ed25519();
    let message = signer.sign(&sample(), "i=a@sub.example.org");
    let good = signer.record("");
    let key = &good[good.find("p=").unwrap()..];
    let cases = [
        (good.clone(), Pass, ""),
        (format!("k=ed25519; {key}"), Pass, ""),
        (format!("k=ed25519; h=sha1:sha256; s=email; g=nobody; n=note; x=1; {key};"), Pass, ""),
        (format!("k=ed25519; s=* : tlsrpt; {key}"), Pass, ""),
        (format!("k=ed25519; t=y; {key}"), Pass, ""),
        (format!("v=DKIM2; k=ed25519; {key}"), Permerror, "key record is not of version DKIM1"),
        (format!("v=DKIM1.0; k=ed25519; {key}"), Permerror, "key record is not of version DKIM1"),
        (format!("k=ed25519; v=DKIM1; {key}"), Permerror, "key record is not of version DKIM1"),
        (format!("v=DKIM1; k=ed25519; h=sha1; {key}"), Permerror, "inappropriate hash algorithm"),
        (format!("v=DKIM1; k=ed25519; s=tlsrpt; {key}"), Permerror, "key is not for email"),
        ("v=DKIM1; k=ed25519; p=".into(), Permerror, "key revoked"),
        ("v=DKIM1; k=ed25519; h=sha1; p=".into(), Permerror, "inappropriate hash algorithm"),
        ("v=DKIM1; k=ed25519".into(), Permerror, "key record lacks p="),
        ("v=DKIM1; k=ed25519; p=AAAA".into(), Permerror, "key syntax error in p="),
        (format!("v=DKIM1; {key}"), Permerror, "key syntax error in p="),
        (format!("v=DKIM1; k=dsa; {key}"), Permerror, "unknown key type"),
        (EXAMPLE_RECORD.into(), Permerror, "inappropriate key algorithm"),
        (
            format!("v=DKIM1; k=ed25519; t=s; {key}"),
            Permerror,
            "domain mismatch, the key asks for i= equal to d=",
        ),
        ("v=spf1 -all".into(), Permerror, "key record is not of version DKIM1"),
        ("some text".into(), Permerror, "key syntax error, tag 1 is not name=value"),
        (Signer::ed25519().record(""), Fail, "signature did not verify"),
    ];
    for (record, result, reason) in cases {
        let zone = zone("s._domainkey.example.org", &[&record]);
        let verification = message.verify(&zone, NOW).remove(0);
        assert_eq!(said(&verification), (result, reason), "{record}");
        assert_eq!(verification.testing, record.contains("t=y"));
    }
}

/// `t=s` asks for `i=` equal to `d=`, which an absent `i=` is (§3.6.1 t=, §6.1.1).
#[test]
fn strict_keys() {
    let signer = Signer::ed25519();
    for (tags, result) in [
        ("", Pass),
        ("i=@example.org", Pass),
        ("i=a@EXAMPLE.org", Pass),
        ("i=@sub.example.org", Permerror),
    ] {
        let message = signer.sign(&sample(), tags);
        assert_eq!(signer.verify(&message, " t=y:s;").result, result, "{tags}");
    }
}

#[test]
fn key_lookups() {
    let signer = Signer::ed25519();
    let message = signer.sign(&sample(), "");
    let name = "s._domainkey.example.org".to_owned();
    let slow = KeyLookup::Temporary("no answer (in \"time\")".into());
    for (lookup, result, reason) in [
        (slow, Temperror, "key unavailable, no answer ?in ?time??"),
        (KeyLookup::NotFound, Permerror, "no key for signature"),
        (KeyLookup::Found(Vec::new()), Permerror, "no key for signature"),
    ] {
        let verification = message.verify(&Zone::from([(name.clone(), lookup)]), NOW).remove(0);
        assert_eq!(said(&verification), (result, reason));
    }
}

/// §6.1.2 step 4: each of several key records is tried, in any order; the one that leads farthest
/// gives the reason.
#[test]
fn several_key_records() {
    let signer = Signer::ed25519();
    let message = signer.sign(&sample(), "");
    let (good, wrong) = (signer.record(""), Signer::ed25519().record(""));
    let name = "s._domainkey.example.org";
    for records in [[&good, &wrong], [&wrong, &good]] {
        let records = [EXAMPLE_RECORD, records[0], "v=spf1 -all", records[1]];
        let verifications = message.verify(&zone(name, &records), NOW);
        assert_eq!(words(&verifications), ["pass"]);
    }
    let records = ["v=spf1 -all", wrong.as_str(), EXAMPLE_RECORD];
    let verification = message.verify(&zone(name, &records), NOW).remove(0);
    assert_eq!(said(&verification), (Fail, "signature did not verify"));
}

/// The order of §6.1: trouble with the key before a wrong body, a wrong body before a wrong
/// signature.
#[test]
fn order_of_checks() {
    let signer = Signer::ed25519();
    let wrong_body = |message: &Message| Message { body: b"Bye.\r\n".to_vec(), ..message.clone() };
    let wrong_fields = |message: &Message| message.with_field("From", b" c@example.org");
    let message = signer.sign(&sample(), "");
    let no_key = message::said(&wrong_body(&message).verify(&Zone::new(), NOW)[0]).0;
    assert_eq!(no_key, Permerror);
    for (message, reason) in [
        (wrong_body(&message), "body hash did not verify"),
        (
            wrong_body(&Message::parse(&changed_from(&message))),
            "body hash did not verify, nor did the signature",
        ),
        (Message::parse(&changed_from(&message)), "signature did not verify"),
    ] {
        assert_eq!(said(&signer.verify(&message, "")), (Fail, reason));
    }
    // A field added above the signed one is not signed (§5.4.2), unless it was signed as absent.
    assert_eq!(signer.verify(&wrong_fields(&message), "").result, Pass);
    let oversigned = signer.sign(&sample(), "h=from:from");
    assert_eq!(signer.verify(&oversigned, "").result, Pass);
    assert_eq!(signer.verify(&wrong_fields(&oversigned), "").result, Fail);
}

fn changed_from(message: &Message) -> Vec<u8> {
    String::from_utf8(message.octets()).unwrap().replace("From: a@", "From: b@").into_bytes()
}

/// Repeated fields are taken from the bottom up (§5.4.2), and the signature's own field is none of
/// them (§3.7).
#[test]
fn repeated_fields() {
    let signer = Signer::ed25519();
    let text = b"Received: two\r\nReceived: one\r\nFrom: a@example.org\r\n\r\nHello.\r\n";
    let message = signer.sign(&Message::parse(text), "h=received:from:dkim-signature");
    assert_eq!(signer.verify(&message, "").result, Pass);
    let above = message.with_field("Received", b" three");
    assert_eq!(signer.verify(&above, "").result, Pass);
    let below = String::from_utf8(message.octets()).unwrap().replace("one", "none");
    assert_eq!(signer.verify(&Message::parse(below.as_bytes()), "").result, Fail);
}

/// §3.5 l=: a shorter body fails, a longer one passes and is said not to be covered.
#[test]
fn body_length() {
    let signer = Signer::ed25519();
    let message = signer.sign(&sample(), "l=8");
    let with_body = |body: &[u8]| Message { body: body.to_vec(), ..message.clone() };
    assert!(signer.verify(&with_body(b"Hello.\r\n"), "").covers_body);
    // Empty lines at the end are none of the canonical body.
    assert!(signer.verify(&with_body(b"Hello.\r\n\r\n \r\n"), "").covers_body);
    let appended = signer.verify(&with_body(b"Hello.\r\nBuy!\r\n"), "");
    assert_eq!((appended.result, appended.covers_body), (Pass, false));
    let cut = signer.verify(&with_body(b"Hell\r\n"), "");
    assert_eq!(said(&cut), (Fail, "body is shorter than l="));
    let huge = signer.verify(&signer.sign(&sample(), &format!("l={}", "9".repeat(76))), "");
    assert_eq!(said(&huge), (Fail, "body is shorter than l="));
    let nothing = signer.sign(&sample(), "l=0;bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let nothing = signer.verify(&nothing, "");
    assert_eq!((nothing.result, nothing.covers_body), (Pass, false));
}

/// Two signatures that agree on everything but `bh=` are judged each by its own.
#[test]
fn signatures_with_different_body_hashes() {
    let signer = Signer::ed25519();
    let mut other = sample();
    other.body = b"Another body.\r\n".to_vec();
    let bh = base64(&other.body_hash(Relaxed));
    let zone = zone("s._domainkey.example.org", &[&signer.record("")]);
    let message = signer.sign(&signer.sign(&sample(), ""), &format!("bh={bh}"));
    assert_eq!(words(&message.verify(&zone, NOW)), ["fail", "pass"]);
    let other = Message { body: other.body, ..message };
    assert_eq!(words(&other.verify(&zone, NOW)), ["pass", "fail"]);
}

/// What could be read of an invalid signature is told (RFC 8601's `header.d` and the like).
#[test]
fn claims_of_invalid_fields() {
    let value = b" v=3; a=rsa-sha256; d=EXAMPLE.org; s=sel; i=a@example.org; b=QUJD REVGR0hJ";
    let message = sample().with_field("DKIM-Signature", value);
    let verification = message.verify(&Zone::new(), NOW).remove(0);
    assert_eq!(verification.domain, "example.org");
    assert_eq!(verification.selector.as_deref(), Some("sel"));
    assert_eq!(verification.algorithm.as_deref(), Some("rsa-sha256"));
    assert_eq!(verification.auid.as_deref(), Some("a@example.org"));
    assert_eq!(verification.signature_start.as_deref(), Some("QUJDREVG"));
}

/// RFC 6008 §3: the start of `b=` tells the signatures of a message apart.
#[test]
fn signature_starts_differ() {
    let field = |b: &str| format!(" v=1; a=rsa-sha256; d=example.org; s=s; h=from; bh=x; b={b}");
    let mut message = sample();
    for b in ["AAAAAAAAAABCDEFG", "AAAAAAAAAACCDEFG", "BBBBBBBBBBBBBBBB"] {
        message = message.with_field("DKIM-Signature", field(b).as_bytes());
    }
    let verifications = message.verify(&Zone::new(), NOW);
    let starts: Vec<_> =
        verifications.iter().filter_map(|v| v.signature_start.as_deref()).collect();
    assert_eq!(starts, ["BBBBBBBB", "AAAAAAAAAAC", "AAAAAAAAAAB"]);
}
