//! What rules are judged on: the message, its envelope, and what was found out about it.

use std::sync::LazyLock;

use super::results::Results;
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::mime::MimeLimits;
use crate::message::origin::Origin;
use crate::scan::ScanResult;

/// All that is known of a message once its authentication and its scan are through.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its header block.
    pub headers: &'a HeaderBlock,
    /// What was kept of its body, from the beginning.
    pub body: &'a [u8],
    /// Whether the body was longer.
    pub is_cut: bool,
    /// How far its parts and archives are looked into.
    pub limits: &'a MimeLimits,
    /// The octets of the whole message as received: header block, empty line and body.
    pub size_bytes: u64,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Where it comes from.
    pub origin: Origin,
    /// What the authentication methods said.
    pub results: &'a Results,
    /// What the scanner said; `None` where there is none.
    pub scan: Option<&'a ScanResult>,
}

static NOBODY: LazyLock<Envelope> = LazyLock::new(Envelope::default);
static NOTHING: LazyLock<Results> = LazyLock::new(Results::default);
static LIMITS: LazyLock<MimeLimits> = LazyLock::new(MimeLimits::default);

impl<'a> Facts<'a> {
    /// A message of which nothing is known but itself.
    pub fn of(headers: &'a HeaderBlock, body: &'a [u8]) -> Self {
        Self {
            headers,
            body,
            is_cut: false,
            limits: &LIMITS,
            size_bytes: (headers.octets().len() + "\r\n".len() + body.len()) as u64,
            envelope: &NOBODY,
            origin: Origin::Inbound,
            results: &NOTHING,
            scan: None,
        }
    }
}
