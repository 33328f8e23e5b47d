//! Signing: what is signed verifies, after an MTA's refolding too, and says what it should.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use std::sync::LazyLock;

use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::record::{KeyRecord, KeyType, PublicKey, dns_text};
use mailseal::dkim::sign::{SignError, SigningRequest};
use mailseal::dkim::signature::Signature;
use mailseal::dkim::signing_key::{KeyError, SigningKey, generate_ed25519, generate_rsa};
use message::{Message, NOW, base64, words, zone};

static RSA_PEM: LazyLock<String> = LazyLock::new(|| generate_rsa(2048).unwrap());

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

struct Case {
    key: SigningKey,
    fields: Vec<String>,
    oversigned: Vec<String>,
    message: Message,
}

impl Case {
    fn new(key: SigningKey) -> Self {
        let text = "Received: by mx\r\nFrom: \"A. B.\"  <a@example.org>\r\nTo: b@example.net,\r\n\
            \t c@example.net \r\nSubject:  hello \tworld\r\nCc:\r\nTo: d@example.net\r\n\r\n\
            Hello,  world.\r\n \r\n\r\n";
        Self {
            key,
            fields: names(&["From", "To", "Subject", "Cc", "Date"]),
            oversigned: names(&["from", "Subject", "Reply-To"]),
            message: Message::parse(text.as_bytes()),
        }
    }

    fn request<'a>(
        &'a self,
        canonicalizations: (Canonicalization, Canonicalization),
        body_hash: &'a [u8; 32],
    ) -> SigningRequest<'a> {
        SigningRequest {
            key: &self.key,
            domain: "example.org",
            selector: "s2026-11-a",
            auid: Some("@mail.example.org"),
            header_canonicalization: canonicalizations.0,
            body_canonicalization: canonicalizations.1,
            fields: &self.fields,
            oversigned: &self.oversigned,
            body_hash,
            now: NOW,
            expire_secs: Some(7 * 86_400),
        }
    }

    fn value(&self, canonicalizations: (Canonicalization, Canonicalization)) -> String {
        let body_hash = self.message.body_hash(canonicalizations.1);
        self.request(canonicalizations, &body_hash).sign(&self.message.headers).unwrap()
    }

    /// The result of verifying the message with that field.
    fn verify(&self, value: &str) -> &'static str {
        let public = self.key.public_key();
        let record = dns_text(self.key.key_type(), &public, false, false);
        let zone = zone("s2026-11-a._domainkey.example.org", &[&record]);
        let signed = self.message.with_field("DKIM-Signature", format!(" {value}").as_bytes());
        words(&signed.verify(&zone, NOW))[0]
    }
}

fn cases() -> [Case; 2] {
    let ed25519 = generate_ed25519().unwrap();
    [&*RSA_PEM, &ed25519].map(|pem| Case::new(SigningKey::from_pem(pem).unwrap()))
}

const PAIRS: [(Canonicalization, Canonicalization); 4] =
    [(Relaxed, Relaxed), (Relaxed, Simple), (Simple, Relaxed), (Simple, Simple)];

#[test]
fn what_is_signed_verifies() {
    for case in cases() {
        for pair in PAIRS {
            let value = case.value(pair);
            assert_eq!(case.verify(&value), "pass", "{pair:?} {value}");
            assert_eq!(case.verify(&value.replace("t=18", "t=17")), "fail");
        }
    }
}

/// Each instance that is there, and one more of the oversigned ones.
#[test]
fn signed_fields() {
    let [case, _] = cases();
    let signature = Signature::parse(case.value(PAIRS[0]).as_bytes()).unwrap();
    assert_eq!(
        signature.signed_fields,
        names(&["from", "from", "to", "to", "subject", "subject", "cc", "reply-to"])
    );
    assert_eq!(signature.expiration, Some(NOW + 7 * 86_400));
    assert_eq!(signature.timestamp, Some(NOW));
    assert_eq!(signature.length, None);
}

/// None that is oversigned can be added, nor one that is signed be taken away.
#[test]
fn added_and_removed_fields() {
    for mut case in cases() {
        let value = case.value(PAIRS[0]);
        let original = case.message.clone();
        for name in ["From", "Subject", "Reply-To"] {
            case.message = original.with_field(name, b" x");
            assert_eq!(case.verify(&value), "fail", "{name} added");
        }
        for line in ["Cc:\r\n", "To: d@example.net\r\n"] {
            let text = String::from_utf8(original.octets()).unwrap().replace(line, "");
            case.message = Message::parse(text.as_bytes());
            assert_eq!(case.verify(&value), "fail", "{line} removed");
        }
        case.message = original.with_field("Received", b" by another");
        assert_eq!(case.verify(&value), "pass", "what is not signed may come");
    }
}

/// Lines are short enough that no MTA folds them, and a relaxed signature bears it if one does.
#[test]
fn folds() {
    for mut case in cases() {
        case.oversigned.extend((0..50).map(|number| format!("X-Quite-Long-Name-{number}")));
        let value = case.value(PAIRS[0]);
        let field = format!("DKIM-Signature: {value}");
        let longest = field.split("\r\n").map(str::len).max().unwrap();
        assert!(longest <= 78, "{longest}: {field}");
        assert!(field.split("\r\n").skip(1).all(|line| line.starts_with('\t')), "{field}");
        for refolded in [
            value.replace("\r\n\t", " "),
            value.replace("\r\n\t", "\r\n        "),
            value.replace(' ', "\r\n "),
            value.replace(' ', " \t"),
            format!("{value} "),
        ] {
            assert_eq!(case.verify(&refolded), "pass", "{refolded}");
        }
    }
}

/// Names of the DNS may be spelt in either case.
#[test]
fn names_in_upper_case() {
    let [_, case] = cases();
    let body_hash = case.message.body_hash(Relaxed);
    let request = case.request(PAIRS[0], &body_hash);
    let request = SigningRequest { domain: "Example.ORG", selector: "S2026-11-A", ..request };
    let value = request.sign(&case.message.headers).unwrap();
    assert!(value.contains("d=Example.ORG;"), "{value}");
    assert_eq!(case.verify(&value), "pass");
}

#[test]
fn requests_that_cannot_be_met() {
    let [_, case] = cases();
    let request = case.request(PAIRS[0], &[0; 32]);
    let sign = |request: SigningRequest<'_>| request.sign(&case.message.headers).unwrap_err();
    for domain in ["", "org", "example.org.", "exämple.org", "exa\r\nmple.org", "bücher.example"]
    {
        assert_eq!(sign(SigningRequest { domain, ..request.clone() }), SignError::Value("d"));
    }
    for selector in ["", "a;b", "a b", "../a", "ä"] {
        assert_eq!(sign(SigningRequest { selector, ..request.clone() }), SignError::Value("s"));
    }
    for auid in ["a;b@example.org", "a b@example.org", "@example.com", "example.org", "\r\n"] {
        let request = SigningRequest { auid: Some(auid), ..request.clone() };
        assert_eq!(sign(request), SignError::Value("i"), "{auid}");
    }
    for field in ["", "a b", "x\r\ny", "a:b", "a;b"] {
        let fields = names(&["from", field]);
        let request = SigningRequest { oversigned: &fields, ..request.clone() };
        assert_eq!(sign(request), SignError::Value("h"), "{field:?}");
    }
    let none = SigningRequest { fields: &[], oversigned: &[], ..request.clone() };
    assert_eq!(sign(none), SignError::FromNotSigned);
    let many = names(&["from", "x"]);
    let text = format!("From: a\r\n{}", "X: y\r\n".repeat(1000));
    let headers = Message::parse(text.as_bytes()).headers;
    let many = SigningRequest { fields: &many, ..request };
    assert_eq!(many.sign(&headers).unwrap_err(), SignError::FieldsTooMany);
}

/// The record of a key is read back as that key (RFC 6376 §3.6.1, RFC 8463 §4.2).
#[test]
fn records_of_keys() {
    for Case { key, .. } in cases() {
        let (key_type, public) = (key.key_type(), key.public_key());
        let text = dns_text(key_type, &public, true, true);
        let record = KeyRecord::parse(text.as_bytes()).unwrap();
        assert!(record.strict && record.testing && record.accepts_sha256);
        assert_eq!(Some(record.key), PublicKey::from_octets(key_type, &public));
        let text = dns_text(key_type, &public, false, false);
        let start = format!("v=DKIM1; k={}; p=", key_type.as_str());
        assert_eq!(text, start.clone() + &base64(&public));
        let record = KeyRecord::parse(text.as_bytes()).unwrap();
        assert!(!record.strict && !record.testing);
        assert_eq!(record.key.bits(), key.bits());
        let revoked = dns_text(key_type, &[], false, false);
        assert_eq!(revoked, start);
        assert_eq!(KeyRecord::parse(revoked.as_bytes()).unwrap().key, PublicKey::Revoked);
    }
}

/// OpenSSL's older form of RSA keys is read too.
#[test]
fn pkcs1() {
    // PKCS#8 is a header of 26 octets before the same key in PKCS#1.
    let der = decode(RSA_PEM.lines().filter(|line| !line.starts_with('-')).collect());
    let body = base64(&der[26..]);
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n");
    let key = SigningKey::from_pem(&pem).unwrap();
    assert_eq!(key.public_key(), SigningKey::from_pem(&RSA_PEM).unwrap().public_key());
    assert_eq!((key.key_type(), key.bits()), (KeyType::Rsa, 2048));
}

fn decode(text: String) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[test]
fn files_that_are_no_keys() {
    let block = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let der = base64(b"\x30\x03\x02\x01\x00");
    for (pem, error) in [
        (String::new(), KeyError::Pem),
        ("nonsense".into(), KeyError::Pem),
        (RSA_PEM[..RSA_PEM.len() / 2].into(), KeyError::Pem),
        (block("PUBLIC KEY", &der), KeyError::Pem),
        (block("PRIVATE KEY", "%%%"), KeyError::Pem),
        (block("PRIVATE KEY", &der), KeyError::Unusable),
        (block("RSA PRIVATE KEY", &der), KeyError::Unusable),
        (block("ENCRYPTED PRIVATE KEY", &der), KeyError::Encrypted),
        (block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA"), KeyError::Encrypted),
    ] {
        assert_eq!(SigningKey::from_pem(&pem).unwrap_err(), error, "{pem}");
    }
    assert_eq!(generate_rsa(1024).unwrap_err(), KeyError::Size);
}

/// A key shows nothing of itself where it is printed by mistake.
#[test]
fn debug_hides_the_key() {
    let [rsa, ed25519] = cases();
    assert_eq!(format!("{:?}", rsa.key), "SigningKey(Rsa)");
    assert_eq!(format!("{:?}", ed25519.key), "SigningKey(Ed25519)");
    let request = format!("{:?}", ed25519.request(PAIRS[0], &[0; 32]));
    assert!(request.contains("key: SigningKey(Ed25519)"), "{request}");
}
