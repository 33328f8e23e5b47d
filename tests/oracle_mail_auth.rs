//! mail-auth, another implementation of DKIM and DMARC with other cryptography beneath it, must come
//! to what we come to: what one signs the other verifies, what one refuses the other refuses.
//!
//! Left out, since it is wrong there (RFC 6376 §3.4.2, §3.4.4, §3.5, §3.6.1) and tests/rfc6376.rs
//! holds us to the RFC:
//! - lines of white space alone at the end of a relaxed body, which it keeps;
//! - form feeds in header fields, which it drops; bare CR and LF, which it swallows or takes for a
//!   line's end;
//! - signatures whose `h=` lacks From, which it lets pass; `h=` and `s=` of key records, which it
//!   does not enforce.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{self, DkimSigner};
use mail_auth::dmarc as theirs;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{
    AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
};
use mailseal::auth::dmarc::Policy;
use mailseal::auth::dmarc::record::{Author, Mode, Psd, Record};
use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::record::{KeyRecord, KeyType, dns_text};
use mailseal::dkim::sign::SigningRequest;
use mailseal::dkim::signing_key::{SigningKey, generate_ed25519, generate_rsa};
use message::{Message, words, zone};
use proptest::prelude::*;

const KEY_NAME: &str = "s._domainkey.example.org";
/// mail-auth's bits of `t=y` and `t=s`.
const FLAG_TESTING: u64 = 0x10;
const FLAG_STRICT: u64 = 0x20;
const SIGNED: [&str; 5] = ["From", "To", "Subject", "Date", "X-Odd"];

/// One key in both libraries' hands.
struct Key {
    der: Vec<u8>,
    ours: SigningKey,
}

impl Key {
    fn new(pem: &str) -> Self {
        use base64::Engine as _;
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        Self { der, ours: SigningKey::from_pem(pem).unwrap() }
    }

    fn record(&self) -> String {
        dns_text(self.ours.key_type(), &self.ours.public_key(), false, false)
    }
}

static KEYS: LazyLock<[Key; 2]> = LazyLock::new(|| {
    [generate_rsa(2048).unwrap(), generate_ed25519().unwrap()].map(|p| Key::new(&p))
});

/// The header half and the body half of `c=`.
type Pair = (Canonicalization, Canonicalization);

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn sign(key: &Key, message: &Message, (header, body): Pair) -> Message {
    let names: Vec<String> = SIGNED.map(str::to_owned).to_vec();
    let request = SigningRequest {
        key: &key.ours,
        domain: "example.org",
        selector: "s",
        auid: None,
        header_canonicalization: header,
        body_canonicalization: body,
        fields: &names,
        oversigned: &names[..2],
        body_hash: &message.body_hash(body),
        now: now(),
        expire_secs: Some(3600),
    };
    let value = request.sign(&message.headers).unwrap();
    message.with_field("DKIM-Signature", format!(" {value}").as_bytes())
}

fn sign_with_mail_auth(key: &Key, message: &Message, (header, body): Pair) -> Message {
    let octets = message.octets();
    let field = match key.ours.key_type() {
        KeyType::Rsa => {
            let key = RsaKey::<Sha256>::from_key_der(key.der.clone().try_into().unwrap()).unwrap();
            signer(key, header, body).sign(&octets).unwrap().to_header()
        }
        KeyType::Ed25519 => {
            let key = Ed25519Key::from_pkcs8_der(&key.der).unwrap();
            signer(key, header, body).sign(&octets).unwrap().to_header()
        }
    };
    Message::parse(&[field.as_bytes(), &octets].concat())
}

fn signer<K: mail_auth::common::crypto::SigningKey>(
    key: K,
    header: Canonicalization,
    body: Canonicalization,
) -> DkimSigner<K, dkim::Done> {
    let theirs = |ours| match ours {
        Simple => dkim::Canonicalization::Simple,
        Relaxed => dkim::Canonicalization::Relaxed,
    };
    DkimSigner::from_key(key)
        .domain("example.org")
        .selector("s")
        .headers(SIGNED)
        .header_canonicalization(theirs(header))
        .body_canonicalization(theirs(body))
}

/// Whether we let the message's only signature pass.
fn passes(key: &Key, message: &Message) -> bool {
    words(&message.verify(&zone(KEY_NAME, &[&key.record()]), now())) == ["pass"]
}

/// Whether mail-auth does.
fn passes_mail_auth(key: &Key, message: &Message) -> bool {
    let record = DomainKey::parse(key.record().as_bytes()).unwrap();
    let cache = Cache(HashMap::from([(format!("{KEY_NAME}.").into(), record.into())]));
    let octets = message.octets();
    let parsed = AuthenticatedMessage::parse(&octets).unwrap();
    let parameters = Parameters::new(&parsed).with_txt_cache(&cache);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outputs = runtime.block_on(async {
        // Nothing is asked: the only record is in the cache.
        let resolver =
            MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default());
        resolver.unwrap().verify_dkim(parameters).await
    });
    matches!(&outputs[..], [output] if *output.result() == DkimResult::Pass)
}

struct Cache(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Cache {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// A message with folds and odd white space, but for what is left out.
fn any_message() -> impl Strategy<Value = Message> {
    let piece = prop_oneof![
        "[!-9;-~]{1,12}",
        Just(" ".to_owned()),
        Just("\t ".to_owned()),
        Just("\r\n ".to_owned()),
        Just("\r\n\t".to_owned()),
    ];
    // A line of a fold alone is obsolete (RFC 5322 §4.2), and both libraries read it.
    let value = proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let name = prop_oneof![
        Just("To"),
        Just("to"),
        Just("Subject"),
        Just("SUBJECT"),
        Just("X-Odd"),
        Just("X-Unsigned"),
    ];
    let field = (name, value).prop_map(|(name, value)| format!("{name}: {value}x\r\n"));
    let line = prop_oneof![
        proptest::collection::vec(
            prop_oneof![
                "[!-~]{1,9}",
                Just(" ".to_owned()),
                Just("\t".to_owned()),
                "[\u{80}-\u{fff}]{1,3}"
            ],
            0..9
        )
        .prop_map(|pieces| pieces.concat()),
        Just(String::new()),
    ];
    let fields = proptest::collection::vec(field, 0..6);
    let lines = proptest::collection::vec(line, 0..8);
    (fields, lines, 0..3_usize, any::<bool>()).prop_map(|(fields, lines, empty, ended)| {
        let mut body = lines.join("\r\n");
        let last = body.trim_end_matches("\r\n").rsplit("\r\n").next().unwrap_or_default();
        if !last.is_empty() && last.trim_matches([' ', '\t']).is_empty() {
            // A last line of white space alone: left out.
            body.push('x');
        }
        if ended || empty > 0 {
            body += "\r\n";
        }
        body += &"\r\n".repeat(empty);
        let from = "From: A  B <a@example.org>\r\n";
        Message::parse(format!("{}{from}\r\n{body}", fields.concat()).as_bytes())
    })
}

fn pairs() -> impl Strategy<Value = Pair> {
    let one = || prop_oneof![Just(Simple), Just(Relaxed)];
    (one(), one())
}

/// What happens to mail on its way, and what must not.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// White space is put in or an octet changed, at some place of the header's text or of the body.
    Octet { body: bool, at: usize, into: &'static str },
    /// A field goes, the signature's excepted.
    Lost(usize),
    /// Another field comes on top or at the end.
    Added { top: bool, name: &'static str },
    /// The body is cut or grows.
    Appended(&'static str),
}

fn any_mishap() -> impl Strategy<Value = Mishap> {
    let into = prop_oneof![Just(" "), Just("\t"), Just("  "), Just("z")];
    let name = prop_oneof![Just("To"), Just("From"), Just("Date"), Just("X-Unsigned")];
    prop_oneof![
        (any::<bool>(), any::<usize>(), into).prop_map(|(body, at, into)| Mishap::Octet {
            body,
            at,
            into
        }),
        any::<usize>().prop_map(Mishap::Lost),
        (any::<bool>(), name).prop_map(|(top, name)| Mishap::Added { top, name }),
        prop_oneof![Just("x"), Just("\r\n"), Just("\r\n\r\n"), Just("\r\nx\r\n")]
            .prop_map(Mishap::Appended),
    ]
}

/// The message after a mishap; what is left out does not come of it.
fn after(message: &Message, mishap: Mishap) -> Message {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> =
        message.headers.iter().map(|f| (f.name.to_vec(), f.value.to_vec())).collect();
    let mut body = message.body.clone();
    let is_signature = |name: &[u8]| name.eq_ignore_ascii_case(b"DKIM-Signature");
    let others: Vec<usize> = (0..fields.len()).filter(|&n| !is_signature(&fields[n].0)).collect();
    match mishap {
        Mishap::Octet { body: true, at, into } => put(&mut body, at, into),
        Mishap::Octet { body: false, at, into } => {
            put(&mut fields[others[at % others.len()]].1, at, into);
        }
        Mishap::Lost(at) => drop(fields.remove(others[at % others.len()])),
        Mishap::Added { top, name } => {
            let at = if top { 0 } else { fields.len() };
            fields.insert(at, (name.into(), b" e@example.net".to_vec()));
        }
        Mishap::Appended(text) => body.extend_from_slice(text.as_bytes()),
    }
    let mut headers = mailseal::message::header::HeaderBlock::default();
    for (name, value) in &fields {
        headers.push(name, value);
    }
    Message { headers, body }
}

/// Puts text in where it parts no CRLF; the last line of a body never becomes one of white space.
fn put(octets: &mut Vec<u8>, at: usize, into: &str) {
    let places: Vec<usize> = (0..octets.len())
        .filter(|&n| octets[n].is_ascii_graphic() && octets.get(n + 1) != Some(&b'\r'))
        .collect();
    if let Some(&place) = places.get(at % places.len().max(1)) {
        let after = place + 1;
        octets.splice(after..after, into.bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mail_auth_verifies_what_we_sign(message in any_message(), pair in pairs()) {
        for key in &*KEYS {
            let signed = sign(key, &message, pair);
            prop_assert!(passes_mail_auth(key, &signed), "{}", signed.octets().escape_ascii());
        }
    }

    #[test]
    fn we_verify_what_mail_auth_signs(message in any_message(), pair in pairs()) {
        for key in &*KEYS {
            let signed = sign_with_mail_auth(key, &message, pair);
            prop_assert!(passes(key, &signed), "{}", signed.octets().escape_ascii());
        }
    }

    #[test]
    fn both_refuse_the_same(
        message in any_message(), pair in pairs(), mishap in any_mishap(), by_us: bool,
    ) {
        let key = &KEYS[1];
        let signed = if by_us {
            sign(key, &message, pair)
        } else {
            sign_with_mail_auth(key, &message, pair)
        };
        let changed = after(&signed, mishap);
        prop_assert_eq!(
            passes(key, &changed),
            passes_mail_auth(key, &changed),
            "{}", changed.octets().escape_ascii()
        );
    }
}

#[test]
fn key_records_are_read_alike() {
    let [rsa, ed25519] = &*KEYS;
    let (rsa, ed25519) = (rsa.record(), ed25519.record());
    let p = rsa.split_once("p=").unwrap().1;
    let (start, end) = p.split_at(100);
    for (record, is_key) in [
        (rsa.clone(), true),
        (ed25519.clone(), true),
        (format!("p={p}"), true),
        (format!("v=DKIM1;p={p};"), true),
        (format!("v=DKIM1 ; k = rsa ; p = {start} \t {end} ;"), true),
        (format!("k=rsa; t=y:s; n=note; x_novel=1; p={p}"), true),
        (format!("v=DKIM1; h=sha1:sha256; s=email:*; p={p}"), true),
        ("v=DKIM1; p=".to_owned(), false),
        ("v=DKIM1; k=rsa".to_owned(), false),
        (format!("v=DKIM2; p={p}"), false),
        (format!("v=DKIM1; k=dsa; p={p}"), false),
        (format!("v=DKIM1; k=ed25519; p={p}"), false),
        (ed25519.replace("ed25519", "rsa"), false),
        ("v=spf1 -all".to_owned(), false),
    ] {
        let ours = KeyRecord::parse(record.as_bytes());
        let is_ours = ours.as_ref().is_ok_and(|record| record.key.bits() > 0);
        let theirs = DomainKey::parse(record.as_bytes());
        assert_eq!((is_ours, theirs.is_ok()), (is_key, is_key), "{record}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            let flags = [FLAG_TESTING, FLAG_STRICT].map(|flag| theirs.has_flag(flag));
            assert_eq!([ours.testing, ours.strict], flags, "{record}");
            let bits = theirs.p.public_key_bits();
            assert!(bits == usize::MAX || bits == ours.key.bits() as usize, "{record}");
        }
    }
}

#[test]
fn dmarc_records_are_read_alike() {
    for text in [
        "v=DMARC1; p=none",
        "v=DMARC1;p=reject;",
        "v=DMARC1 ; p = Quarantine ; sp = REJECT",
        "v=DMARC1; p=reject; sp=quarantine; np=none",
        "v=DMARC1; p=none; np=reject",
        "v=DMARC1; p=reject; adkim=s; aspf=r",
        "v=DMARC1; p=reject; adkim=r; aspf=S; t=y",
        "v=DMARC1; p=quarantine; psd=y; t=n",
        "v=DMARC1; p=quarantine; psd=n",
        "v=DMARC1; p=none; psd=u; fo=1:d:s; pct=50; rf=afrf; ri=86400",
        "v=DMARC1; p=reject; x-novel=1; rua=mailto:a@example.org,mailto:b@example.net",
    ] {
        let ours = Record::parse(text.as_bytes()).unwrap();
        let theirs = theirs::Dmarc::parse(text.as_bytes()).unwrap();
        let asked = [Author::Itself, Author::Subdomain, Author::Nonexistent];
        let policies = asked.map(|author| ours.policy(author).unwrap());
        assert_eq!(policies, [theirs.p, theirs.sp, theirs.np].map(policy), "{text}");
        let strict = |mode| mode == theirs::Alignment::Strict;
        assert_eq!(ours.adkim == Mode::Strict, strict(theirs.adkim), "{text}");
        assert_eq!(ours.aspf == Mode::Strict, strict(theirs.aspf), "{text}");
        assert_eq!(ours.is_testing, theirs.t, "{text}");
        let psd = match theirs.psd {
            theirs::Psd::Yes => Psd::Yes,
            theirs::Psd::No => Psd::No,
            theirs::Psd::Default => Psd::Unsaid,
        };
        assert_eq!(ours.psd, psd, "{text}");
        let uris: Vec<_> = theirs.rua.iter().map(|uri| uri.uri().to_owned()).collect();
        assert_eq!(ours.rua.len(), uris.len(), "{text}");
    }
}

fn policy(theirs: theirs::Policy) -> Policy {
    match theirs {
        theirs::Policy::None => Policy::None,
        theirs::Policy::Quarantine => Policy::Quarantine,
        theirs::Policy::Reject => Policy::Reject,
        theirs::Policy::Unspecified => panic!("a record without a policy"),
    }
}
