//! Email authentication: one file a method, each with its result in RFC 8601's words.

pub mod dmarc;
pub mod iprev;
pub mod results;
pub mod spf;

use serde::Serialize;

/// What each method said of one message; `None` where it was not run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Authentication {
    /// Does the client's address resolve to a name and back?
    pub iprev: Option<iprev::Iprev>,
    /// SPF of the HELO identity, then of the MAIL FROM identity (RFC 7208 §2.3, §2.4).
    pub spf: Vec<spf::Spf>,
    /// One entry a signature, in the order of the fields.
    pub dkim: Vec<crate::dkim::Verification>,
    /// The author domain's policy and whether the message aligns with it.
    pub dmarc: Option<dmarc::Dmarc>,
}
