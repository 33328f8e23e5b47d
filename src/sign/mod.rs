//! Which keys sign a message, and the signatures themselves (RFC 6376 §5).
//!
//! Failure: a key that can't be used is skipped with a reason; the message goes on with the other
//! signatures or without one. A filter that holds back mail for want of a signature is worse.

pub mod seal;

use std::sync::Arc;

use crate::config::SignLocal;
use crate::dkim::canonical::Canonicalization;
use crate::dkim::digest::{BodyHashes, BodyWant};
use crate::dkim::record;
use crate::dkim::sign::SigningRequest;
use crate::dkim::verify::{self, Check, HeaderCheck, KeyLookup};
use crate::keys::Key;
use crate::message::address::{self, Author};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::result::AuthResult;
use crate::runtime::Runtime;

/// The keys that sign one message.
pub(crate) struct Signers {
    runtime: Arc<Runtime>,
    header_canonicalization: Canonicalization,
    with: Vec<Signer>,
}

struct Signer {
    key: Arc<Key>,
    /// The signatures of this domain and selector that the message carries already.
    earlier: Vec<Earlier>,
}

struct Earlier {
    want: BodyWant,
    check: HeaderCheck,
}

impl Signers {
    /// Chooses the keys, by the author domain; or says why there are none.
    pub(crate) fn choose(
        runtime: &Arc<Runtime>,
        origin: Origin,
        envelope: &Envelope,
        author: &Author,
        headers: &HeaderBlock,
        now: u64,
    ) -> Result<Self, String> {
        let domain = match author {
            Author::Domain(domain) => domain,
            Author::Malformed(malformed) => return Err(malformed.to_string()),
        };
        allowed(runtime.config.sign.local, origin, envelope, domain)?;
        let ring = runtime.keys.current();
        let keys = ring.for_domain(domain);
        if keys.is_empty() {
            return Err(format!("no active key for {domain}"));
        }
        let signers = keys.iter().map(|key| Signer::new(key.clone(), headers, now)).collect();
        let header_canonicalization = runtime.config.sign.header_canonicalization;
        Ok(Self { runtime: runtime.clone(), header_canonicalization, with: signers })
    }

    /// The same keys, with a relaxed header whatever the configuration says.
    #[must_use]
    pub(crate) fn with_relaxed_header(self) -> Self {
        Self { header_canonicalization: Canonicalization::Relaxed, ..self }
    }

    /// The body hashes that signing needs.
    pub(crate) fn body_wants(&self) -> impl Iterator<Item = BodyWant> {
        let earlier = self.with.iter().flat_map(|signer| &signer.earlier);
        earlier.map(|earlier| earlier.want).chain([self.want()])
    }

    fn want(&self) -> BodyWant {
        let canonicalization = self.runtime.config.sign.body_canonicalization;
        BodyWant { canonicalization, length: None }
    }

    /// The values of the signature fields. Which keys signed, and why others did not, is added to
    /// the reasons.
    pub(crate) fn sign(
        &self,
        headers: &HeaderBlock,
        hashes: &BodyHashes,
        now: u64,
        reasons: &mut Vec<String>,
    ) -> Vec<String> {
        let Some(body_hash) = hashes.get(&self.want()) else { return Vec::new() };
        let mut signatures = Vec::new();
        for signer in &self.with {
            let signature = if signer.has_signed(hashes) {
                Err("already signed with this domain and selector".to_owned())
            } else {
                self.sign_with(&signer.key, headers, &body_hash.sha256, now)
            };
            let (selector, domain) = (signer.key.selector(), signer.key.domain());
            match signature {
                Ok(signature) => {
                    signatures.push(signature);
                    reasons.push(format!("signed by {selector} of {domain}"));
                }
                Err(reason) => {
                    reasons.push(format!("not signed by {selector} of {domain}: {reason}"));
                }
            }
        }
        signatures
    }

    fn sign_with(
        &self,
        key: &Key,
        headers: &HeaderBlock,
        body_hash: &[u8; 32],
        now: u64,
    ) -> Result<String, String> {
        let config = &self.runtime.config.sign;
        let request = SigningRequest {
            key: key.signing_key().map_err(|error| error.to_string())?,
            domain: key.domain().as_str(),
            selector: key.selector().as_str(),
            auid: None,
            header_canonicalization: self.header_canonicalization,
            body_canonicalization: config.body_canonicalization,
            fields: &config.fields,
            oversigned: &config.oversign,
            body_hash,
            now,
            expire_secs: config.expire.map(|expire| expire.as_secs()),
        };
        request.sign(headers).map_err(|error| error.to_string())
    }
}

impl Signer {
    fn new(key: Arc<Key>, headers: &HeaderBlock, now: u64) -> Self {
        let earlier = earlier_signatures(&key, headers, now);
        Self { key, earlier }
    }

    /// Whether one of the earlier signatures holds: mail that comes through us twice, as from a
    /// content filter, is signed once.
    fn has_signed(&self, hashes: &BodyHashes) -> bool {
        let passes =
            |earlier: &Earlier| earlier.check.clone().finish(hashes).result == AuthResult::Pass;
        self.earlier.iter().any(passes)
    }
}

/// The signatures of the key's own domain and selector, checked against the key itself.
fn earlier_signatures(key: &Key, headers: &HeaderBlock, now: u64) -> Vec<Earlier> {
    let ours = |check| match check {
        Check::Pending(pending)
            if pending.signature().domain == key.domain().as_str()
                && pending.signature().selector == key.selector().as_str() =>
        {
            Some(pending)
        }
        _ => None,
    };
    let pending: Vec<_> = verify::begin(headers, now).checks.into_iter().filter_map(ours).collect();
    if pending.is_empty() {
        return Vec::new();
    }
    let Ok(lookup) = key_lookup(key) else { return Vec::new() };
    let check = |pending: Box<verify::Pending>| Earlier {
        want: pending.body_want(),
        check: pending.check_key(headers, &lookup, 0),
    };
    pending.into_iter().map(check).collect()
}

/// The key's record as DNS would have it, without asking.
fn key_lookup(key: &Key) -> Result<KeyLookup, String> {
    let key = key.signing_key().map_err(|error| error.to_string())?;
    let text = record::dns_text(key.key_type(), &key.public_key(), false, false);
    Ok(KeyLookup::Found(vec![text.into_bytes()]))
}

/// `sign.local` decides for mail of local origin, where nobody authenticated.
fn allowed(
    local: SignLocal,
    origin: Origin,
    envelope: &Envelope,
    author_domain: &str,
) -> Result<(), String> {
    let refused = match local {
        _ if origin != Origin::Local => return Ok(()),
        SignLocal::All => return Ok(()),
        SignLocal::Off => "mail of local origin, and sign.local is \"off\"",
        SignLocal::Domains => {
            if address::sender_domain(&envelope.mail_from).as_deref() == Some(author_domain) {
                return Ok(());
            }
            "local mail whose reverse path is not of its author domain, and sign.local is \"domains\""
        }
    };
    Err(refused.to_owned())
}
