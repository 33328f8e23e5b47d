//! One edit of a message.

use std::fmt;

use serde::Serialize;

use crate::text;

/// One edit of the message, in the order in which it is applied.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// Removes the `occurrence`th field of that name, counted from 1 at the top.
    DeleteHeader {
        /// The field's name.
        name: String,
        /// Which of the fields of that name, from 1.
        occurrence: u32,
    },
    /// Puts another value into the `occurrence`th field of that name, counted from 1 at the top.
    ReplaceHeader {
        /// The field's name.
        name: String,
        /// Which of the fields of that name, from 1.
        occurrence: u32,
        /// The new value, as in `InsertHeader`.
        value: String,
    },
    /// Puts a field below all fields of the message.
    AddHeader {
        /// The field's name.
        name: String,
        /// The field's value, as in `InsertHeader`.
        value: String,
    },
    /// Puts a field above all fields of the message as the filter saw it.
    InsertHeader {
        /// The field's name.
        name: String,
        /// The field's value without the leading space; folds are CRLF and white space.
        value: String,
    },
    /// Takes a recipient off the envelope.
    DeleteRecipient {
        /// The recipient as the MTA named it, without angle brackets.
        address: String,
    },
    /// Puts a recipient on the envelope.
    AddRecipient {
        /// The recipient, without angle brackets.
        address: String,
    },
    /// Holds the message in the MTA's queue.
    Quarantine {
        /// What the operator reads in the queue listing.
        reason: String,
    },
}

impl Change {
    /// Whether it leaves the message's octets alone.
    pub fn is_of_envelope(&self) -> bool {
        match self {
            Self::DeleteRecipient { .. } | Self::AddRecipient { .. } | Self::Quarantine { .. } => {
                true
            }
            Self::DeleteHeader { .. }
            | Self::ReplaceHeader { .. }
            | Self::AddHeader { .. }
            | Self::InsertHeader { .. } => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeleteHeader { name, occurrence } => {
                write!(f, "delete-header {name} {occurrence}")
            }
            Self::ReplaceHeader { name, occurrence, value } => {
                write!(f, "replace-header {name} {occurrence}: {}", folds_shown(value))
            }
            Self::AddHeader { name, value } => {
                write!(f, "add-header {name}: {}", folds_shown(value))
            }
            Self::InsertHeader { name, value } => {
                write!(f, "insert-header {name}: {}", folds_shown(value))
            }
            Self::DeleteRecipient { address } => {
                write!(f, "delete-recipient {}", text::visible(address))
            }
            Self::AddRecipient { address } => write!(f, "add-recipient {address}"),
            Self::Quarantine { reason } => write!(f, "quarantine {reason}"),
        }
    }
}

/// Nothing in it moves a terminal's cursor, but for the tabs of folds.
fn folds_shown(value: &str) -> String {
    let shown = |c: char| match c {
        '\t' => "\t".to_owned(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    value.replace("\r\n", "\n").replace('\n', "\\n").chars().map(shown).collect()
}
