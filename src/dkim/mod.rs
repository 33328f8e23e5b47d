//! DKIM (RFC 6376, 8301, 8463, 8616): the leaf that verification, signing and key
//! records share. Pure: no I/O, and the time is an argument.

pub(crate) mod base64;
pub mod canonical;
pub mod copied;
mod der;
pub mod digest;
pub(crate) mod edited;
pub mod fit;
pub(crate) mod folded;
pub mod foreign_key;
pub(crate) mod key_check;
pub mod name;
pub mod record;
pub mod sign;
pub mod signature;
pub mod signing_key;
pub mod tags;
pub mod verify;

use serde::Serialize;

use crate::result::AuthResult;

/// What verifying one signature said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Verification {
    /// pass, fail, neutral, policy, temperror or permerror.
    pub result: AuthResult,
    /// The signing domain (`d=`), in ASCII lower case; empty where it could not be read.
    pub domain: String,
    /// The AUID (`i=`), as sent.
    pub auid: Option<String>,
    /// The selector (`s=`).
    pub selector: Option<String>,
    /// The algorithm (`a=`).
    pub algorithm: Option<String>,
    /// The start of `b=`, long enough to tell signatures apart (`header.b`, RFC 6008).
    pub signature_start: Option<String>,
    /// Why, where it did not pass; foreign text in it is already escaped.
    pub reason: Option<String>,
    /// `t=y` in the key record: the signer is testing.
    pub testing: bool,
    /// Whether the signature covers the whole body (no `l=`, or one that reaches the end).
    pub covers_body: bool,
}
