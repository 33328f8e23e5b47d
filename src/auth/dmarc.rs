//! DMARC (RFC 9989): the author domain's policy, found by the tree walk, and identifier alignment.

use serde::Serialize;

use crate::result::AuthResult;

/// What the author domain asks for (`p`, `sp`, `np`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// No treatment asked for.
    None,
    /// To be treated as suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    /// The word in a record and in `policy.dmarc`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// What DMARC said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "four findings that do not exclude each other")]
pub struct Dmarc {
    /// none, pass, fail, temperror or permerror.
    pub result: AuthResult,
    /// The domain of From, in ASCII lower case; `None` where there is not exactly one.
    pub author_domain: Option<String>,
    /// The author domain's organizational domain.
    pub organizational_domain: Option<String>,
    /// Where the record stood.
    pub record_domain: Option<String>,
    /// What the record asks for this author domain, before `t=y` weakens it.
    pub policy: Option<Policy>,
    /// `t=y`: the domain owner is testing; the policy is weakened by one step.
    pub testing: bool,
    /// SPF passed for an aligned domain.
    pub spf_aligned: bool,
    /// A DKIM signature of an aligned domain passed.
    pub dkim_aligned: bool,
    /// From has no, several or unreadable author domains.
    pub malformed_from: bool,
    /// Why, in words.
    pub reason: Option<String>,
}

impl Dmarc {
    /// The policy to be applied: weakened by one step where the domain owner tests (RFC 9989 `t`).
    pub fn applied_policy(&self) -> Option<Policy> {
        match (self.policy?, self.testing) {
            (Policy::Reject, true) => Some(Policy::Quarantine),
            (Policy::Quarantine, true) => Some(Policy::None),
            (policy, _) => Some(policy),
        }
    }
}
