//! Messages for the DKIM tests: read from text, crafted, and verified against key records.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;

use mailseal::dkim::Verification;
use mailseal::dkim::canonical::Canonicalization;
use mailseal::dkim::canonical::header::{SignatureField, hash_input};
use mailseal::dkim::digest::{BodyHasher, BodyWant};
use mailseal::dkim::record::{KeyType, dns_text};
use mailseal::dkim::signature::Signature;
use mailseal::dkim::signing_key::{SigningKey, generate_ed25519};
use mailseal::dkim::verify::{Check, KeyLookup, Signatures, begin};
use mailseal::message::header::{Field, HeaderBlock};
use mailseal::result::AuthResult;

/// The time of the crafted messages.
pub const NOW: u64 = 1_800_000_000;

/// What the DNS says of each name; of others, that there is nothing.
pub type Zone = HashMap<String, KeyLookup>;

/// A message in two parts.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub headers: HeaderBlock,
    pub body: Vec<u8>,
}

/// LF becomes CRLF; CRLF stays.
pub fn crlf(text: &str) -> Vec<u8> {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

impl Message {
    /// Splits a message with CRLF line ends.
    pub fn parse(octets: &[u8]) -> Self {
        let mut message = Self::default();
        let mut rest = octets;
        let mut field = Vec::new();
        while !rest.is_empty() {
            let end =
                rest.windows(2).position(|pair| pair == b"\r\n").map_or(rest.len(), |at| at + 2);
            let (line, after) = rest.split_at(end);
            rest = after;
            if line == b"\r\n" {
                break;
            }
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                message.push(&std::mem::take(&mut field));
            }
            field.extend_from_slice(line);
        }
        message.push(&field);
        message.body = rest.to_vec();
        message
    }

    fn push(&mut self, field: &[u8]) {
        let field = field.strip_suffix(b"\r\n").unwrap_or(field);
        if let Some(colon) = field.iter().position(|octet| *octet == b':') {
            self.headers.push(&field[..colon], &field[colon + 1..]);
        }
    }

    /// The message with one more field on top.
    pub fn with_field(&self, name: &str, value: &[u8]) -> Self {
        let mut headers = HeaderBlock::default();
        headers.push(name.as_bytes(), value);
        for field in self.headers.iter() {
            headers.push(field.name, field.value);
        }
        Self { headers, body: self.body.clone() }
    }

    /// The message as it travels.
    pub fn octets(&self) -> Vec<u8> {
        [self.headers.octets(), b"\r\n", &self.body].concat()
    }

    /// What each of its signatures says.
    pub fn verify(&self, zone: &Zone, now: u64) -> Vec<Verification> {
        self.finish(begin(&self.headers, now), zone)
    }

    /// The same for signatures that [`begin`] has seen.
    pub fn finish(&self, signatures: Signatures, zone: &Zone) -> Vec<Verification> {
        let wants = signatures.checks.iter().filter_map(|check| match check {
            Check::Pending(pending) => Some(pending.body_want()),
            Check::Done(_) => None,
        });
        let mut body = BodyHasher::new(wants);
        for chunk in self.body.chunks(1000) {
            body.update(chunk);
        }
        let hashes = body.finish();
        let finish = |check| match check {
            Check::Done(verification) => verification,
            Check::Pending(pending) => {
                let lookup = zone.get(pending.query_name()).unwrap_or(&KeyLookup::NotFound);
                pending.check_key(&self.headers, lookup, 1024).finish(&hashes)
            }
        };
        signatures.checks.into_iter().map(finish).collect()
    }

    /// SHA-256 of its body.
    pub fn body_hash(&self, canonicalization: Canonicalization) -> [u8; 32] {
        let want = BodyWant { canonicalization, length: None };
        let mut hasher = BodyHasher::new([want]);
        hasher.update(&self.body);
        hasher.finish().get(&want).unwrap().sha256
    }
}

/// The word of each result.
pub fn words(verifications: &[Verification]) -> Vec<&'static str> {
    verifications.iter().map(|verification| verification.result.as_str()).collect()
}

/// A zone with one key record.
pub fn zone(name: &str, records: &[&str]) -> Zone {
    let records = records.iter().map(|record| record.as_bytes().to_vec()).collect();
    Zone::from([(name.to_owned(), KeyLookup::Found(records))])
}

/// A signer whose messages may say anything: the tags are signed as they are given.
pub struct Signer {
    pub key: SigningKey,
}

impl Signer {
    pub fn ed25519() -> Self {
        Self { key: SigningKey::from_pem(&generate_ed25519().unwrap()).unwrap() }
    }

    /// The key record, with these tags before `p=`.
    pub fn record(&self, tags: &str) -> String {
        let text = dns_text(KeyType::Ed25519, &self.key.public_key(), false, false);
        text.replace(" p=", &format!("{tags} p="))
    }

    /// A signature with all that is required, and `tags`, which replace those; `d=` alone drops one.
    pub fn sign(&self, message: &Message, tags: &str) -> Message {
        let value = tag_list(message, tags);
        // What is signed must be understood; what is not will not be verified either.
        let placed = format!("{value}AAAA");
        let parsed = Signature::parse(placed.as_bytes());
        let end = value.len();
        let signature = parsed.map_or(vec![1; 64], |parsed| {
            let own = SignatureField {
                field: Field { name: b"DKIM-Signature", value: value.as_bytes() },
                signature_range: end..end,
                index: None,
            };
            let canonicalization = parsed.header_canonicalization;
            let input = hash_input(&message.headers, &parsed.signed_fields, &own, canonicalization);
            self.key.sign(&input).unwrap()
        });
        message.with_field("DKIM-Signature", format!("{value}{}", base64(&signature)).as_bytes())
    }

    /// The only verification of the crafted message, with the key record's `record_tags`.
    pub fn verify(&self, message: &Message, record_tags: &str) -> Verification {
        let zone = zone("s._domainkey.example.org", &[&self.record(record_tags)]);
        let mut verifications = message.verify(&zone, NOW);
        assert_eq!(verifications.len(), 1);
        verifications.remove(0)
    }
}

/// The value of a field up to and with `b=`.
fn tag_list(message: &Message, tags: &str) -> String {
    let bh = base64(&message.body_hash(Canonicalization::Relaxed));
    let defaults = [
        ("v", "1"),
        ("a", "ed25519-sha256"),
        ("c", "relaxed/relaxed"),
        ("d", "example.org"),
        ("s", "s"),
        ("h", "from"),
        ("bh", bh.as_str()),
    ];
    let given =
        |name: &str| tags.split(';').any(|tag| tag.trim_start().starts_with(&format!("{name}=")));
    let mut value = String::new();
    for (name, default) in defaults.into_iter().filter(|(name, _)| !given(name)) {
        value = value + " " + name + "=" + default + ";";
    }
    let dropped = |tag: &str| tag.ends_with('=') && tag.matches('=').count() == 1;
    for tag in tags.split(';').filter(|tag| !tag.is_empty() && !dropped(tag)) {
        value = value + tag + ";";
    }
    value + " b="
}

pub fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

/// A short message.
pub fn sample() -> Message {
    Message::parse(b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hello\r\n\r\nHello.\r\n")
}

/// The result and reason of a verification.
pub fn said(verification: &Verification) -> (AuthResult, &str) {
    (verification.result, verification.reason.as_deref().unwrap_or_default())
}
