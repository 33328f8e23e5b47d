//! ARC (RFC 8617): the chain of custody that lists and forwarders leave on a message.
//!
//! `set` finds the sets and their structure, `seal` reads an ARC-Seal and says what it signs,
//! `validate` is §5.2, `endorse` reads what trusted sealers say of DMARC, and `own` what we said. What a set says counts
//! for nothing unless the whole chain passes.
//!
//! Failure: "All errors, including DNS failures, become unrecoverable and are considered permanent"
//! (§5.2.1): whatever goes wrong is a fail with its reason.

mod endorse;
mod own;
mod seal;
mod set;
mod validate;

use std::net::IpAddr;

use serde::Serialize;

use crate::result::AuthResult;

pub use validate::{Check, HeaderCheck, Pending, begin};

pub(crate) use own::own_results;
pub(crate) use seal::{MESSAGE_SIGNATURE, RESULTS, SEAL, Status, append_set};
pub(crate) use set::{Gathered, INSTANCE_MAX, gather};

/// The chain of a message and whether it holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ArcChain {
    /// none, pass or fail.
    pub result: AuthResult,
    /// The highest instance; 0 where there is no set.
    pub instance: u8,
    /// Who sealed, the newest first; empty where the sets do not make a chain.
    pub sealers: Vec<Sealer>,
    /// The oldest set whose ARC-Message-Signature still verifies, 0 where all do
    /// (`header.oldest-pass`); `None` where that was not found out.
    pub oldest_pass: Option<u8>,
    /// Whether the newest ARC-Message-Signature covers the whole body (no `l=`, or one that reaches
    /// the end).
    pub covers_body: bool,
    /// The client that handed the message on (`smtp.remote-ip`).
    pub remote_ip: Option<IpAddr>,
    /// What trusted sealers say, the newest first.
    pub endorsements: Vec<Endorsement>,
    /// Why it failed.
    pub reason: Option<String>,
}

/// Who made a seal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Sealer {
    /// Of its set.
    pub instance: u8,
    /// `d=`, in ASCII lower case.
    pub domain: String,
    /// `s=`.
    pub selector: String,
}

/// A trusted sealer's word that DMARC passed when the message came to it. All sealers after it are
/// trusted, too: each of them could have changed the message, or let a change pass.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Endorsement {
    /// Of its set.
    pub instance: u8,
    /// The sealer's domain.
    pub sealer: String,
    /// The domain of From for which DMARC passed.
    pub author_domain: String,
}

impl ArcChain {
    fn new(result: AuthResult) -> Self {
        Self {
            result,
            instance: 0,
            sealers: Vec::new(),
            oldest_pass: None,
            covers_body: false,
            remote_ip: None,
            endorsements: Vec::new(),
            reason: None,
        }
    }

    fn failed(self, reason: String) -> Self {
        Self {
            result: AuthResult::Fail,
            oldest_pass: None,
            endorsements: Vec::new(),
            reason: Some(reason),
            ..self
        }
    }

    /// Who sealed last, where the chain holds for the whole message: it came so from there.
    pub fn newest_sealer(&self) -> Option<&str> {
        let holds = self.result == AuthResult::Pass && self.covers_body;
        self.sealers.first().filter(|_| holds).map(|sealer| sealer.domain.as_str())
    }

    /// The newest endorsement for an author domain, where the chain holds for the whole message.
    pub fn endorsement(&self, author_domain: &str) -> Option<&Endorsement> {
        let holds = self.result == AuthResult::Pass && self.covers_body;
        let fits = |endorsement: &&Endorsement| endorsement.author_domain == author_domain;
        self.endorsements.iter().find(fits).filter(|_| holds)
    }
}
