//! The keys that all parties sign with, and the records by which they verify.

use std::fs;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::record::dns_text;
use mailseal::dkim::sign::SigningRequest;
use mailseal::dkim::signing_key::{SigningKey, generate_ed25519, generate_rsa};

use crate::message::{Message, Zone};

/// Whose mail is signed.
pub(crate) const DOMAIN: &str = "example.org";

/// When we sign; past for those who look at the clock.
const SIGNED_AT: u64 = 1_700_000_000;

const FIELDS: [&str; 10] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Reply-To",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "X-Odd",
];

/// An algorithm and a pair of canonicalizations; its selector is a name of its own.
#[derive(Clone)]
pub(crate) struct Form {
    pub algorithm: &'static str,
    pub header: Canonicalization,
    pub body: Canonicalization,
    pub selector: String,
}

pub(crate) struct Keys {
    rsa: Key,
    ed25519: Key,
}

struct Key {
    pem: String,
    private: SigningKey,
    record: String,
}

/// Both algorithms with all four pairs.
pub(crate) fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for (algorithm, short) in [("rsa-sha256", "rsa"), ("ed25519-sha256", "ed25519")] {
        for (header, body) in
            [(Relaxed, Relaxed), (Relaxed, Simple), (Simple, Relaxed), (Simple, Simple)]
        {
            let selector = format!("{short}-{}-{}", header.as_str(), body.as_str());
            forms.push(Form { algorithm, header, body, selector });
        }
    }
    forms
}

impl Form {
    pub(crate) fn is_rsa(&self) -> bool {
        self.algorithm == "rsa-sha256"
    }
}

impl Keys {
    pub(crate) fn generate() -> Self {
        Self {
            rsa: Key::new(generate_rsa(2048).unwrap()),
            ed25519: Key::new(generate_ed25519().unwrap()),
        }
    }

    fn of(&self, form: &Form) -> &Key {
        if form.is_rsa() { &self.rsa } else { &self.ed25519 }
    }

    pub(crate) fn pem(&self, form: &Form) -> &str {
        &self.of(form).pem
    }

    /// The Ed25519 key as dkimpy takes it: its 32 octets in base64.
    pub(crate) fn seed(&self) -> String {
        BASE64_STANDARD.encode(self.seed_octets())
    }

    /// The Ed25519 key as rspamd takes it: the private and the public half in base64.
    pub(crate) fn halves(&self) -> String {
        let public = self.ed25519.private.public_key();
        BASE64_STANDARD.encode([self.seed_octets(), public].concat())
    }

    fn seed_octets(&self) -> Vec<u8> {
        // They are the last of PKCS#8.
        let text: String = self.ed25519.pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(text).unwrap();
        der[der.len() - 32..].to_vec()
    }

    /// The private key in a file of `dir`.
    pub(crate) fn write_pem(&self, form: &Form, dir: &Path) -> PathBuf {
        let path = dir.join(format!("{}.pem", form.selector));
        fs::write(&path, self.pem(form)).unwrap();
        path
    }

    /// The names and texts of all key records.
    pub(crate) fn records(&self) -> Vec<(String, String)> {
        let name = |form: &Form| format!("{}._domainkey.{DOMAIN}", form.selector);
        forms().iter().map(|form| (name(form), self.of(form).record.clone())).collect()
    }

    /// The records as our verification takes them.
    pub(crate) fn zone(&self) -> Zone {
        self.records().iter().flat_map(|(name, text)| crate::message::zone(name, &[text])).collect()
    }

    /// The message with our signature on top.
    pub(crate) fn sign(&self, form: &Form, message: &Message) -> Message {
        self.sign_for(DOMAIN, form, message)
    }

    /// The same for another domain.
    pub(crate) fn sign_for(&self, domain: &str, form: &Form, message: &Message) -> Message {
        let fields = FIELDS.map(str::to_owned);
        let request = SigningRequest {
            key: &self.of(form).private,
            domain,
            selector: &form.selector,
            auid: None,
            header_canonicalization: form.header,
            body_canonicalization: form.body,
            fields: &fields,
            oversigned: &["From".to_owned(), "Subject".to_owned()],
            body_hash: &message.body_hash(form.body),
            now: SIGNED_AT,
            expire_secs: None,
        };
        let value = request.sign(&message.headers).unwrap();
        message.with_field("DKIM-Signature", format!(" {value}").as_bytes())
    }

    /// The message with a signature of every form.
    pub(crate) fn sign_in_all_forms(&self, message: &Message) -> Message {
        forms().iter().fold(message.clone(), |signed, form| self.sign(form, &signed))
    }
}

impl Key {
    fn new(pem: String) -> Self {
        let private = SigningKey::from_pem(&pem).unwrap();
        let record = dns_text(private.key_type(), &private.public_key(), false, false);
        Self { pem, private, record }
    }
}
