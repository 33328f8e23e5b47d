//! What a name ought to show against what its servers do show. Pure: an observation in, faults out.
//!
//! Key records are compared as verifiers read them (RFC 6376 §3.6.1, §3.6.2.2): another order of
//! tags, a note or a split elsewhere is no fault.

use std::fmt;
use std::net::SocketAddr;

use super::observation::{Answer, Observation, Shown, Txt};
use super::wanted::Kind;
use crate::auth::{dmarc, spf};
use crate::dkim::record::{KeyRecord, PublicKey};
use crate::dkim::tags::TagList;
use crate::text::visible;

/// So many octets of a record are shown in a fault.
const SHOWN_BYTES_MAX: usize = 120;

/// What the TXT records of a name ought to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The name, without its final dot.
    pub name: String,
    /// What it ought to show.
    pub content: Content,
    /// The longest time to live that is no fault.
    pub ttl_secs_max: Option<u32>,
}

/// The content of the one record that is looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// This key, or an empty `p=`.
    Key(KeyRecord),
    /// No record at all.
    Nothing,
    /// One DMARC record, with these tags where they are known.
    Dmarc(Option<String>),
    /// One SPF record, with these terms where they are known.
    Spf(Option<String>),
    /// One record of the version with which this text begins (`v=TLSRPTv1`), and with its tags.
    Text(String),
}

/// What is wrong with what a server shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// There is no record.
    Missing,
    /// There is a record of a key that is no longer in the store.
    Left,
    /// The record says something else.
    Different,
    /// The key is revoked in DNS and not in the store.
    Revoked,
    /// The key is revoked in the store and not in DNS.
    NotRevoked,
    /// There are this many records where one may be.
    Several(usize),
    /// Quotes or backslashes stand in the text itself.
    Quoting,
    /// White space stands inside the key.
    Blanks,
    /// It is no record of its kind, for this reason.
    Invalid(String),
    /// The key record shuts our signatures out, for this reason.
    Unusable(&'static str),
    /// `t=s` is there and was not asked for.
    Strict,
    /// The answer does not fit UDP, and TCP failed for this cause.
    Truncated(String),
    /// The time to live, and the longest that is none.
    Ttl(u32, u32),
}

/// A fault of one server's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The server's name.
    pub server: String,
    /// Where it was asked.
    pub addr: Option<SocketAddr>,
    /// The name that it was asked for.
    pub name: String,
    /// What is wrong.
    pub kind: FaultKind,
    /// The record as it is shown, made safe to print; empty where there is none.
    pub shown: String,
}

/// How the servers of a name stand to what is expected.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// The names of the servers that show the record as verifiers need it.
    pub right: Vec<String>,
    /// All faults; those of a server that is `right` do no harm to mail.
    pub faults: Vec<Fault>,
    /// The servers of which no address answered, and why.
    pub unreachable: Vec<(String, String)>,
}

impl Expected {
    /// How the servers stand to this.
    pub fn standing(&self, observation: &Observation) -> Standing {
        let mut standing = Standing::default();
        for shown in observation.answers() {
            if matches!(shown.answer, Answer::Alias(_)) {
                continue;
            }
            let faults = self.faults(&shown.answer);
            let is_right = !faults.iter().any(FaultKind::is_harmful);
            if is_right && !standing.right.contains(&shown.server) {
                standing.right.push(shown.server.clone());
            }
            standing.faults.extend(faults.into_iter().map(|kind| self.fault(shown, kind)));
        }
        let unreachable = observation.unreachable().into_iter();
        standing.unreachable = unreachable.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        standing
    }

    /// What is wrong with one answer; nothing with a silence or an alias.
    pub fn faults(&self, answer: &Answer) -> Vec<FaultKind> {
        match answer {
            Answer::Silent(_) | Answer::Alias(_) => Vec::new(),
            Answer::Truncated(cause) => vec![FaultKind::Truncated(cause.clone())],
            answer => self.faults_of(&self.candidates(answer.records())),
        }
    }

    fn faults_of(&self, records: &[&Txt]) -> Vec<FaultKind> {
        let record = match (&self.content, records) {
            (Content::Nothing, []) => return Vec::new(),
            (Content::Nothing, _) => return vec![FaultKind::Left],
            (_, []) => return vec![FaultKind::Missing],
            (_, [record]) => record,
            (_, several) => return vec![FaultKind::Several(several.len())],
        };
        let mut faults = self.faults_of_text(&record.text());
        if let Some(max) = self.ttl_secs_max.filter(|max| record.ttl_secs > *max) {
            faults.push(FaultKind::Ttl(record.ttl_secs, max));
        }
        faults
    }

    fn faults_of_text(&self, text: &[u8]) -> Vec<FaultKind> {
        let faults = match &self.content {
            Content::Nothing => Vec::new(),
            Content::Key(expected) => faults_of_key(expected, text),
            Content::Dmarc(expected) => {
                let is_valid = dmarc::record::Record::parse(text)
                    .is_some_and(|record| record.policy(dmarc::record::Author::Itself).is_some());
                let reason = "no policy can be read from it";
                let invalid = (!is_valid).then(|| FaultKind::Invalid(reason.to_owned()));
                let differs = || differs(expected.as_deref(), text, tags);
                invalid.or_else(differs).into_iter().collect()
            }
            Content::Spf(expected) => {
                let selected = spf::record::select(&[text.to_vec()]);
                // The reason has a term of the record in it.
                let invalid = selected.err().map(|reason| FaultKind::Invalid(visible(reason)));
                let differs = || differs(expected.as_deref(), text, terms);
                invalid.or_else(differs).into_iter().collect()
            }
            Content::Text(expected) => differs(Some(expected), text, tags).into_iter().collect(),
        };
        let is_quoted = text.iter().any(|octet| matches!(octet, b'"' | b'\\'));
        if is_quoted && faults.iter().any(FaultKind::is_harmful) {
            return vec![FaultKind::Quoting];
        }
        faults
    }

    /// The records that are meant to be of the kind: others may share an SPF record's name.
    fn candidates<'a>(&self, records: &'a [Txt]) -> Vec<&'a Txt> {
        let is_meant = |record: &&Txt| {
            let text = record.text();
            match &self.content {
                // Whatever else stands there, verifiers read it as a key.
                Content::Key(_) => true,
                Content::Nothing => Kind::Key.is_meant(&text),
                Content::Dmarc(_) => Kind::Dmarc.is_meant(&text),
                Content::Spf(_) => Kind::Spf.is_meant(&text),
                Content::Text(expected) => {
                    let version = expected.split(';').next().unwrap_or_default();
                    text.trim_ascii_start().starts_with(version.trim().as_bytes())
                }
            }
        };
        records.iter().filter(is_meant).collect()
    }

    fn fault(&self, shown: &Shown, kind: FaultKind) -> Fault {
        let records = self.candidates(shown.answer.records());
        let texts: Vec<String> = records.iter().map(|record| excerpt(record)).collect();
        Fault {
            server: shown.server.clone(),
            addr: shown.addr,
            name: shown.name.clone(),
            kind,
            shown: texts.join(" | "),
        }
    }
}

impl FaultKind {
    /// Whether verifiers are led astray by it. The rest troubles the operator alone.
    pub fn is_harmful(&self) -> bool {
        !matches!(self, Self::Blanks | Self::Strict | Self::Ttl(..) | Self::Left)
    }

    /// What to do about it; ends a sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => "publish the record; mailseal dns records prints it",
            Self::Left => "remove the record: its key is gone from the store",
            Self::Different | Self::Invalid(_) => {
                "replace the record by what mailseal dns records prints"
            }
            Self::Revoked => "publish the record again, or revoke the key in the store, too",
            Self::NotRevoked => "replace the record by the one with an empty p=",
            Self::Several(_) => "leave one record: verifiers may take any of several",
            Self::Quoting => {
                "enter the text without quotes and backslashes: the zone editor adds its own"
            }
            Self::Blanks => "join the parts of the key without a blank between them",
            Self::Unusable(_) => "remove that tag",
            Self::Strict => "remove t=s, or let no signature name a subdomain in i=",
            Self::Truncated(_) => "let the server answer TCP on port 53",
            Self::Ttl(..) => "lower the time to live: caches keep the record for so long",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no record"),
            Self::Left => f.write_str("there is a record of a key that was removed"),
            Self::Different => f.write_str("the record differs"),
            Self::Revoked => f.write_str("the key is revoked here and not in the store"),
            Self::NotRevoked => f.write_str("the key is revoked in the store and not here"),
            Self::Several(count) => write!(f, "there are {count} records"),
            Self::Quoting => f.write_str("the text itself has quotes or backslashes"),
            Self::Blanks => f.write_str("the key is split by blanks"),
            Self::Invalid(reason) => write!(f, "the record is invalid: {reason}"),
            Self::Unusable(reason) => write!(f, "the record shuts our signatures out: {reason}"),
            Self::Strict => f.write_str("t=s was not asked for"),
            Self::Truncated(cause) => {
                write!(f, "the answer is too long for UDP, and over TCP there is none: {cause}")
            }
            Self::Ttl(ttl, max) => {
                write!(f, "the time to live is {ttl} seconds, the longest that serves is {max}")
            }
        }
    }
}

/// One line: `SERVER (ADDRESS): NAME: what is wrong; it shows RECORD; remedy`. The record is in quotes,
/// escaped.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.server))?;
        match self.addr {
            Some(addr) if addr.to_string() != self.server => write!(f, " ({addr})")?,
            _ => {}
        }
        write!(f, ": {}: {}", visible(&self.name), self.kind)?;
        if !self.shown.is_empty() {
            write!(f, "; it shows {}", self.shown)?;
        }
        write!(f, "; {}", self.kind.remedy())
    }
}

/// The record as verifiers read it against the key.
fn faults_of_key(expected: &KeyRecord, text: &[u8]) -> Vec<FaultKind> {
    let found = match KeyRecord::parse(text) {
        Ok(found) => found,
        Err(error) => return vec![FaultKind::Invalid(error.to_string())],
    };
    let key = match (&expected.key, &found.key) {
        (wanted, shown) if wanted == shown => None,
        (PublicKey::Revoked, _) => Some(FaultKind::NotRevoked),
        (_, PublicKey::Revoked) => Some(FaultKind::Revoked),
        _ => Some(FaultKind::Different),
    };
    let shuts_out = |is_so: bool, reason| is_so.then_some(FaultKind::Unusable(reason));
    let hash = shuts_out(!found.accepts_sha256, "h= does not name sha256");
    let testing = shuts_out(found.testing && !expected.testing, "t=y makes mail count as unsigned");
    let strict = (found.strict && !expected.strict).then_some(FaultKind::Strict);
    let blanks = has_blanks(text).then_some(FaultKind::Blanks);
    let faults = if expected.key == PublicKey::Revoked {
        [key, None, None, None, None]
    } else {
        [key, hash, testing, strict, blanks]
    };
    faults.into_iter().flatten().collect()
}

/// White space inside `p=`, which the grammar allows and some verifiers do not.
fn has_blanks(text: &[u8]) -> bool {
    let tags = TagList::parse(text);
    let key = tags.as_ref().ok().and_then(|tags| tags.get("p"));
    key.is_some_and(|key| key.iter().any(u8::is_ascii_whitespace))
}

/// Whether two texts differ once read by `parts`; not where nothing is known to compare with.
fn differs(
    expected: Option<&str>,
    text: &[u8],
    parts: impl Fn(&str) -> Vec<String>,
) -> Option<FaultKind> {
    let expected = parts(expected?);
    (parts(&String::from_utf8_lossy(text)) != expected).then_some(FaultKind::Different)
}

/// The tags of a list without the white space around them.
fn tags(text: &str) -> Vec<String> {
    let tags = text.split(';').map(|tag| {
        let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
        format!("{}={}", name.trim(), value.trim())
    });
    tags.filter(|tag| tag != "=").collect()
}

/// The terms of an SPF record.
fn terms(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_ascii_lowercase).collect()
}

/// The start of a record, each character-string in quotes, escaped.
fn excerpt(record: &Txt) -> String {
    let mut left = SHOWN_BYTES_MAX;
    let mut strings = Vec::new();
    for string in &record.strings {
        let start = &string[..string.len().min(left)];
        let cut = if start.len() < string.len() { "..." } else { "" };
        strings.push(format!("\"{}{cut}\"", start.escape_ascii()));
        left -= start.len();
        if left == 0 {
            break;
        }
    }
    strings.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broken_record_says_is_shown_safely() {
        let strings = vec![b"v=spf1 \x1b[31mred;\x07 -all".to_vec()];
        let answer = Answer::Txt(vec![Txt { strings, ttl_secs: 60 }]);
        let name = "example.org".to_owned();
        let expected = Expected { name, content: Content::Spf(None), ttl_secs_max: None };
        let faults = expected.faults(&answer);
        let [FaultKind::Invalid(reason)] = &faults[..] else { panic!("{faults:?}") };
        assert!(reason.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{reason:?}");
    }
}
