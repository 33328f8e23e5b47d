//! Where a message comes from, and what is done with it for that.

use serde::Serialize;

/// Where a message comes from: the first of these that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A host of `trusted_relays`: a backup MX, a border filter, a re-injecting content filter.
    Relay,
    /// The client authenticated itself.
    Authenticated,
    /// Taken by a listener of `originating_daemons`.
    Submission,
    /// A host of `trusted_networks`, or `sendmail(1)`.
    Local,
    /// Anybody else.
    Inbound,
}

/// What is done with a message for where it comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Signed: it is ours and there is a key.
    Sign,
    /// Its authentication is verified.
    Verify,
    /// Neither: a trusted origin with nothing to sign with.
    Pass,
}
