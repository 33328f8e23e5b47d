//! The verdict on one message: what every stage found and what is to be done about it.

mod change;
mod hit;
pub mod trail;

use std::fmt;

use serde::Serialize;

use crate::auth::Authentication;
use crate::message::limit::Limit;
use crate::message::origin::{Origin, Role};
use crate::scan::{ScanResult, ScanTimes};
use crate::sign::NotSigned;

pub use change::Change;
pub use hit::{Effect, Hit};
pub use trail::{Story, Times, Trail};

/// How an operator wants a finding treated: the values of the policy settings and of a rule's
/// `action`, ordered by strictness, so that the strictest of one step is their maximum.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing is done and nothing is written.
    Off,
    /// Delivered, with an `X-Mailseal-Tag` field.
    Tag,
    /// Accepted from the client and thrown away.
    Discard,
    /// Refused for now, with a 4xx reply.
    Tempfail,
    /// Held in the MTA's queue.
    Quarantine,
    /// Refused with a 5xx reply.
    Reject,
}

/// What becomes of the message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Delivered, with the changes of the verdict.
    #[default]
    Accept,
    /// Accepted from the client and thrown away.
    Discard,
    /// Refused for now; the client keeps the message and tries again.
    Tempfail,
    /// Accepted, and held in the MTA's queue until an operator releases it.
    Quarantine,
    /// Refused for good; the client tells its sender.
    Reject,
}

impl Disposition {
    /// The disposition's name in logs, `check` and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Discard => "discard",
            Self::Tempfail => "tempfail",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

impl From<Action> for Disposition {
    fn from(action: Action) -> Self {
        match action {
            Action::Off | Action::Tag => Self::Accept,
            Action::Discard => Self::Discard,
            Action::Tempfail => Self::Tempfail,
            Action::Quarantine => Self::Quarantine,
            Action::Reject => Self::Reject,
        }
    }
}

/// An SMTP reply with its enhanced status code (RFC 5321 §4.2, RFC 3463).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Reply {
    /// Three digits, 4xx or 5xx.
    pub code: u16,
    /// Class, subject and detail, such as `5.7.1`.
    pub enhanced: String,
    /// One line of printable ASCII.
    pub text: String,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

/// All that is known and decided of one message.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The MTA's name for the message.
    pub queue_id: Option<String>,
    /// What becomes of the message.
    pub disposition: Disposition,
    /// The reply, where the disposition is a refusal.
    pub reply: Option<Reply>,
    /// Where the message comes from.
    pub origin: Origin,
    /// What is done with it for that.
    pub role: Role,
    /// What each authentication method said.
    pub auth: Authentication,
    /// The rules that matched, in their order.
    pub hits: Vec<Hit>,
    /// What the scanner said; `None` where none is configured.
    pub scan: Option<ScanResult>,
    /// How long it took; not part of the record that `check` prints, which is the same every time.
    #[serde(skip)]
    pub scan_times: Option<ScanTimes>,
    /// What the log tells beside it.
    #[serde(skip)]
    pub trail: Trail,
    /// Why it has no signature, or none of some key; as labels.
    pub not_signed: Vec<NotSigned>,
    /// The limits that it came up against, by the keys of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// The edits, in the order in which they are applied.
    pub changes: Vec<Change>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// The text that `check` prints: a line a fact, its kind first.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "disposition {}", self.disposition.as_str())?;
        if let Some(reply) = &self.reply {
            writeln!(f, "reply {reply}")?;
        }
        writeln!(f, "origin {}", self.origin.as_str())?;
        writeln!(f, "role {}", self.role.as_str())?;
        write!(f, "{}", self.auth)?;
        for hit in &self.hits {
            match &hit.found {
                Some(found) => writeln!(f, "hit {hit} {found}")?,
                None => writeln!(f, "hit {hit} nothing that it rules out")?,
            }
        }
        if let Some(scan) = &self.scan {
            writeln!(f, "scan {}", scan.in_full())?;
        }
        for limit in &self.limits {
            writeln!(f, "limit {limit}")?;
        }
        for change in &self.changes {
            writeln!(f, "change {change}")?;
        }
        self.reasons.iter().try_for_each(|reason| writeln!(f, "reason {reason}"))
    }
}
