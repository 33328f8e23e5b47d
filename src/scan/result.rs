//! What the scanner says of a message.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::text;

/// What the scanner said of the message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum ScanResult {
    /// clamd read the whole message and found nothing.
    Clean,
    /// clamd found something.
    Infected {
        /// The signature's name: at most 128 printable ASCII characters, none of which can end or
        /// quote anything in a header field, a reply or a log line (others became `?`).
        name: String,
    },
    /// Not scanned, or not all of it.
    Unscanned {
        /// Why.
        cause: Unscanned,
        /// The cause in words: printable ASCII where it repeats clamd.
        reason: String,
    },
}

/// Why a message was not scanned, or not to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unscanned {
    /// No clamd answered, or not in time, or not sensibly.
    Failed,
    /// The message is larger than `scan_bytes_max` or than clamd takes.
    Oversize,
    /// It is, and as much of it as clamd takes is clean.
    Prefix,
    /// Something in it is encrypted.
    Encrypted,
    /// Something in it exceeds clamd's own limits of size, depth or time.
    Limits,
    /// A signature that the operator takes for one of spam ended the scan.
    Spam,
    /// A signature that the operator ignores ended the scan.
    Ignored,
}

/// A scan that ended.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// What it says of the message.
    pub result: ScanResult,
    /// How long it took.
    pub times: ScanTimes,
    /// Whether its time was over before there was one.
    pub is_late: bool,
}

/// How long the scan of a message took.
#[derive(Clone, Copy, Debug)]
pub struct ScanTimes {
    /// How long the message waited for it at its end: what scanning adds to its delivery.
    pub wait: Duration,
    /// From the message's first octet to the result; so long clamd and a turn were held at most.
    pub whole: Duration,
}

/// As `X-Virus-Status` says it: which clamd failed, and how, is not for strangers.
impl fmt::Display for ScanResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cause, reason) = match self {
            Self::Clean => return f.write_str("Clean"),
            Self::Infected { name } => return write!(f, "Infected ({})", text::visible(name)),
            Self::Unscanned { cause, reason } => (cause, reason),
        };
        match cause {
            Unscanned::Failed => f.write_str("Unscanned (scan failed)"),
            Unscanned::Oversize => f.write_str("Unscanned (too large)"),
            Unscanned::Prefix => f.write_str("Unscanned (prefix clean)"),
            Unscanned::Encrypted => f.write_str("Unscanned (encrypted)"),
            Unscanned::Limits => f.write_str("Unscanned (exceeds scan limits)"),
            Unscanned::Spam | Unscanned::Ignored => {
                write!(f, "Unscanned ({})", text::visible(reason))
            }
        }
    }
}

impl ScanResult {
    /// The result with all that is known, for logs and operators.
    pub fn in_full(&self) -> String {
        match self {
            Self::Unscanned { reason, .. } => format!("Unscanned ({})", text::visible(reason)),
            known => known.to_string(),
        }
    }

    /// The result in a word, for metrics and rules.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Infected { .. } => "infected",
            Self::Unscanned { cause, .. } => match cause {
                Unscanned::Failed => "failed",
                Unscanned::Oversize => "oversize",
                Unscanned::Prefix => "prefix",
                Unscanned::Encrypted => "encrypted",
                Unscanned::Limits => "limits",
                Unscanned::Spam => "spam",
                Unscanned::Ignored => "ignored",
            },
        }
    }

    pub(super) fn unscanned(cause: Unscanned, reason: impl Into<String>) -> Self {
        Self::Unscanned { cause, reason: reason.into() }
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::unscanned(Unscanned::Failed, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_comment() {
        let name = "x)\r\nSubject: y";
        let scan = ScanResult::Infected { name: name.into() };
        assert_eq!(scan.to_string(), "Infected (x???Subject: y)");
        let scan = ScanResult::unscanned(Unscanned::Ignored, format!("ignored signature {name}"));
        assert_eq!(scan.to_string(), "Unscanned (ignored signature x???Subject: y)");
    }
}
