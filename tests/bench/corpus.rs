//! Mail to measure with: made up, the same in every run, of 20 domains that publish SPF, DKIM and
//! DMARC.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailseal::dkim::canonical::Canonicalization::Relaxed;
use mailseal::dkim::record::dns_text;
use mailseal::dkim::sign::SigningRequest;
use mailseal::dkim::signing_key::{SigningKey, generate_rsa};

use crate::message::Message;

/// Where the mail comes from; the domains' SPF records allow it.
pub const CLIENT: &str = "192.0.2.7";
/// The selector of all domains.
pub const SELECTOR: &str = "rsa";

const DOMAINS: usize = 20;
/// Octets of the bodies of "mixed" mail: half of them under 10 KB, one in fifteen of 1.6 MB.
const MIXED: [usize; 15] = [
    2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 9_000, 10_000, 12_000, 16_000, 24_000, 40_000,
    80_000, 400_000, 1_600_000,
];
/// More octets than these are an attachment.
const TEXT_OCTETS_MAX: usize = 20_000;
/// An encoded line of an attachment, with its end.
const ENCODED_LINE: usize = 78;
const SIGNED_FIELDS: [&str; 7] =
    ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];
const WORDS: [&str; 16] = [
    "invoice", "the", "meeting", "of", "project", "and", "report", "to", "budget", "a", "customer",
    "in", "release", "please", "schedule", "see",
];

/// The domains' one key.
pub struct Key {
    /// As signers read it.
    pub pem: String,
    private: SigningKey,
}

impl Key {
    /// A new RSA key of 2048 bits.
    pub fn generate() -> Self {
        let pem = generate_rsa(2048).unwrap();
        let private = SigningKey::from_pem(&pem).unwrap();
        Self { pem, private }
    }

    /// What the domains publish, as lines of a zone.
    pub fn zone(&self) -> String {
        let key = dns_text(self.private.key_type(), &self.private.public_key(), false, false);
        let mut zone = format!(
            "example SOA 300\n7.2.0.192.in-addr.arpa PTR mail.example\nmail.example A {CLIENT}\n"
        );
        for domain in domains() {
            write!(
                zone,
                "{domain} TXT \"v=spf1 ip4:{CLIENT} -all\"\n\
                 _dmarc.{domain} TXT \"v=DMARC1; p=reject\"\n\
                 {SELECTOR}._domainkey.{domain} TXT \"{key}\"\n"
            )
            .unwrap();
        }
        zone
    }

    /// The message with `count` signatures of its author domain.
    pub fn sign(&self, message: &Message, count: usize) -> Message {
        let domain = author_domain(message);
        let fields = SIGNED_FIELDS.map(str::to_owned);
        let body_hash = message.body_hash(Relaxed);
        let request = SigningRequest {
            key: &self.private,
            domain: &domain,
            selector: SELECTOR,
            auid: None,
            header_canonicalization: Relaxed,
            body_canonicalization: Relaxed,
            fields: &fields,
            oversigned: &["From".to_owned()],
            body_hash: &body_hash,
            now: 1_700_000_000,
            expire_secs: None,
        };
        let value = format!(" {}", request.sign(&message.headers).unwrap());
        let signed = |message: Message, _| message.with_field("DKIM-Signature", value.as_bytes());
        (0..count).fold(message.clone(), signed)
    }
}

/// Whose mail it is.
pub fn domains() -> impl Iterator<Item = String> {
    (0..DOMAINS).map(|number| format!("sender{number:02}.example"))
}

/// Mail of all sizes, as a server sees it.
pub fn mixed() -> Vec<Message> {
    (0..10 * MIXED.len()).map(|number| mail(number, MIXED[number % MIXED.len()])).collect()
}

/// Mail whose bodies have about that many octets.
pub fn sized(count: usize, body_bytes: usize) -> Vec<Message> {
    (0..count).map(|number| mail(number, body_bytes)).collect()
}

/// A text, or a short one with an attachment.
fn mail(number: usize, body_bytes: usize) -> Message {
    if body_bytes <= TEXT_OCTETS_MAX {
        return message(number, body_bytes, 0);
    }
    let mut body = b"--part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n".to_vec();
    body.extend(text(number as u64, 2_000));
    body.extend_from_slice(
        b"--part\r\nContent-Type: application/octet-stream; name=\"report.bin\"\r\n\
          Content-Transfer-Encoding: base64\r\n\
          Content-Disposition: attachment; filename=\"report.bin\"\r\n\r\n",
    );
    let mut random = random(number as u64);
    while body.len() < body_bytes {
        let octets: Vec<u8> = random.by_ref().take((ENCODED_LINE - 2) / 4 * 3).collect();
        body.extend_from_slice(STANDARD.encode(octets).as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--part--\r\n");
    compose(number, "multipart/mixed; boundary=\"part\"", 0, &body)
}

/// One text message, with fields beyond the usual ones.
pub fn message(number: usize, body_bytes: usize, more_fields: usize) -> Message {
    let body = text(number as u64, body_bytes);
    compose(number, "text/plain; charset=utf-8", more_fields, &body)
}

fn compose(number: usize, content_type: &str, more_fields: usize, body: &[u8]) -> Message {
    let domain = domains().nth(number % DOMAINS).unwrap();
    let mut header = format!(
        "Received: from client.{domain} (client.{domain} [{CLIENT}])\r\n\
         \tby mx.example.org with ESMTPS id {number:08}\r\n\
         \tfor <ann@example.org>; Mon, 2 Feb 2026 10:00:00 +0000\r\n\
         From: Joe Sender <joe@{domain}>\r\n\
         To: Ann <ann@example.org>\r\n\
         Subject: The report of week {number}\r\n\
         Date: Mon, 2 Feb 2026 10:00:00 +0000\r\n\
         Message-ID: <{number}.{}@{domain}>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: {content_type}\r\n",
        body.len()
    );
    for field in 0..more_fields {
        write!(header, "X-More-{field}: the value of one more header field\r\n").unwrap();
    }
    let mut octets = header.into_bytes();
    octets.extend_from_slice(b"\r\n");
    octets.extend_from_slice(body);
    Message::parse(&octets)
}

/// The domain of a message of [`message`].
pub fn author_domain(message: &Message) -> String {
    let from = message.headers.named("From").next().unwrap();
    let from = String::from_utf8_lossy(from.value).into_owned();
    from.split_once('@').unwrap().1.trim_end_matches('>').to_owned()
}

/// Lines of words.
fn text(seed: u64, octets: usize) -> Vec<u8> {
    let mut random = random(seed);
    let mut text = Vec::with_capacity(octets + 80);
    let mut line = 0;
    while text.len() < octets {
        let word = WORDS[usize::from(random.next().unwrap() >> 4)];
        text.extend_from_slice(word.as_bytes());
        line += word.len() + 1;
        if line > 70 {
            text.extend_from_slice(b"\r\n");
            line = 0;
        } else {
            text.push(b' ');
        }
    }
    text.truncate(octets.saturating_sub(2));
    text.extend_from_slice(b"\r\n");
    text
}

/// Octets without an end, the same for each seed.
fn random(seed: u64) -> impl Iterator<Item = u8> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(seed), next).skip(1).map(|state| (state >> 56) as u8)
}
