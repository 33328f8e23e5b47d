//! A rule that matched, and what it does.

use std::fmt;

use serde::Serialize;

use super::Action;
use crate::rules::Found;
use crate::text;

/// A rule that matched.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Hit {
    /// The rule's name, which is also the tag.
    pub rule: String,
    /// The strictest of what the rule asks for; off where that leaves the message's way alone.
    pub action: Action,
    /// All that the rule does to this message, in its order.
    #[serde(rename = "actions")]
    pub effects: Vec<Effect>,
    /// Whether that is only said, and nothing done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// The rule's own reply text, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What the rule found; `None` where it matched by what is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// One thing that a rule does, made out for one message. Values are ready to be written.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// An `X-Mailseal-Tag` field with the rule's name.
    Tag,
    /// The end of the rules.
    Accept,
    /// Accepted from the client and thrown away.
    Discard,
    /// Refused for now.
    Tempfail,
    /// Held in the MTA's queue.
    Quarantine,
    /// Refused.
    Reject,
    /// A field below all others.
    AddHeader {
        /// The field's name.
        name: String,
        /// Its value, without the leading space.
        value: String,
    },
    /// A field above all others.
    Prepend {
        /// The field's name.
        name: String,
        /// Its value, without the leading space.
        value: String,
    },
    /// Another value for a field of the message as it came.
    ReplaceHeader {
        /// The field's name.
        name: String,
        /// Which of the fields of that name, from 1.
        occurrence: u32,
        /// Its value, without the leading space.
        value: String,
    },
    /// A field of the message as it came taken out.
    RemoveHeader {
        /// The field's name.
        name: String,
        /// Which of the fields of that name, from 1.
        occurrence: u32,
    },
    /// A text before the subject.
    SubjectPrefix {
        /// The text, with the space after it.
        text: String,
    },
    /// One recipient in the place of all.
    Redirect {
        /// The recipient.
        address: String,
    },
    /// One recipient more.
    Bcc {
        /// The recipient.
        address: String,
    },
}

impl Hit {
    /// Whether the rule ends the rules, and lifts the built-in checks below them.
    pub fn accepts(&self) -> bool {
        !self.shadow && self.effects.contains(&Effect::Accept)
    }

    /// Whether the rule's name becomes a tag. A rule that only edits leaves no other trace.
    pub(crate) fn tags(&self) -> bool {
        !self.shadow && self.action != Action::Off
    }
}

/// The name, and that it is a shadow.
impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)?;
        if self.shadow { f.write_str("(shadow)") } else { Ok(()) }
    }
}

impl Effect {
    /// Whether it changes the header or the recipients, or what comes after it: all but what decides
    /// the message's way.
    pub(crate) fn is_done_beside(&self) -> bool {
        match self {
            Self::Tag | Self::Discard | Self::Tempfail | Self::Quarantine | Self::Reject => false,
            Self::Accept
            | Self::AddHeader { .. }
            | Self::Prepend { .. }
            | Self::ReplaceHeader { .. }
            | Self::RemoveHeader { .. }
            | Self::SubjectPrefix { .. }
            | Self::Redirect { .. }
            | Self::Bcc { .. } => true,
        }
    }
}

/// The words of a rule file, for a reason. What the sender wrote is in the values.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag => f.write_str("tag"),
            Self::Accept => f.write_str("accept"),
            Self::Discard => f.write_str("discard"),
            Self::Tempfail => f.write_str("tempfail"),
            Self::Quarantine => f.write_str("quarantine"),
            Self::Reject => f.write_str("reject"),
            Self::AddHeader { name, value } => {
                write!(f, "add_header {name}: {}", text::visible(value))
            }
            Self::Prepend { name, value } => write!(f, "prepend {name}: {}", text::visible(value)),
            Self::ReplaceHeader { name, occurrence, value } => {
                write!(f, "replace_header {name} {occurrence}: {}", text::visible(value))
            }
            Self::RemoveHeader { name, occurrence } => {
                write!(f, "remove_header {name} {occurrence}")
            }
            Self::SubjectPrefix { text } => {
                write!(f, "subject_prefix {}", text::visible(text.trim_end()))
            }
            Self::Redirect { address } => write!(f, "redirect {address}"),
            Self::Bcc { address } => write!(f, "bcc {address}"),
        }
    }
}
