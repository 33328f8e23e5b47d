//! The words of a results header field, shared by all methods and by the DKIM leaf.

use serde::Serialize;

/// A method's result, spelt as RFC 8601 §2.7 registers it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// Nothing to check was there.
    None,
    /// The check held.
    Pass,
    /// The check failed.
    Fail,
    /// SPF's `~all`: probably not authorized.
    Softfail,
    /// No statement either way.
    Neutral,
    /// Valid, and not accepted for a reason of local policy (RFC 8301's weak keys).
    Policy,
    /// A later try may say more: DNS did not answer.
    Temperror,
    /// No later try will: what was published or sent is broken.
    Permerror,
}

impl AuthResult {
    /// The word in a results header field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Softfail => "softfail",
            Self::Neutral => "neutral",
            Self::Policy => "policy",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

impl std::fmt::Display for AuthResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
