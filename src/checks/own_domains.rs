//! The domains that are ours, with those below them.

use std::collections::HashSet;

use crate::keys::KeyRing;

/// The domains that are ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnDomains<'a> {
    /// `identity.local_domains`.
    pub named: &'a HashSet<String>,
    /// Where none are named, those that have active keys here.
    pub keys: &'a KeyRing,
}

impl OwnDomains<'_> {
    /// Whether a domain, normalized, is one of them or below one.
    pub(crate) fn hold(&self, domain: &str) -> bool {
        if self.named.is_empty() {
            return self.sign(domain);
        }
        with_parents(domain).any(|domain| self.named.contains(domain))
    }

    /// Whether a domain, normalized, or one above it has active keys.
    pub(crate) fn sign(&self, domain: &str) -> bool {
        with_parents(domain).any(|domain| !self.keys.for_domain(domain).is_empty())
    }
}

/// The domain, and those above it.
fn with_parents(domain: &str) -> impl Iterator<Item = &str> {
    let above = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
    std::iter::once(domain).chain(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_below_ours_are_ours() {
        let named = HashSet::from(["example.org".to_owned()]);
        let own = OwnDomains { named: &named, keys: &KeyRing::default() };
        for (domain, is_ours) in [
            ("example.org", true),
            ("a.b.example.org", true),
            ("notexample.org", false),
            ("org", false),
            ("example.org.evil.example", false),
        ] {
            assert_eq!(own.hold(domain), is_ours, "{domain}");
        }
    }
}
