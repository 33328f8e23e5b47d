//! Sealing: one more set on the ARC chain of a message that we verified (RFC 8617 §5.1).
//!
//! A filter can't know which mail leaves here again: with `arc.seal` all that is verified is sealed,
//! and sealed anew when it comes by a second time, from a list on this host that has changed it.
//!
//! Failure: as in signing, a message that can't be sealed goes on without, and the reason is kept.

use std::sync::Arc;

use crate::auth::arc::{self, Gathered, INSTANCE_MAX, MESSAGE_SIGNATURE, RESULTS, SEAL, Status};
use crate::auth::{Authentication, results};
use crate::config;
use crate::dkim::canonical::Canonicalization::Relaxed;
use crate::dkim::canonical::header::{SignatureField, append, append_unsigned};
use crate::dkim::digest::{BodyHashes, BodyWant};
use crate::dkim::folded::Folded;
use crate::dkim::sign::{SignError, SigningRequest};
use crate::dkim::signing_key::SigningKey;
use crate::dkim::{base64, record::KeyType};
use crate::keys::{Key, KeyRing};
use crate::message::header::{Field, HeaderBlock};
use crate::message::origin::Origin;
use crate::result::AuthResult;
use crate::runtime::Runtime;

use super::key_lookup;

/// What the ARC-Message-Signature must not sign (RFC 8617 §4.1.2), and the seal signs.
const NEVER_SIGNED: [&str; 4] = ["Authentication-Results", RESULTS, MESSAGE_SIGNATURE, SEAL];
/// What it should sign (RFC 8617 §4.1.2).
const SIGNED_TOO: &str = "DKIM-Signature";

/// The values of one set's fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// Of the ARC-Authentication-Results.
    pub results: String,
    /// Of the ARC-Message-Signature.
    pub signature: String,
    /// Of the ARC-Seal.
    pub seal: String,
}

/// Why a message cannot be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// RFC 8617 §5.1 step 2.
    #[error("the newest ARC set says that the chain has failed")]
    HasFailed,
    /// RFC 8617 §4.2.1.
    #[error("the ARC chain is full")]
    Full,
    /// The validated chain and the message are not of one another.
    #[error("the ARC sets are no chain")]
    NoChain,
    /// As for a DKIM signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What a set is made of.
#[derive(Clone, Debug)]
pub struct SealRequest<'a> {
    /// The private key.
    pub key: &'a SigningKey,
    /// `d=`, as A-labels.
    pub domain: &'a str,
    /// `s=`, as A-labels.
    pub selector: &'a str,
    /// The names of the fields to be signed where present.
    pub fields: &'a [String],
    /// The names to be listed once more than they are there.
    pub oversigned: &'a [String],
    /// SHA-256 of the body in relaxed canonicalization.
    pub body_hash: &'a [u8; 32],
    /// `t=`, in Unix seconds.
    pub now: u64,
    /// What validation said of the chain (`cv=`).
    pub chain: AuthResult,
}

impl SealRequest<'_> {
    /// Makes the next set. `results` gives the ARC-Authentication-Results of its instance.
    pub fn seal(
        &self,
        headers: &HeaderBlock,
        results: impl FnOnce(u8) -> String,
    ) -> Result<Sealed, SealError> {
        let gathered = arc::gather(headers);
        let (instance, status) = next(gathered.as_ref(), self.chain)?;
        let mut sealed = Vec::with_capacity(4096);
        // §5.1.2: a seal on a broken chain signs its own set alone.
        if let (Status::Pass, Some(Gathered { sets: Ok(sets), .. })) = (status, &gathered) {
            for set in sets {
                arc::append_set(&mut sealed, headers, &set.indices());
            }
        }
        let results = results(instance);
        let signature = self.message_signature(instance, headers)?;
        append(&mut sealed, RESULTS.as_bytes(), results.as_bytes(), Relaxed);
        append(&mut sealed, MESSAGE_SIGNATURE.as_bytes(), signature.as_bytes(), Relaxed);
        let seal = self.arc_seal(instance, status, sealed)?;
        Ok(Sealed { results, signature, seal })
    }

    fn message_signature(&self, instance: u8, headers: &HeaderBlock) -> Result<String, SignError> {
        let may_sign = |name: &&String| !NEVER_SIGNED.iter().any(|n| n.eq_ignore_ascii_case(name));
        let mut fields: Vec<String> = self.fields.iter().filter(may_sign).cloned().collect();
        fields.push(SIGNED_TOO.to_owned());
        let oversigned: Vec<String> = self.oversigned.iter().filter(may_sign).cloned().collect();
        let request = SigningRequest {
            key: self.key,
            domain: self.domain,
            selector: self.selector,
            auid: None,
            header_canonicalization: Relaxed,
            body_canonicalization: Relaxed,
            fields: &fields,
            oversigned: &oversigned,
            body_hash: self.body_hash,
            now: self.now,
            expire_secs: None,
        };
        request.sign_arc(instance, headers)
    }

    /// The seal over `sealed`, and over itself (§5.1.1).
    fn arc_seal(
        &self,
        instance: u8,
        status: Status,
        mut sealed: Vec<u8>,
    ) -> Result<String, SignError> {
        let mut value = Folded::new(SEAL, &format!("i={instance};"));
        value.word(&format!("a={};", self.key.algorithm().as_str()));
        value.word(&format!("cv={};", status.as_str()));
        value.word(&format!("d={};", self.domain));
        value.word(&format!("s={};", self.selector));
        value.word(&format!("t={};", self.now));
        value.signature_tag();
        let end = value.text.len();
        let field = Field { name: SEAL.as_bytes(), value: value.text.as_bytes() };
        let own = SignatureField { field, signature_range: end..end, index: None };
        append_unsigned(&mut sealed, &own, Relaxed);
        value.breakable(&base64::encode(&self.key.sign(&sealed)?));
        Ok(value.text)
    }
}

/// The new set's instance and what its seal says (§5.1 steps 2 to 4).
fn next(gathered: Option<&Gathered>, chain: AuthResult) -> Result<(u8, Status), SealError> {
    let Some(gathered) = gathered else {
        let none = chain == AuthResult::None;
        return none.then_some((1, Status::None)).ok_or(SealError::NoChain);
    };
    if gathered.has_failed {
        return Err(SealError::HasFailed);
    }
    if gathered.highest >= INSTANCE_MAX {
        return Err(SealError::Full);
    }
    let status = match chain {
        AuthResult::Pass if gathered.sets.is_ok() => Status::Pass,
        AuthResult::Fail => Status::Fail,
        _ => return Err(SealError::NoChain),
    };
    Ok((gathered.highest + 1, status))
}

/// The key that seals for a domain. RFC 8617 knows RSA alone, and validators little else.
pub fn key<'a>(keys: &'a KeyRing, domain: &str) -> Option<&'a Arc<Key>> {
    keys.for_domain(domain).iter().find(|key| KeyType::from(key.algorithm()) == KeyType::Rsa)
}

/// How one message is sealed.
pub struct Sealing {
    runtime: Arc<Runtime>,
    key: Arc<Key>,
    basis: Basis,
    now: u64,
}

/// What the set's results rest on.
enum Basis {
    /// The message was verified now. A relay's results are kept and of our own ADMD, and the set
    /// has them, too (RFC 8617 §4.1.1).
    Verified { repeated: Vec<Vec<String>> },
    /// It was verified when it came, as our own seal says.
    Earlier { results: Vec<Vec<String>> },
}

impl Sealing {
    /// Whether and with what a message is sealed: mail that is verified, and mail of local origin
    /// that we sealed when it came, as a list host hands it out.
    pub fn choose(
        runtime: &Arc<Runtime>,
        origin: Origin,
        headers: &HeaderBlock,
        now: u64,
    ) -> Result<Option<Self>, String> {
        if matches!(origin, Origin::Authenticated | Origin::Submission) {
            return Ok(None);
        }
        let Some(domain) = runtime.config.arc.seal_domain.as_deref() else { return Ok(None) };
        let keys = runtime.keys.current();
        let key = key(&keys, domain).cloned();
        let key = key.ok_or_else(|| format!("no active RSA key for {domain}"))?;
        let basis = match origin {
            Origin::Inbound => Some(Basis::Verified { repeated: Vec::new() }),
            Origin::Relay => {
                let repeated = results::repeated(headers, &runtime.authserv_ids);
                Some(Basis::Verified { repeated })
            }
            Origin::Local => earlier(&key, headers)?.map(|results| Basis::Earlier { results }),
            Origin::Authenticated | Origin::Submission => None,
        };
        Ok(basis.map(|basis| Self { runtime: runtime.clone(), key, basis, now }))
    }

    /// The body hash that sealing needs.
    pub fn body_want(&self) -> BodyWant {
        BodyWant { canonicalization: Relaxed, length: None }
    }

    /// The next set of a message, where it can have one; what became of it is added to the reasons.
    pub fn seal(
        &self,
        headers: &HeaderBlock,
        hashes: &BodyHashes,
        auth: &Authentication,
        reasons: &mut Vec<String>,
    ) -> Option<Sealed> {
        let (selector, domain) = (self.key.selector(), self.key.domain());
        let (sealed, reason) = match self.try_seal(headers, hashes, auth) {
            Ok((sealed, status)) => {
                let reason = format!("sealed by {selector} of {domain}: cv={}", status.as_str());
                (Some(sealed), reason)
            }
            Err(reason) => (None, format!("not sealed by {selector} of {domain}: {reason}")),
        };
        reasons.push(reason);
        sealed
    }

    fn try_seal(
        &self,
        headers: &HeaderBlock,
        hashes: &BodyHashes,
        auth: &Authentication,
    ) -> Result<(Sealed, AuthResult), String> {
        let config::Config { sign, identity, .. } = &self.runtime.config;
        let body_hash = hashes.get(&self.body_want()).ok_or("the body was not hashed")?;
        let (chain, repeated) = match &self.basis {
            Basis::Verified { repeated } => {
                (auth.arc.as_ref().map_or(AuthResult::None, |chain| chain.result), repeated)
            }
            Basis::Earlier { results } => (AuthResult::Pass, results),
        };
        let request = SealRequest {
            key: self.key.signing_key().map_err(|error| error.to_string())?,
            domain: self.key.domain().as_str(),
            selector: self.key.selector().as_str(),
            fields: &sign.fields,
            oversigned: &sign.oversign,
            body_hash: &body_hash.sha256,
            now: self.now,
            chain,
        };
        let results =
            |instance| results::render_arc(instance, &identity.authserv_id, auth, repeated);
        let sealed = request.seal(headers, results).map_err(|error| error.to_string())?;
        Ok((sealed, chain))
    }
}

/// What we found when the message came, where our own seal says that it came to us.
fn earlier(key: &Key, headers: &HeaderBlock) -> Result<Option<Vec<Vec<String>>>, String> {
    let (domain, selector) = (key.domain().as_str(), key.selector().as_str());
    let own = arc::own_results(headers, domain, selector, &key_lookup(key)?);
    own.transpose()
}
