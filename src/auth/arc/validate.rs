//! Chain validation (RFC 8617 §5.2), in three steps as a DKIM signature's: the header fields alone,
//! the keys, the body. None of them borrows the message.
//!
//! The chain holds where the newest ARC-Message-Signature and all seals verify; the older signatures
//! only say how far back the message is unchanged.

use super::endorse::endorsements;
use super::seal::{MESSAGE_SIGNATURE, Seal, append_set};
use super::set::{Gathered, Set, gather};
use super::{ArcChain, Sealer};
use crate::dkim::digest::{BodyHashes, BodyWant};
use crate::dkim::key_check::check_lookup;
use crate::dkim::name::key_name;
use crate::dkim::signature::{Algorithm, Signature};
use crate::dkim::verify::{self, CLOCK_SKEW_SECS_MAX, KeyLookup};
use crate::message::header::HeaderBlock;
use crate::result::AuthResult;

/// How many older signatures are looked at for `header.oldest-pass`, which is optional
/// (§5.2 step 5); each costs a hash of the header fields that it signs.
const OLDER_MAX: usize = 9;

/// A chain after the checks that need the header alone.
#[derive(Clone, Debug)]
pub enum Check {
    /// Its result is known.
    Done(ArcChain),
    /// It wants its key records and digests of the body.
    Pending(Box<Pending>),
}

/// A chain that waits for its key records.
#[derive(Clone, Debug)]
pub struct Pending {
    chain: ArcChain,
    sets: Vec<Set>,
    newest: verify::Pending,
    /// The newest of the older first.
    older: Vec<Older<verify::Pending>>,
    query_names: Vec<String>,
}

/// A chain whose header fields are checked, and whose body is not.
#[derive(Clone, Debug)]
pub struct HeaderCheck {
    chain: ArcChain,
    newest: verify::HeaderCheck,
    older: Vec<Older<verify::HeaderCheck>>,
    seals: Result<(), String>,
}

/// An older ARC-Message-Signature.
#[derive(Clone, Debug)]
enum Older<T> {
    /// It can't verify.
    Broken,
    /// It would cost a look-up of its own.
    Unasked,
    Wanted(Box<T>),
}

/// Finds a message's chain and checks what needs no look-up; `now` is in Unix seconds.
pub fn begin(headers: &HeaderBlock, now: u64) -> Check {
    let Some(Gathered { highest, has_failed, sets }) = gather(headers) else {
        return Check::Done(ArcChain::new(AuthResult::None));
    };
    let chain = ArcChain { instance: highest, ..ArcChain::new(AuthResult::Fail) };
    // §5.2 step 2, before the structure: a sealer that found a broken chain has left it so.
    if has_failed {
        return Check::Done(chain.failed(format!("ARC-Seal {highest} says cv=fail")));
    }
    match sets {
        Ok(sets) => Pending::of(chain, sets, now),
        Err(fault) => Check::Done(chain.failed(fault.to_string())),
    }
}

impl Pending {
    fn of(mut chain: ArcChain, sets: Vec<Set>, now: u64) -> Check {
        let newest_first = sets.iter().rev();
        chain.sealers = newest_first
            .map(|set| Sealer {
                instance: set.instance,
                domain: set.seal.domain.clone(),
                selector: set.seal.selector.clone(),
            })
            .collect();
        let (newest, query_names) = match wanted(&sets, now) {
            Ok(wanted) => wanted,
            Err(reason) => return Check::Done(chain.failed(reason)),
        };
        let older = sets.iter().rev().skip(1).take(OLDER_MAX).map(|set| {
            match message_signature(set, now) {
                Err(_) => Older::Broken,
                Ok(p) if query_names.iter().any(|name| name == p.query_name()) => Older::Wanted(p),
                Ok(_) => Older::Unasked,
            }
        });
        let older = older.collect();
        Check::Pending(Box::new(Self { chain, sets, newest, older, query_names }))
    }

    /// The names whose TXT records are wanted, each once: no more than 51.
    pub fn query_names(&self) -> &[String] {
        &self.query_names
    }

    /// The newest ARC-Message-Signature.
    pub(crate) fn newest_signature(&self) -> &Signature {
        self.newest.signature()
    }

    /// The digests that are wanted of the body.
    pub fn body_wants(&self) -> impl Iterator<Item = BodyWant> {
        let older = self.older.iter().filter_map(|older| match older {
            Older::Wanted(pending) => Some(pending.body_want()),
            _ => None,
        });
        older.chain([self.newest.body_want()])
    }

    /// Checks the key records and with them the header fields. `lookups` answers
    /// [`query_names`](Self::query_names) in their order; `headers` is the block that [`begin`]
    /// read; `trusted_sealers` are domains, in ASCII lower case.
    pub fn check_keys(
        self,
        headers: &HeaderBlock,
        lookups: &[KeyLookup],
        rsa_bits_min: u32,
        trusted_sealers: &[String],
    ) -> HeaderCheck {
        let Self { mut chain, sets, newest, older, query_names } = self;
        let lookup = |name: &str| {
            let mut answers = query_names.iter().zip(lookups);
            answers.find(|(known, _)| *known == name).map_or(&KeyLookup::NotFound, |(_, key)| key)
        };
        let check = |pending: verify::Pending| {
            let answer = lookup(pending.query_name());
            pending.check_key(headers, answer, rsa_bits_min)
        };
        let seals = check_seals(headers, &sets, rsa_bits_min, lookup);
        chain.endorsements = endorsements(headers, &sets, trusted_sealers);
        let older = older.into_iter().map(|older| match older {
            Older::Broken => Older::Broken,
            Older::Unasked => Older::Unasked,
            Older::Wanted(pending) => Older::Wanted(Box::new(check(*pending))),
        });
        HeaderCheck { chain, older: older.collect(), newest: check(newest), seals }
    }
}

/// The newest signature, and the names of all keys.
fn wanted(sets: &[Set], now: u64) -> Result<(verify::Pending, Vec<String>), String> {
    let newest = sets.last().ok_or("no ARC set")?;
    let newest = message_signature(newest, now)
        .map_err(|reason| format!("{MESSAGE_SIGNATURE} {}: {reason}", newest.instance))?;
    let mut query_names = vec![newest.query_name().to_owned()];
    for set in sets.iter().rev() {
        let name = query_name(&set.seal, now)
            .map_err(|reason| format!("ARC-Seal {}: {reason}", set.instance))?;
        if !query_names.contains(&name) {
            query_names.push(name);
        }
    }
    Ok((*newest, query_names))
}

/// The set's ARC-Message-Signature where it can be verified, or why it cannot.
fn message_signature(set: &Set, now: u64) -> Result<Box<verify::Pending>, String> {
    let signature = set.signature.clone().map_err(|fault| fault.to_string())?;
    match verify::begin_parsed(signature, set.message, now) {
        verify::Check::Pending(pending) => Ok(pending),
        verify::Check::Done(verification) => Err(verification.reason.unwrap_or_default()),
    }
}

/// The name of the seal's key, where the seal can be verified: it is refused for what a DKIM
/// signature is refused for.
fn query_name(seal: &Seal, now: u64) -> Result<String, &'static str> {
    if seal.algorithm == Algorithm::RsaSha1 {
        return Err("rsa-sha1 is not accepted, RFC 8301");
    }
    if seal.timestamp.is_some_and(|time| time > now.saturating_add(CLOCK_SKEW_SECS_MAX)) {
        return Err("signature timestamp is in the future");
    }
    key_name(&seal.selector, &seal.domain).ok_or("no key for signature, its name is too long")
}

/// §5.2 step 6: verifies all seals, and reports the newest that fails. A seal signs all sets up to
/// its own (§5.1.1), so that they are put together once, from the oldest on.
fn check_seals<'a>(
    headers: &HeaderBlock,
    sets: &[Set],
    rsa_bits_min: u32,
    lookup: impl Fn(&str) -> &'a KeyLookup,
) -> Result<(), String> {
    let mut sealed = Vec::with_capacity(4096);
    let mut result = Ok(());
    for set in sets {
        let [results, message, seal] = set.indices();
        append_set(&mut sealed, headers, &[results, message]);
        let before_seal = sealed.len();
        if let Some(field) = headers.iter().nth(seal) {
            set.seal.append_unsigned(&mut sealed, field);
        }
        let name = key_name(&set.seal.selector, &set.seal.domain).unwrap_or_default();
        let outcome = check_lookup(set.seal.signed(), || &*sealed, lookup(&name), rsa_bits_min);
        if outcome.result != AuthResult::Pass {
            let reason = outcome.reason.unwrap_or_default();
            result = Err(format!("ARC-Seal {}: {reason}", set.instance));
        }
        sealed.truncate(before_seal);
        append_set(&mut sealed, headers, &[seal]);
    }
    result
}

impl HeaderCheck {
    /// Compares the body's digests, and says the result.
    pub fn finish(self, hashes: &BodyHashes) -> ArcChain {
        let Self { mut chain, newest, older, seals } = self;
        let instance = chain.instance;
        // §5.2 step 4
        let newest = newest.finish(hashes);
        chain.covers_body = newest.covers_body;
        if newest.result != AuthResult::Pass {
            let reason = newest.reason.unwrap_or_default();
            return chain.failed(format!("{MESSAGE_SIGNATURE} {instance}: {reason}"));
        }
        if let Err(reason) = seals {
            return chain.failed(reason);
        }
        let oldest_pass = oldest_pass(instance, older, hashes);
        ArcChain { result: AuthResult::Pass, oldest_pass, ..chain }
    }
}

/// §5.2 step 5, from the newest of the older signatures on.
fn oldest_pass(
    newest: u8,
    older: Vec<Older<verify::HeaderCheck>>,
    hashes: &BodyHashes,
) -> Option<u8> {
    let mut oldest = newest;
    for older in older {
        let passes = match older {
            Older::Broken => false,
            Older::Unasked => return None,
            Older::Wanted(check) => check.finish(hashes).result == AuthResult::Pass,
        };
        if !passes {
            return Some(oldest);
        }
        oldest -= 1;
    }
    (oldest == 1).then_some(0)
}
