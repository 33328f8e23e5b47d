//! The state file of a domain: what each of its keys is for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::domain::Selector;
use super::sighting::Sighting;
use crate::dkim::record::KeyType;

/// The version of the file's form that this code reads and writes.
const VERSION: u32 = 1;

/// The keys of one domain, in the order in which they were made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DomainState {
    /// The keys.
    pub keys: Vec<KeyEntry>,
}

/// What is known of a key without its private half.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The selector, which is also the file's name.
    pub selector: Selector,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Where the key is in its life.
    pub state: KeyState,
    /// When it came there, in seconds since 1970.
    #[serde(with = "time")]
    pub since: u64,
    /// When it is due to leave, in seconds since 1970, as far as time alone decides that. For a
    /// retiring or revoked key this is a promise: a later, shorter policy does not break it.
    #[serde(default, with = "time_or_none", skip_serializing_if = "Option::is_none")]
    pub due: Option<u64>,
    /// What DNS last showed of the key's record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Sighting>,
}

impl KeyEntry {
    /// A new key: pending, and not yet looked for in DNS.
    pub fn pending(selector: Selector, algorithm: Algorithm, now: u64) -> Self {
        Self { selector, algorithm, state: KeyState::Pending, since: now, due: None, seen: None }
    }
}

/// The algorithm of a key: the `k=` of its record (RFC 6376 §3.6.1, RFC 8463 §4).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RSA.
    Rsa,
    /// Ed25519.
    Ed25519,
}

impl Algorithm {
    /// All of them, in the order in which a message is signed.
    pub const ALL: [Self; 2] = [Self::Rsa, Self::Ed25519];
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Made; its record is to be published.
    Pending,
    /// Signs.
    Active,
    /// No longer signs; its record stays published for mail on the way.
    Retiring,
    /// Its record is published with an empty `p=`.
    Revoked,
    /// Its private half is destroyed.
    Removed,
}

impl From<Algorithm> for KeyType {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rsa => Self::Rsa,
            Algorithm::Ed25519 => Self::Ed25519,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        })
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
        })
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Whether the text has `END` as its last line, so that a text that was cut is noticed.
    #[serde(default)]
    ends: bool,
    version: u32,
    #[serde(default, rename = "key")]
    keys: Vec<KeyEntry>,
}

/// The last line.
const END: &str = "# end\n";

/// Read alone first: a later version's file may differ in all else.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl DomainState {
    /// The state in a file's text; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let message = |error: toml::de::Error| {
            format!("{}; restore it from a backup", error.message().replace('\n', ", "))
        };
        let Version { version } = toml::from_str(text).map_err(message)?;
        if version != VERSION {
            return Err(format!(
                "version {version} was written by another mailseal than this one, which reads \
                 version {VERSION}; install that one"
            ));
        }
        let Written { ends, keys, .. } = toml::from_str(text).map_err(message)?;
        if ends && !text.ends_with(END) {
            return Err("its end is missing; restore it from a backup".to_owned());
        }
        let mut state = Self::default();
        for key in keys {
            if state.entry(&key.selector).is_some() {
                return Err(format!(
                    "selector {} is there twice; restore it from a backup",
                    key.selector
                ));
            }
            state.keys.push(key);
        }
        Ok(state)
    }

    /// The file's text.
    ///
    /// # Panics
    /// Never: all fields are integers, plain strings and times before the year 10000.
    pub fn to_text(&self) -> String {
        let written = Written { ends: true, version: VERSION, keys: self.keys.clone() };
        let text = toml::to_string(&written).expect("every value has a form in TOML");
        format!("# Written by mailseal; change it with mailseal keys.\n{text}{END}")
    }

    /// The key of that selector.
    pub fn entry(&self, selector: &Selector) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.selector == *selector)
    }

    /// The key of that selector, to be changed.
    pub(super) fn entry_mut(&mut self, selector: &Selector) -> Option<&mut KeyEntry> {
        self.keys.iter_mut().find(|key| key.selector == *selector)
    }

    /// The key that signs with an algorithm.
    pub fn active(&self, algorithm: Algorithm) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.algorithm == algorithm && key.state == KeyState::Active)
    }
}

/// Seconds since 1970 as people read times (RFC 3339).
pub fn rfc3339(secs: u64) -> String {
    mail_parser::DateTime::from_timestamp(secs.min(SECS_MAX).cast_signed()).to_rfc3339()
}

/// The end of the year 9999, where RFC 3339 ends.
const SECS_MAX: u64 = 253_402_300_799;

/// A time as TOML's date-time.
pub(super) mod time {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de, ser};
    use toml::value::Datetime;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field so")]
    pub(in crate::keys) fn serialize<S: Serializer>(secs: &u64, to: S) -> Result<S::Ok, S::Error> {
        let time: Datetime = super::rfc3339(*secs).parse().map_err(ser::Error::custom)?;
        time.serialize(to)
    }

    pub(in crate::keys) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<u64, D::Error> {
        let time = Datetime::deserialize(from)?.to_string();
        let secs = mail_parser::DateTime::parse_rfc3339(&time).map(|time| time.to_timestamp());
        secs.and_then(|secs| u64::try_from(secs).ok())
            .ok_or_else(|| de::Error::custom("a time has a date, a time of day and an offset"))
    }
}

/// A time that may be missing.
pub(super) mod time_or_none {
    use serde::{Deserializer, Serializer};

    use super::time;

    #[expect(clippy::ref_option, reason = "serde passes every field so")]
    pub(in crate::keys) fn serialize<S: Serializer>(
        secs: &Option<u64>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match secs {
            Some(secs) => time::serialize(secs, to),
            None => to.serialize_none(),
        }
    }

    /// What is written is read; what is missing never comes here.
    pub(in crate::keys) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<u64>, D::Error> {
        time::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sighting::{Observation, Shown};

    /// What the first version of mailseal wrote.
    const FIRST: &str = "\
# Written by mailseal; change it with mailseal keys.
version = 1

[[key]]
selector = \"s2026-11-a\"
algorithm = \"rsa\"
state = \"active\"
since = 2026-11-21T11:47:00Z
";

    const TEXT: &str = "\
# Written by mailseal; change it with mailseal keys.
ends = true
version = 1

[[key]]
selector = \"s2026-11-a\"
algorithm = \"rsa\"
state = \"active\"
since = 2026-11-21T11:47:00Z
due = 2027-05-20T11:47:00Z

[key.seen]
asked = 2026-11-22T11:47:00Z
negative_secs = 3600

[[key.seen.server]]
server = \"192.0.2.1\"
shows = \"right\"
since = 2026-11-21T11:47:00Z
right_since = 2026-11-21T11:47:00Z

[[key.seen.server]]
server = \"192.0.2.2\"
shows = \"silent\"
since = 2026-11-22T11:47:00Z
# end
";

    fn seen() -> KeyEntry {
        const DAY: u64 = 24 * 3600;
        let first = entry().since;
        let mut key = entry();
        key.due = Some(first + 180 * DAY);
        for (asked, second) in [(first, Shown::Wrong), (first + DAY, Shown::Silent)] {
            let servers =
                vec![("192.0.2.1".to_owned(), Shown::Right), ("192.0.2.2".to_owned(), second)];
            let observation = Observation { asked, servers, negative_secs: Some(3600) };
            key.seen = Some(Sighting::after(key.seen.as_ref(), &observation));
        }
        key
    }

    fn entry() -> KeyEntry {
        let selector = Selector::parse("s2026-11-a").unwrap();
        let pending = KeyEntry::pending(selector, Algorithm::Rsa, 1_795_261_620);
        KeyEntry { state: KeyState::Active, ..pending }
    }

    #[test]
    fn the_file_reads_back() {
        let state = DomainState { keys: vec![seen()] };
        assert_eq!(state.to_text(), TEXT);
        assert_eq!(DomainState::parse(TEXT), Ok(state));
        assert_eq!(DomainState::parse(FIRST), Ok(DomainState { keys: vec![entry()] }));
        assert_eq!(DomainState::parse("version = 1"), Ok(DomainState::default()));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused() {
        for end in 0..TEXT.len() {
            assert!(DomainState::parse(&TEXT[..end]).is_err(), "{}", &TEXT[..end]);
        }
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        for (text, said) in [
            ("", "missing field `version`"),
            ("version = 2\nnovel = true", "version 2"),
            ("version = 1\nnovel = true", "unknown field `novel`"),
            (&format!("{FIRST}{}", &FIRST[FIRST.find("\n[[").unwrap()..]), "twice"),
            (&TEXT.replace("s2026", "a/"), "is not a name"),
            (&TEXT.replace("T11:47:00Z", ""), "a time has"),
            (&TEXT.replace("2026-11-21T", "1960-11-21T"), "a time has"),
            (&TEXT.replace("active", "alive"), "unknown variant"),
        ] {
            let reason = DomainState::parse(text).unwrap_err();
            assert!(reason.contains(said), "{text}: {reason}");
        }
    }
}
