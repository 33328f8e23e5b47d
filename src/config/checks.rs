//! `[identity_gate]`, `[own_domain_spoof]` and `[backscatter]`: the built-in checks, resolved.

use std::path::PathBuf;

use crate::verdict::Action;

/// `[identity_gate]`: whom an authenticated user may write as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityGate {
    /// What is done about a user who writes as another.
    pub action: Action,
    /// The file that says who may; `None`: nobody is checked.
    pub map: Option<PathBuf>,
    /// Whether Sender is looked at, besides From.
    pub sender: bool,
    /// Which addresses in Reply-To must be the user's.
    pub reply_to: ReplyTo,
    /// Whether anybody may write as an address that the file does not name.
    pub allows_unlisted: bool,
    /// The characters that separate an address's extension.
    pub recipient_delimiter: String,
    /// The domains of the file's entries that have none.
    pub bare_domains: Vec<String>,
}

impl IdentityGate {
    /// The file, where there is one and it matters.
    pub fn map_in_force(&self) -> Option<&PathBuf> {
        self.map.as_ref().filter(|_| self.action != Action::Off)
    }
}

/// Which addresses in Reply-To must be the user's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplyTo {
    /// None.
    Off,
    /// Those that the file gives to somebody.
    Owned,
    /// All.
    All,
}

/// `[own_domain_spoof]`: mail from outside that looks like ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnDomainSpoof {
    /// Of an author of one of our domains for which nothing vouches.
    pub author: Action,
    /// Of an address of one of our domains in the display name of another.
    pub display_name: Action,
}

/// `[backscatter]`: what makes us write to strangers, or comes of others doing so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backscatter {
    /// Of mail that would be bounced as looping once it is accepted.
    pub delivered_to: Action,
    /// Of delivery reports on mail that we did not sign.
    pub report: Action,
    /// Of a client that asks to be told of delivery.
    pub notify_success: Action,
    /// Recipients whose mail is left alone: addresses or domains.
    pub exempt: Vec<String>,
    /// How much of a report is looked at.
    pub report_bytes_max: usize,
}
