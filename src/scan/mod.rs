//! Virus scanning by clamd: the message is streamed while it arrives.

use serde::Serialize;

/// What the scanner said of the message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum ScanResult {
    /// clamd read the whole message and found nothing.
    Clean,
    /// clamd found something.
    Infected {
        /// The signature's name as clamd spells it: hostile input, to be escaped.
        name: String,
    },
    /// Not scanned, or not all of it.
    Unscanned {
        /// Why.
        cause: Unscanned,
        /// The cause in words.
        reason: String,
    },
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
