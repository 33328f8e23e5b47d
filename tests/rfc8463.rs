//! Ed25519 signatures (RFC 8463), on its own example.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use mailseal::dkim::record::{KeyRecord, PublicKey};
use mailseal::dkim::signing_key::SigningKey;
use message::{Message, Zone, crlf, words, zone};

const MESSAGE: &str = include_str!("data/rfc8463-a3.eml");
const ED25519_RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA_RECORD: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
    iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
    DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
    Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
/// What a PKCS#8 file of the first version has before the seed (RFC 8410 §7).
const PKCS8_ED25519: [u8; 16] = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
/// Appendix A.1.
const ED25519_SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

fn records() -> Zone {
    let mut records = zone("brisbane._domainkey.football.example.com", &[ED25519_RECORD]);
    records.extend(zone("test._domainkey.football.example.com", &[RSA_RECORD]));
    records
}

/// Appendix A.3: both signatures verify.
#[test]
fn the_example_verifies() {
    let message = Message::parse(&crlf(MESSAGE));
    let verifications = message.verify(&records(), 1_528_637_909);
    assert_eq!(words(&verifications), ["pass", "pass"], "{verifications:?}");
    let starts: Vec<_> =
        verifications.iter().map(|v| v.signature_start.as_deref().unwrap()).collect();
    assert_eq!(starts, ["/gCrinpc", "F45dVWDf"]);
    assert!(verifications.iter().all(|v| v.covers_body && v.domain == "football.example.com"));
    assert_eq!(verifications[0].auid.as_deref(), Some("@football.example.com"));
    assert_eq!(verifications[0].algorithm.as_deref(), Some("ed25519-sha256"));
}

/// The signatures are independent of each other (appendix A).
#[test]
fn each_signature_verifies_alone() {
    for lost in ["brisbane", "test"] {
        let mut records = records();
        records.remove(&format!("{lost}._domainkey.football.example.com"));
        let words: Vec<_> = words(&Message::parse(&crlf(MESSAGE)).verify(&records, 1_528_637_909));
        let expected = if lost == "test" { ["pass", "permerror"] } else { ["permerror", "pass"] };
        assert_eq!(words, expected, "without {lost}");
    }
}

#[test]
fn a_changed_message_fails() {
    for (from, to) in [("dinner", "lunch"), ("the game", "a game"), ("Joe.", "Jim.")] {
        let message = Message::parse(&crlf(&MESSAGE.replace(from, to)));
        let verifications = message.verify(&records(), 1_528_637_909);
        assert_eq!(words(&verifications), ["fail", "fail"], "{from} for {to}: {verifications:?}");
    }
}

/// Appendix A.1 and A.2: the public key belongs to the secret one.
#[test]
fn the_public_key_is_that_of_the_secret_key() {
    let seed = base64_decode(ED25519_SEED);
    let der = [&PKCS8_ED25519, seed.as_slice()].concat();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        message::base64(&der)
    );
    let key = SigningKey::from_pem(&pem).unwrap();
    let record = KeyRecord::parse(ED25519_RECORD.as_bytes()).unwrap();
    assert_eq!(record.key, PublicKey::Ed25519(key.public_key().try_into().unwrap()));
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
