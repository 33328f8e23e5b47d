//! Which signatures an edit of the header breaks (RFC 6376 §3.7).

use super::canonical::header::{SignatureField, hash_input};
use super::signature::Signature;
use super::verify::SIGNATURES_MAX;
use crate::message::header::{Field, HeaderBlock};

const DKIM_SIGNATURE: &str = "DKIM-Signature";

/// The signing domains of the signatures that no longer sign what they signed. One that was itself
/// taken out is not broken.
pub(crate) fn broken(before: &HeaderBlock, after: &HeaderBlock) -> Vec<String> {
    let signatures = before.iter().enumerate().filter(|(_, field)| field.is(DKIM_SIGNATURE));
    let mut domains: Vec<String> = Vec::new();
    for (index, field) in signatures.take(SIGNATURES_MAX) {
        let Ok(signature) = Signature::parse(field.value) else { continue };
        let is_there = |other: Field<'_>| other.is(DKIM_SIGNATURE) && other.value == field.value;
        let Some(index_after) = after.iter().position(is_there) else { continue };
        let signed = |headers: &HeaderBlock, index: usize| {
            let signature_range = signature.signature_range.clone();
            let own = SignatureField { field, signature_range, index: Some(index) };
            hash_input(headers, &signature.signed_fields, &own, signature.header_canonicalization)
        };
        if signed(before, index) != signed(after, index_after)
            && !domains.contains(&signature.domain)
        {
            domains.push(signature.domain);
        }
    }
    domains
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = " v=1; a=rsa-sha256; d=example.net; s=a; h=from:from:subject; \
                          bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=YQ==; c=relaxed/simple";

    fn block(fields: &[(&str, &str)]) -> HeaderBlock {
        let mut block = HeaderBlock::default();
        for (name, value) in fields {
            block.push(name.as_bytes(), value.as_bytes());
        }
        block
    }

    #[test]
    fn only_what_is_signed_matters() {
        let (from, subject) = (("From", " a@example.net"), ("Subject", " a"));
        let signature = ("DKIM-Signature", SIGNED);
        let before = block(&[signature, from, subject]);
        let whole: &[&[(&str, &str)]] = &[
            &[("X-New", " a"), signature, from, ("subject", "a ")],
            &[("Subject", " above is not signed"), signature, from, subject],
            &[from, subject],
        ];
        let broken_ones: &[&[(&str, &str)]] = &[
            &[signature, from, ("Subject", " b")],
            &[signature, from, subject, ("Subject", " below")],
            &[("From", " oversigned"), signature, from, subject],
            &[signature, from],
        ];
        for after in whole {
            assert_eq!(broken(&before, &block(after)), [""; 0], "{after:?}");
        }
        for after in broken_ones {
            assert_eq!(broken(&before, &block(after)), ["example.net"], "{after:?}");
        }
    }
}
