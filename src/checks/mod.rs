//! The checks that are built in: what an MTA cannot check by itself, and no rule can say.
//!
//! Each check is a file that says what is wrong with a message, as a value; [`findings`] puts what
//! the configuration has for it beside that. `policy.rs` takes all of them as one step below the
//! rules. To add a check: a file, a section of the configuration, a call in [`findings`] and a case.

use crate::auth::Authentication;
use crate::config::Config;
use crate::message::address::Author;
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::verdict::Action;

/// What the checks look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// What the operator set.
    pub config: &'a Config,
    /// Where the message comes from.
    pub origin: Origin,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its header block.
    pub headers: &'a HeaderBlock,
    /// Its author domain.
    pub author: &'a Author,
    /// What the authentication methods said; empty where nothing was verified.
    pub auth: &'a Authentication,
}

/// What a check found, and what the configuration has for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// The operator's action.
    pub action: Action,
    /// The tag, which names the bad thing.
    pub tag: &'static str,
    /// The code of a refusal, 5xx; a temporary one is made of it.
    pub code: u16,
    /// The enhanced status code, `5.x.y`.
    pub enhanced: &'static str,
    /// What was found, with foreign text made safe (`text::visible`).
    pub cause: String,
    /// What the client is told, where the cause is for the log alone.
    pub told: Option<String>,
    /// Whether a rule that accepts the message lifts it.
    pub lifted_by_accept: bool,
    /// Whether `[[policy.exempt]]` lifts it.
    pub lifted_by_exemption: bool,
}

/// What all checks found, in the order of the checks.
pub(crate) fn findings(_facts: &Facts<'_>) -> Vec<Finding> {
    Vec::new()
}
