//! Personal data in the log: mail addresses, users, clients' addresses and names.
//!
//! Where it is hashed, each becomes `~` and twelve hexadecimal digits of its HMAC-SHA-256 (RFC 2104)
//! in lower case; of a mail address the domain stays. Equal ones stay equal for as long as the key
//! lives: that of a file, or one made at start that nobody ever sees.
//!
//! Failure: without the key's file there is no log that hashes, and so no start and no reload.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwapOption;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::config::{PersonalData, Telemetry};
use crate::keys::{StoreError, read_private};
use crate::text;

/// What stands before a hash.
const MARK: char = '~';
/// Octets of a hash that are shown: enough that no two of a million are likely to be equal.
const HASH_OCTETS: usize = 6;
/// Octets of a key, at least.
const KEY_OCTETS_MIN: usize = 16;
/// A key file has some 50.
const KEY_FILE_BYTES_MAX: u64 = 4096;
/// The names of our own fields that may stand before an address, with `=`.
const FIELDS: [&str; 9] =
    ["sender", "from", "user", "client", "message_id", "reply", "error", "reasons", "message"];

/// Why personal data cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PersonalError {
    /// The key file cannot be read, or others can read it.
    #[error("telemetry.personal_data_key: {0}")]
    File(StoreError),
    /// It holds too little.
    #[error(
        "telemetry.personal_data_key: {}: has fewer than {KEY_OCTETS_MIN} octets; openssl rand -hex 32 makes a key",
        crate::file::plain(.0)
    )]
    Short(PathBuf),
}

/// Hashes what is personal; `None` in [`IN_FORCE`] where it is logged plain.
#[derive(Debug)]
pub(super) struct Hasher {
    key: hmac::Key,
}

/// What is in force, for all of the process as the log is.
static IN_FORCE: LazyLock<ArcSwapOption<Hasher>> = LazyLock::new(ArcSwapOption::empty);

/// The key where no file has one: of this process alone.
static OF_PROCESS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut key = vec![0; 32];
    // Where the system has no randomness, nothing else of the daemon works either.
    let _ = SystemRandom::new().fill(&mut key);
    key
});

/// Logs from now on as the configuration says.
pub(super) fn apply(config: &Telemetry) -> Result<(), PersonalError> {
    IN_FORCE.store(hasher(config)?.map(Arc::new));
    Ok(())
}

/// What hashes, where the configuration wants that.
pub(super) fn hasher(config: &Telemetry) -> Result<Option<Hasher>, PersonalError> {
    Ok(match (config.personal_data, &config.personal_data_key) {
        (PersonalData::Plain, _) => None,
        (PersonalData::Hashed, None) => Some(Hasher::new(&OF_PROCESS)),
        (PersonalData::Hashed, Some(path)) => Some(Hasher::read(path)?),
    })
}

/// Whether personal data is hashed.
pub(super) fn is_hashed() -> bool {
    IN_FORCE.load().is_some()
}

/// One name or address of a person or a client, for the log.
pub(super) fn one(name: &str) -> String {
    match &*IN_FORCE.load() {
        _ if name.is_empty() => String::new(),
        Some(hasher) => hasher.one(name),
        None => text::visible(name),
    }
}

/// What somebody wrote, such as the text that a rule matched.
pub(super) fn content(written: &str) -> String {
    match &*IN_FORCE.load() {
        Some(hasher) => hasher.hash(written),
        None => written.to_owned(),
    }
}

/// A sentence of ours in which the `known` names may stand, and mail addresses.
pub(super) fn sentence<'a>(sentence: &'a str, known: &[String]) -> Cow<'a, str> {
    match &*IN_FORCE.load() {
        Some(hasher) => {
            let mut said = Cow::Borrowed(sentence);
            for name in known {
                let hash = hasher.one(name);
                for form in forms(name) {
                    said = Cow::Owned(replace_words(&said, &form, &hash));
                }
            }
            Cow::Owned(hasher.addresses(&said).unwrap_or_else(|| said.into_owned()))
        }
        None => Cow::Borrowed(sentence),
    }
}

/// A whole line of the log, where there is something to hash in it.
pub(super) fn line(line: &str) -> Option<String> {
    IN_FORCE.load().as_ref().and_then(|hasher| hasher.addresses(line))
}

impl Hasher {
    fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    fn read(path: &Path) -> Result<Self, PersonalError> {
        let text = read_private(path, KEY_FILE_BYTES_MAX).map_err(PersonalError::File)?;
        let key = text.trim();
        if key.len() < KEY_OCTETS_MIN {
            return Err(PersonalError::Short(path.to_owned()));
        }
        Ok(Self::new(key.as_bytes()))
    }

    fn hash(&self, text: &str) -> String {
        let tag = hmac::sign(&self.key, text.to_lowercase().as_bytes());
        let mut hash = String::from(MARK);
        for octet in tag.as_ref().iter().take(HASH_OCTETS) {
            // Writing to a string cannot fail.
            let _ = write!(hash, "{octet:02x}");
        }
        hash
    }

    /// A mail address keeps its domain.
    fn one(&self, name: &str) -> String {
        match name.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() => {
                format!("{}@{}", self.hash(name), text::visible(domain))
            }
            _ => self.hash(name),
        }
    }

    /// The text with its mail addresses hashed; `None` where there are none.
    fn addresses(&self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        let mut done = 0;
        for (at, _) in text.match_indices('@') {
            let Some(local) = text.get(done..at).map(local_part) else { continue };
            let domain = domain(&text[at + 1..]);
            if local.is_empty() || domain.is_empty() || is_hash(local) {
                continue;
            }
            let start = at - local.len();
            let hash = self.hash(&format!("{local}@{domain}"));
            let out = out.get_or_insert_default();
            out.push_str(&text[done..start]);
            out.push_str(&hash);
            done = at;
        }
        let mut out = out?;
        out.push_str(&text[done..]);
        Some(out)
    }
}

/// What at the end of a text can be a local part (RFC 5322 §3.2.3), without the name of a field of
/// the log.
fn local_part(text: &str) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~\\".contains(c);
    let start = text.char_indices().rev().take_while(|(_, c)| is_part(*c)).last();
    let local = start.map_or("", |(start, _)| &text[start..]);
    let after_field = |field: &str| local.strip_prefix(field)?.strip_prefix('=');
    FIELDS.iter().find_map(|field| after_field(field)).unwrap_or(local)
}

fn domain(text: &str) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || ".-_[]:".contains(c);
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':'])
}

/// A name as it can stand in a sentence: as it is, and made safe to show.
fn forms(name: &str) -> impl Iterator<Item = String> {
    let safe = [text::visible(name), text::shown(name)];
    let is_name = |form: &String| form.contains(char::is_alphanumeric);
    std::iter::once(name.to_owned())
        .chain(safe.into_iter().filter(move |form| form.as_str() != name && is_name(form)))
}

/// Whether it was hashed before.
fn is_hash(local: &str) -> bool {
    let digits = local.strip_prefix(MARK).unwrap_or_default();
    digits.len() == 2 * HASH_OCTETS && digits.bytes().all(|octet| octet.is_ascii_hexdigit())
}

/// Puts another text in the place of a name where no letter or digit goes on.
fn replace_words(text: &str, name: &str, other: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name).filter(|_| !name.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let goes_on = before.ends_with(char::is_alphanumeric)
            || after.starts_with(char::is_alphanumeric)
            // Of the hash that another name has become.
            || before.ends_with(MARK);
        out.push_str(before);
        out.push_str(if goes_on { name } else { other });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hasher() -> Hasher {
        Hasher::new(b"0123456789abcdef")
    }

    /// `printf %s joe@example.org | openssl dgst -sha256 -hmac 0123456789abcdef`
    #[test]
    fn a_hash_can_be_made_with_openssl() {
        assert_eq!(hasher().one("Joe@example.org"), "~5af3e3d0b05b@example.org");
        assert_eq!(hasher().one("192.0.2.1"), "~834648f6724c");
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let hashed = |text: &str| hasher().addresses(text).unwrap_or_else(|| text.to_owned());
        let joe = hasher().one("joe@example.org");
        for (text, wanted) in [
            ("mail from <joe@example.org>, and on", format!("mail from <{joe}>, and on")),
            ("sender=joe@example.org", format!("sender={joe}")),
            (r#"{"sender":"JOE@example.org"}"#, format!(r#"{{"sender":"{joe}"}}"#)),
            ("joe@example.org.", format!("{joe}.")),
            ("@example.org and a @ b", "@example.org and a @ b".to_owned()),
        ] {
            assert_eq!(hashed(text), wanted);
        }
        let verp = hashed("list-bounce+joe=example.net@lists.example.org");
        assert!(!verp.contains("joe") && verp.ends_with("@lists.example.org"), "{verp}");
        assert_eq!(hashed(&joe), joe, "hashed once");
    }

    #[test]
    fn known_names_are_replaced_as_words() {
        assert_eq!(replace_words("192.0.2.1 and 192.0.2.10", "192.0.2.1", "X"), "X and 192.0.2.10");
        assert_eq!(replace_words("authenticated as in", "in", "X"), "authenticated as X");
        assert_eq!(replace_words("~ab", "ab", "X"), "~ab");
        assert_eq!(replace_words("a", "", "X"), "a");
    }

    proptest! {
        #[test]
        fn no_local_part_is_left(text in "[a-c@.=~<> \u{e4}\\n]{0,40}") {
            if let Some(hashed) = hasher().addresses(&text) {
                prop_assert!(hasher().addresses(&hashed).is_none(), "{hashed}");
            }
        }
    }
}
