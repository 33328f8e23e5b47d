//! What a name is to show, and which of its TXT records are of that kind.

use super::drift::{Content, Expected};
use crate::dkim::record::KeyRecord;
use crate::dkim::tags::TagList;

/// A name and the one record of its kind that it is to show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The name, without its final dot.
    pub name: String,
    /// The kind: others of the name's TXT records are nobody's business.
    pub kind: Kind,
    /// The record's text; `None` where there is to be none.
    pub text: Option<String>,
}

/// The kinds of TXT records that mail has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A DKIM key (RFC 6376 §3.6.1).
    Key,
    /// SPF (RFC 7208 §4.5).
    Spf,
    /// DMARC (RFC 9989 §4.7), also the authorization of reports.
    Dmarc,
    /// TLS reporting (RFC 8460 §3).
    TlsRpt,
    /// MTA-STS (RFC 8461 §3.1).
    MtaSts,
}

impl Kind {
    /// How a record of the kind begins; a key record may do without.
    pub fn version(self) -> &'static str {
        match self {
            Self::Key => "v=DKIM1",
            Self::Spf => "v=spf1",
            Self::Dmarc => "v=DMARC1",
            Self::TlsRpt => "v=TLSRPTv1",
            Self::MtaSts => "v=STSv1",
        }
    }

    /// Whether a TXT record is meant to be of the kind, however broken.
    pub fn is_meant(self, text: &[u8]) -> bool {
        let text = text.strip_prefix(b"\"").unwrap_or(text);
        let version = self.version().as_bytes();
        let start = text.get(..version.len()).unwrap_or_default();
        let ends = !text.get(version.len()).is_some_and(u8::is_ascii_alphanumeric);
        if start.eq_ignore_ascii_case(version) && ends {
            return true;
        }
        self == Self::Key && TagList::parse(text).is_ok_and(|tags| tags.get("p").is_some())
    }
}

impl Wanted {
    /// Whether a record of the name may be replaced.
    pub(super) fn is_ours(&self, text: &[u8]) -> bool {
        self.kind.is_meant(text)
    }

    /// What the servers are then expected to show; `None` of a text that is no record.
    pub fn expected(&self, ttl_secs_max: Option<u32>) -> Option<Expected> {
        let text = || self.text.clone();
        let content = match (self.kind, &self.text) {
            (_, None) => Content::Nothing,
            (Kind::Key, Some(text)) => Content::Key(KeyRecord::parse(text.as_bytes()).ok()?),
            (Kind::Spf, _) => Content::Spf(text()),
            (Kind::Dmarc, _) => Content::Dmarc(text()),
            (Kind::TlsRpt | Kind::MtaSts, Some(text)) => Content::Text(text.clone()),
        };
        Some(Expected { name: self.name.clone(), content, ttl_secs_max })
    }
}
