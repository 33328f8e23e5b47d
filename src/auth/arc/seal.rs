//! The ARC-Seal header field (RFC 8617 §4.1.3) and the octets that it signs (§5.1.1).

use std::ops::Range;

use crate::dkim::canonical::Canonicalization::Relaxed;
use crate::dkim::canonical::header::{SignatureField, append, append_unsigned};
use crate::dkim::key_check::Signed;
use crate::dkim::signature::{self, Algorithm, SignatureFault};
use crate::dkim::tags::TagList;
use crate::message::header::{Field, HeaderBlock};

/// RFC 8617 §4.1.1
pub(crate) const RESULTS: &str = "ARC-Authentication-Results";
/// RFC 8617 §4.1.2
pub(crate) const MESSAGE_SIGNATURE: &str = "ARC-Message-Signature";
/// RFC 8617 §4.1.3
pub(crate) const SEAL: &str = "ARC-Seal";

/// The Chain Validation Status that a seal reports (`cv=`, §4.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    None,
    Pass,
    Fail,
}

impl Status {
    /// The word in `cv=`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }

    /// Reads `cv=`; ABNF's words are the same in either case.
    pub(super) fn from_tags(tags: &TagList<'_>) -> Option<Self> {
        let word = tags.get("cv")?;
        let all = [Self::None, Self::Pass, Self::Fail];
        all.into_iter().find(|known| word.eq_ignore_ascii_case(known.as_str().as_bytes()))
    }
}

/// A seal whose syntax holds.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    pub(super) status: Status,
    pub(super) algorithm: Algorithm,
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) timestamp: Option<u64>,
    signature: Vec<u8>,
    signature_range: Range<usize>,
}

/// What makes a seal invalid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SealFault {
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// "the DKIM "h" tag is NOT allowed and, if found, MUST result in a cv status of "fail""
    /// (§4.1.3).
    #[error("h= is not allowed")]
    SignedFields,
    #[error("cv= is not none, pass or fail")]
    Status,
}

impl Seal {
    pub(super) fn from_tags(tags: &TagList<'_>) -> Result<Self, SealFault> {
        if tags.get("h").is_some() {
            return Err(SealFault::SignedFields);
        }
        let (signature, signature_range) = signature::signature(tags)?;
        let (domain, selector) = signature::domain_and_selector(tags)?;
        Ok(Self {
            status: Status::from_tags(tags).ok_or(SealFault::Status)?,
            algorithm: signature::algorithm(tags)?,
            domain,
            selector,
            timestamp: signature::timestamp(tags)?,
            signature,
            signature_range,
        })
    }

    /// What is put before the key. There is no AUID that could be of another domain.
    pub(super) fn signed(&self) -> Signed<'_> {
        Signed { algorithm: self.algorithm, octets: &self.signature, is_strict: true }
    }

    /// Appends the seal's field as it signs itself.
    pub(super) fn append_unsigned(&self, out: &mut Vec<u8>, field: Field<'_>) {
        let signature_range = self.signature_range.clone();
        append_unsigned(out, &SignatureField { field, signature_range, index: None }, Relaxed);
    }
}

/// Appends fields of a set as seals sign them: relaxed, in the order given (§5.1.1).
pub(crate) fn append_set(out: &mut Vec<u8>, headers: &HeaderBlock, indices: &[usize]) {
    for field in indices.iter().filter_map(|index| headers.iter().nth(*index)) {
        append(out, field.name, field.value, Relaxed);
    }
}
