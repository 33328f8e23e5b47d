//! Verification of a message's signatures, in the order of RFC 6376 §6.1.
//!
//! [`begin`] does what needs the header alone; each [`Pending`] signature then waits for its key
//! record, and each [`HeaderCheck`] for the body's digests. None of them borrows the message, and
//! none of them keeps any of it.

use super::canonical::header::{SignatureField, hash_input};
use super::digest::{BodyHashes, BodyWant};
use super::key_check::{Outcome, check_lookup};
use super::signature::{Algorithm, Claims, Signature};
use super::{Verification, name};
use crate::message::header::HeaderBlock;
use crate::result::AuthResult;
use crate::text;

/// How many signatures of a message are verified, from the top; the rest are counted
/// (RFC 6376 §6.1: "A Verifier MAY limit the number of signatures it tries").
pub const SIGNATURES_MAX: usize = 10;
/// How far in the future `t=` may lie: clocks differ.
pub const CLOCK_SKEW_SECS_MAX: u64 = 300;
/// Why a signature fails whose `bh=` is not the body's digest.
pub(crate) const BODY_HASH_WRONG: &str = "body hash did not verify";
/// How much of `b=` tells signatures apart at first try (RFC 6008 §3: eight or more).
const SIGNATURE_START_CHARS: usize = 8;

/// The signatures of one message.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    /// The first [`SIGNATURES_MAX`], top first.
    pub checks: Vec<Check>,
    /// How many more there are; nothing was done with these.
    pub left_out: usize,
}

/// A signature after the checks that need the header alone (§6.1.1).
#[derive(Clone, Debug)]
pub enum Check {
    /// Its result is known.
    Done(Verification),
    /// It wants its key record and a digest of the body.
    Pending(Box<Pending>),
}

/// A signature that waits for its key record.
#[derive(Clone, Debug)]
pub struct Pending {
    signature: Signature,
    verification: Verification,
    index: usize,
    query_name: String,
}

/// What the DNS said to the query for a key record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyLookup {
    /// All TXT records of the name, the strings of each joined.
    Found(Vec<Vec<u8>>),
    /// The name does not exist, or has no TXT record.
    NotFound,
    /// No answer, or none that can be relied on; why, in words.
    Temporary(String),
}

/// A signature whose header fields are checked, and whose body is not.
#[derive(Clone, Debug)]
pub struct HeaderCheck {
    signature: Signature,
    verification: Verification,
    outcome: Outcome,
}

/// Parses a message's signatures and checks what needs no look-up; `now` is in Unix seconds.
pub fn begin(headers: &HeaderBlock, now: u64) -> Signatures {
    let mut fields = headers.iter().enumerate().filter(|(_, field)| field.is("DKIM-Signature"));
    let parsed: Vec<_> = fields
        .by_ref()
        .take(SIGNATURES_MAX)
        .map(|(index, field)| (index, Signature::parse(field.value)))
        .collect();
    let mut claims: Vec<Claims> = parsed
        .iter()
        .map(|(_, parsed)| match parsed {
            Ok(signature) => signature.claims(),
            Err(error) => Claims::clone(&error.claims),
        })
        .collect();
    shorten_signatures(&mut claims);
    let checks = parsed
        .into_iter()
        .zip(claims)
        .map(|((index, parsed), claims)| {
            let verification = Verification::of(claims);
            match parsed {
                Ok(signature) => Check::new(signature, verification, index, now),
                Err(error) => Check::Done(
                    verification.with(AuthResult::Permerror, Some(error.fault.to_string())),
                ),
            }
        })
        .collect();
    Signatures { checks, left_out: fields.count() }
}

/// Cuts each `b=` to the start that tells it from the others (RFC 6008 §3).
fn shorten_signatures(claims: &mut [Claims]) {
    let whole: Vec<_> = claims.iter().filter_map(|claims| claims.signature.clone()).collect();
    for signature in claims.iter_mut().filter_map(|claims| claims.signature.as_mut()) {
        let common = |other: &String| {
            signature.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count()
        };
        let others = whole.iter().filter(|other| **other != *signature);
        let shared = others.map(common).max().unwrap_or(0);
        signature.truncate(SIGNATURE_START_CHARS.max(shared + 1));
    }
}

/// The same for one signature that was parsed already, from the field at `index`: an
/// ARC-Message-Signature (RFC 8617 §4.1.2).
pub(crate) fn begin_parsed(signature: Signature, index: usize, now: u64) -> Check {
    let verification = Verification::of(signature.claims());
    Check::new(signature, verification, index, now)
}

impl Check {
    fn new(signature: Signature, verification: Verification, index: usize, now: u64) -> Self {
        let refused = |result, reason: &str| {
            Self::Done(verification.clone().with(result, Some(reason.to_owned())))
        };
        if signature.algorithm == Algorithm::RsaSha1 {
            return refused(AuthResult::Policy, "rsa-sha1 is not accepted, RFC 8301");
        }
        // §6.1.1: an expired signature MAY be ignored; here it failed, as one with a wrong hash.
        if signature.expiration.is_some_and(|expiration| expiration < now) {
            return refused(AuthResult::Fail, "signature expired");
        }
        // §3.5: "Implementations MAY ignore signatures that have a timestamp in the future." Later
        // it may verify, so that it is no permanent error; RFC 8601 §2.7.1 has neutral for
        // "failures not covered elsewhere".
        if signature.timestamp.is_some_and(|time| time > now.saturating_add(CLOCK_SKEW_SECS_MAX)) {
            return refused(AuthResult::Neutral, "signature timestamp is in the future");
        }
        match name::key_name(&signature.selector, &signature.domain) {
            None => refused(AuthResult::Permerror, "no key for signature, its name is too long"),
            Some(query_name) => {
                Self::Pending(Box::new(Pending { signature, verification, index, query_name }))
            }
        }
    }
}

impl Pending {
    /// The name whose TXT records are wanted (§3.6.2.1).
    pub fn query_name(&self) -> &str {
        &self.query_name
    }

    /// The digest that is wanted of the body.
    pub fn body_want(&self) -> BodyWant {
        self.signature.body_want()
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Checks the key records and with them the header fields (§6.1.2, §6.1.3 step 4). `headers`
    /// is the block that [`begin`] read; RSA keys under `rsa_bits_min` bits, and under 1024 in any
    /// case, are refused by policy (RFC 8301 §3.2).
    pub fn check_key(
        self,
        headers: &HeaderBlock,
        lookup: &KeyLookup,
        rsa_bits_min: u32,
    ) -> HeaderCheck {
        let Self { signature, verification, index, .. } = self;
        let input = || signed_input(headers, &signature, index);
        let outcome = check_lookup((&signature).into(), input, lookup, rsa_bits_min);
        HeaderCheck { signature, verification, outcome }
    }
}

fn signed_input(headers: &HeaderBlock, signature: &Signature, index: usize) -> Vec<u8> {
    let Some(field) = headers.iter().nth(index) else { return Vec::new() };
    let signature_range = signature.signature_range.clone();
    let own = SignatureField { field, signature_range, index: Some(index) };
    hash_input(headers, &signature.signed_fields, &own, signature.header_canonicalization)
}

impl HeaderCheck {
    /// What the header fields alone say: the signature's result where nothing is wrong with the body.
    pub(crate) fn header_result(&self) -> AuthResult {
        self.outcome.result
    }

    /// Compares the body's digest with `bh=`, and says the result.
    pub fn finish(self, hashes: &BodyHashes) -> Verification {
        let Self { signature, verification, outcome } = self;
        let mut verification = Verification { testing: outcome.testing, ..verification };
        let Outcome { mut result, mut reason, .. } = outcome;
        // Trouble with the key comes before any with the body (§6.1.2 before §6.1.3).
        if matches!(result, AuthResult::Pass | AuthResult::Fail) {
            let body = check_body(&signature, hashes, &mut verification);
            if let Some((body_result, body_reason)) = body {
                let both = result == AuthResult::Fail && body_result == AuthResult::Fail;
                let more = if both { ", nor did the signature" } else { "" };
                reason = Some(format!("{body_reason}{more}"));
                result = body_result;
            }
        }
        verification.with(result, reason)
    }
}

/// What is wrong with the body (§6.1.3 step 3); sets whether the signature covers all of it.
fn check_body(
    signature: &Signature,
    hashes: &BodyHashes,
    verification: &mut Verification,
) -> Option<(AuthResult, &'static str)> {
    let Some(hash) = hashes.get(&signature.body_want()) else {
        return Some((AuthResult::Temperror, "body was not hashed"));
    };
    let length = signature.length.unwrap_or(hash.octets);
    verification.covers_body = length >= hash.octets;
    // "This value MUST NOT be larger than the actual number of octets in the canonicalized
    // message body" (§3.5 l=).
    if length > hash.octets {
        return Some((AuthResult::Fail, "body is shorter than l="));
    }
    (signature.body_hash != hash.sha256).then_some((AuthResult::Fail, BODY_HASH_WRONG))
}

impl Verification {
    fn of(claims: Claims) -> Self {
        Self {
            result: AuthResult::Neutral,
            domain: claims.domain.unwrap_or_default(),
            auid: claims.auid,
            selector: claims.selector,
            algorithm: claims.algorithm,
            signature_start: claims.signature,
            reason: None,
            testing: false,
            covers_body: false,
        }
    }

    fn with(self, result: AuthResult, reason: Option<String>) -> Self {
        Self { result, reason: reason.map(text::visible), ..self }
    }
}
