//! Which keys sign a message, and the signatures themselves (RFC 6376 §5).
//!
//! Failure: a key that can't be used is skipped with a reason; the message goes on with the other
//! signatures or without one. A filter that holds back mail for want of a signature is worse.

pub(crate) mod lines;
pub mod map;
mod not_signed;
pub mod seal;

use std::sync::Arc;

use crate::config::{self, SignLocal};
use crate::dkim::canonical::Canonicalization;
use crate::dkim::digest::{BodyHashes, BodyWant};
use crate::dkim::record;
use crate::dkim::sign::SigningRequest;
use crate::dkim::verify::{self, Check, HeaderCheck, KeyLookup};
use crate::keys::{Key, KeyRing};
use crate::message::address::{self, Author};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::result::AuthResult;
use crate::runtime::Runtime;
use lines::{BodyLines, refold};
use map::Chosen;

pub use not_signed::NotSigned;

/// The field of our signatures (RFC 6376 §3.5).
const DKIM_SIGNATURE: &str = "DKIM-Signature";

/// The keys that sign one message.
pub(crate) struct Signers {
    runtime: Arc<Runtime>,
    header_canonicalization: Canonicalization,
    with: Vec<Signer>,
    body_lines: BodyLines,
    /// Of the domains that would have signed.
    not_signed: Vec<NotSigned>,
}

struct Signer {
    key: Arc<Key>,
    /// `i=`
    auid: Option<String>,
    /// The signatures of this domain and selector that the message carries already.
    earlier: Vec<Earlier>,
}

struct Earlier {
    want: BodyWant,
    check: HeaderCheck,
}

/// A signature, as a field to be put into the message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SignatureField {
    /// The field's name.
    pub(crate) name: &'static str,
    /// The field's value, to stand after the colon and one space.
    pub(crate) value: String,
}

/// What came of signing one message.
#[derive(Debug, Default)]
pub(crate) struct Signed {
    /// The header that was signed, where it is not the one that was given.
    pub(crate) headers: Option<HeaderBlock>,
    /// The fields of it whose long lines were folded, by their indexes, and their values.
    pub(crate) folded: Vec<(usize, String)>,
    /// The signatures.
    pub(crate) signatures: Vec<SignatureField>,
    /// What did not sign.
    pub(crate) without: Vec<NotSigned>,
    /// Sentences on all of that.
    pub(crate) reasons: Vec<String>,
}

impl Signers {
    /// Chooses the keys, by the author domain and `sign.map`; or says why there are none.
    pub(crate) fn choose(
        runtime: &Arc<Runtime>,
        origin: Origin,
        envelope: &Envelope,
        author: &Author,
        headers: &HeaderBlock,
        now: u64,
    ) -> Result<Self, NotSigned> {
        let domain = match author {
            Author::Domain(domain) => domain,
            Author::Malformed(malformed) => return Err(NotSigned::MalformedFrom(*malformed)),
        };
        allowed(runtime.config.sign.local, origin, envelope, domain)?;
        let ring = runtime.keys.current();
        let (mut with, mut not_signed) = (Vec::new(), Vec::new());
        let has_own = !ring.for_domain(domain).is_empty();
        for chosen in runtime.config.sign.map.signers(domain, has_own) {
            match keys(&ring, &chosen, domain) {
                Ok(keys) => with.extend(
                    keys.map(|key| Signer::new(key.clone(), chosen.auid(domain), headers, now)),
                ),
                Err(reason) => not_signed.push(reason),
            }
        }
        if with.is_empty() {
            // Several reasons only where several maps sign; the first is of the closest.
            let reason = not_signed.into_iter().next();
            return Err(reason.unwrap_or_else(|| NotSigned::NoKey(domain.clone())));
        }
        Ok(Self {
            runtime: runtime.clone(),
            header_canonicalization: runtime.config.sign.header_canonicalization,
            with,
            body_lines: BodyLines::default(),
            not_signed,
        })
    }

    /// The same keys, with a relaxed header whatever the configuration says.
    #[must_use]
    pub(crate) fn with_relaxed_header(self) -> Self {
        Self { header_canonicalization: Canonicalization::Relaxed, ..self }
    }

    /// The body hashes that signing needs.
    pub(crate) fn body_wants(&self) -> impl Iterator<Item = BodyWant> {
        let earlier = self.with.iter().flat_map(|signer| &signer.earlier);
        let want = body_want(&self.runtime.config.sign);
        earlier.map(|earlier| earlier.want).chain([want])
    }

    /// Looks at the next chunk of the body.
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        self.body_lines.update(chunk);
    }

    /// Signs the message with the header that it will leave with, the long lines of which are
    /// folded. `is_edited`: whether that is another one than the message came with.
    pub(crate) fn sign(
        &self,
        headers: &HeaderBlock,
        is_edited: bool,
        hashes: &BodyHashes,
        now: u64,
    ) -> Signed {
        let mut signed = Signed::default();
        for reason in &self.not_signed {
            signed.push_reason(None, reason.clone());
        }
        let (signed_before, unsigned): (Vec<_>, Vec<_>) = self.with.iter().partition(|signer| {
            if is_edited {
                has_signed(&earlier_signatures(&signer.key, headers, now), hashes)
            } else {
                has_signed(&signer.earlier, hashes)
            }
        });
        for signer in signed_before {
            signed.push_reason(Some(&signer.key), NotSigned::AlreadySigned);
        }
        if unsigned.is_empty() {
            // A signature that holds must not be broken by a fold.
            return signed;
        }
        let refolded = refold(headers);
        signed.reasons.extend(refolded.reasons);
        signed.reasons.extend(self.body_lines.finish());
        for signer in unsigned {
            signed.push(&signer.key, self.sign_with(signer, &refolded.headers, hashes, now));
        }
        if !signed.signatures.is_empty() && !refolded.folded.is_empty() {
            signed.headers = Some(refolded.headers.into_owned());
            signed.folded = refolded.folded;
        }
        signed
    }

    fn sign_with(
        &self,
        signer: &Signer,
        headers: &HeaderBlock,
        hashes: &BodyHashes,
        now: u64,
    ) -> Result<SignatureField, NotSigned> {
        let config = &self.runtime.config.sign;
        let key = &signer.key;
        let body_hash = hashes.get(&body_want(config)).ok_or(NotSigned::NoBodyHash)?;
        let request = SigningRequest {
            key: key.signing_key().map_err(|error| NotSigned::Key(error.to_string()))?,
            domain: key.domain().as_str(),
            selector: key.selector().as_str(),
            auid: signer.auid.as_deref(),
            header_canonicalization: self.header_canonicalization,
            body_canonicalization: config.body_canonicalization,
            fields: &config.fields,
            oversigned: &config.oversign,
            body_hash: &body_hash.sha256,
            now,
            expire_secs: config.expire.map(|expire| expire.as_secs()),
        };
        Ok(SignatureField { name: DKIM_SIGNATURE, value: request.sign(headers)? })
    }
}

impl Signed {
    /// Nothing was signed, for this reason.
    pub(crate) fn not(reason: NotSigned) -> Self {
        let mut signed = Self::default();
        signed.push_reason(None, reason);
        signed
    }

    fn push(&mut self, key: &Key, signature: Result<SignatureField, NotSigned>) {
        match signature {
            Ok(signature) => {
                self.signatures.push(signature);
                self.reasons.push(format!("signed by {} of {}", key.selector(), key.domain()));
            }
            Err(reason) => self.push_reason(Some(key), reason),
        }
    }

    /// One reasoned line, of one key or of the message.
    fn push_reason(&mut self, key: Option<&Key>, reason: NotSigned) {
        let by = key.map(|key| format!(" by {} of {}", key.selector(), key.domain()));
        self.reasons.push(format!("not signed{}: {reason}", by.unwrap_or_default()));
        self.without.push(reason);
    }
}

/// What our signatures want of the body.
pub(crate) fn body_want(config: &config::Sign) -> BodyWant {
    BodyWant { canonicalization: config.body_canonicalization, length: None }
}

/// Why mail of another origin is not signed, though its author domain has keys: what an operator
/// asks whose own clients are not known as such.
pub(crate) fn not_ours(runtime: &Runtime, origin: Origin, author: &Author) -> Option<NotSigned> {
    let domain = author.domain()?;
    let has_keys = !runtime.keys.current().for_domain(domain).is_empty();
    has_keys.then(|| NotSigned::NotOurs { domain: domain.to_owned(), origin })
}

/// The active keys of one that signs.
fn keys<'a>(
    ring: &'a KeyRing,
    chosen: &Chosen<'a>,
    author: &str,
) -> Result<impl Iterator<Item = &'a Arc<Key>>, NotSigned> {
    let Chosen { domain, selectors, is_mapped, .. } = *chosen;
    let is_selected =
        move |key: &&Arc<Key>| selectors.is_empty() || selectors.contains(key.selector());
    let keys = ring.for_domain(domain);
    if keys.iter().any(|key| is_selected(&key)) {
        return Ok(keys.iter().filter(is_selected));
    }
    Err(match (keys, is_mapped) {
        ([], true) => {
            NotSigned::NoMappedKey { domain: domain.to_owned(), author: author.to_owned() }
        }
        ([], false) => NotSigned::NoKey(domain.to_owned()),
        _ => NotSigned::NoSelectedKey(domain.to_owned()),
    })
}

impl Signer {
    fn new(key: Arc<Key>, auid: Option<String>, headers: &HeaderBlock, now: u64) -> Self {
        let earlier = earlier_signatures(&key, headers, now);
        Self { key, auid, earlier }
    }
}

/// Whether one of the earlier signatures holds: mail that comes through us twice, as from a
/// content filter, is signed once.
fn has_signed(earlier: &[Earlier], hashes: &BodyHashes) -> bool {
    let passes =
        |earlier: &Earlier| earlier.check.clone().finish(hashes).result == AuthResult::Pass;
    earlier.iter().any(passes)
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
pub(crate) fn key_lookup(key: &Key) -> Result<KeyLookup, String> {
    let key = key.signing_key().map_err(|error| error.to_string())?;
    let text = record::dns_text(key.key_type(), &key.public_key(), false, false);
    Ok(KeyLookup::Found(vec![text.into_bytes()]))
}

/// `sign.local` decides for mail of local origin, where nobody authenticated: `sendmail(1)`, webmail.
fn allowed(
    local: SignLocal,
    origin: Origin,
    envelope: &Envelope,
    author_domain: &str,
) -> Result<(), NotSigned> {
    match local {
        _ if origin != Origin::Local => Ok(()),
        SignLocal::All => Ok(()),
        SignLocal::Off => Err(NotSigned::LocalOff),
        SignLocal::Domains => {
            let sender = address::sender_domain(&envelope.mail_from);
            let is_authors = sender.as_deref() == Some(author_domain);
            is_authors.then_some(()).ok_or(NotSigned::LocalSender)
        }
    }
}
