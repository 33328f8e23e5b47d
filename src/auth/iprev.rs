//! The "iprev" method: the client's address has a name that has the address (RFC 8601 §3).

use std::net::IpAddr;

use serde::Serialize;

use crate::result::AuthResult;

/// What iprev said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Iprev {
    /// pass, fail, temperror or permerror.
    pub result: AuthResult,
    /// The client's address (`policy.iprev`).
    pub addr: IpAddr,
    /// The name that was verified, or the one that failed.
    pub name: Option<String>,
    /// Why, where it did not pass.
    pub reason: Option<String>,
}
