//! `[attachments]`: which attachments are not wanted, resolved.

use std::collections::BTreeSet;

use crate::message::mime::{Ambiguity, MimeLimits};
use crate::verdict::Action;

/// `[attachments]`: what is done about the attachments of mail from outside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attachments {
    /// What is done about one that is denied.
    pub action: Action,
    /// Whether the lists name what is denied, or what alone is allowed.
    pub mode: AttachmentMode,
    /// Extensions, in lower case without the dot.
    pub extensions: BTreeSet<String>,
    /// Types, in lower case.
    pub types: BTreeSet<String>,
    /// Whether the lists hold for the members of archives, too.
    pub members: bool,
    /// What is done about an attachment with a password.
    pub encrypted: Action,
    /// What is done about a message whose structure can be read in two ways.
    pub ambiguous: Action,
    /// Which ways those are.
    pub ambiguities: BTreeSet<Ambiguity>,
    /// What is done about a message that is over one of the limits.
    pub over_limit: Action,
    /// How much of a body is looked at.
    pub body_bytes_max: usize,
    /// Of the tree and the archives.
    pub limits: MimeLimits,
}

/// What the lists of `[attachments]` name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttachmentMode {
    /// What is denied.
    Deny,
    /// What alone is allowed.
    Allow,
}

impl Attachments {
    /// Whether anything is looked at.
    pub fn is_on(&self) -> bool {
        [self.action, self.encrypted, self.ambiguous, self.over_limit]
            .iter()
            .any(|action| *action != Action::Off)
    }
}
