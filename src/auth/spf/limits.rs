//! What one evaluation may ask of DNS (RFC 7208 §4.6.4).

use super::evaluate::Trouble;
use super::record::cut;

/// Terms that ask DNS, in all records of one evaluation.
const DNS_TERMS_MAX: usize = 10;
/// Such terms for which DNS has nothing.
const VOID_LOOKUPS_MAX: usize = 2;
/// Names of one `mx`; more are permerror.
pub(super) const MX_NAMES_MAX: usize = 10;
/// Names of the client that are validated; more are ignored.
pub(super) const PTR_NAMES_MAX: usize = 10;

/// What was asked so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    dns_terms: usize,
    void_lookups: usize,
}

impl Budget {
    /// Counts a term that asks DNS.
    pub(super) fn spend_term(&mut self, term: &str) -> Result<(), Trouble> {
        self.dns_terms += 1;
        if self.dns_terms <= DNS_TERMS_MAX {
            return Ok(());
        }
        let term = cut(term);
        Err(Trouble::Permanent(format!("more than {DNS_TERMS_MAX} terms that ask DNS, at {term}")))
    }

    /// Counts a term's look-up for which DNS has nothing.
    pub(super) fn spend_void(&mut self, kind: &str, name: &str) -> Result<(), Trouble> {
        self.void_lookups += 1;
        if self.void_lookups <= VOID_LOOKUPS_MAX {
            return Ok(());
        }
        let name = cut(name);
        Err(Trouble::Permanent(format!(
            "more than {VOID_LOOKUPS_MAX} look-ups of nothing, at {kind} of {name}"
        )))
    }
}
