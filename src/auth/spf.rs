//! Sender Policy Framework (RFC 7208).

use serde::Serialize;

use crate::result::AuthResult;

/// Which name of the envelope was checked (RFC 7208 §2.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The argument of HELO or EHLO.
    Helo,
    /// The reverse path, or `postmaster@` the HELO name where that is null.
    MailFrom,
}

/// What SPF said of one identity.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Spf {
    /// Any of none, neutral, pass, fail, softfail, temperror, permerror (RFC 7208 §2.6).
    pub result: AuthResult,
    /// Which identity.
    pub identity: Identity,
    /// The domain whose record was evaluated, in ASCII lower case.
    pub domain: String,
    /// The identity as sent, for `smtp.helo` or `smtp.mailfrom`.
    pub value: String,
    /// Why, where the result does not say it itself: the mechanism that matched, the error.
    pub reason: Option<String>,
    /// The domain owner's explanation of a fail (RFC 7208 §6.2), foreign text.
    pub explanation: Option<String>,
}
