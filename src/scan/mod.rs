//! Virus scanning by clamd: the message is streamed while it arrives.
//!
//! `scanner` opens a scan and feeds it, `conversation` is the talk with clamd on one connection,
//! `reply` reads what clamd answers.
//!
//! Failure: whatever clamd or the network does ends as a [`ScanResult`] that says so. A message is
//! `Clean` only where clamd said so after it had all of it.

mod conversation;
mod reply;
mod scanner;

pub use reply::parse_reply;
pub use scanner::{Scan, Scanner};

use std::fmt;

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

/// As `X-Virus-Status` says it: which clamd failed, and how, is not for strangers.
impl fmt::Display for ScanResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("Clean"),
            Self::Infected { name } => write!(f, "Infected ({})", text::visible(name)),
            Self::Unscanned { cause: Unscanned::Failed, .. } => {
                f.write_str("Unscanned (scan failed)")
            }
            Self::Unscanned { cause: Unscanned::Oversize, .. } => {
                f.write_str("Unscanned (too large)")
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

    fn failed(reason: impl Into<String>) -> Self {
        Self::Unscanned { cause: Unscanned::Failed, reason: reason.into() }
    }

    fn oversize(reason: impl Into<String>) -> Self {
        Self::Unscanned { cause: Unscanned::Oversize, reason: reason.into() }
    }
}

/// Why a message was not scanned.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unscanned {
    /// No clamd answered, or not in time, or not sensibly.
    Failed,
    /// The message is larger than `scan_bytes_max` or than clamd takes.
    Oversize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virus_names_stay_inside_the_comment() {
        let scan = ScanResult::Infected { name: "x)\r\nSubject: y".into() };
        assert_eq!(scan.to_string(), "Infected (x???Subject: y)");
    }
}
