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
        let is_ours = |domain: &str| match self.named.is_empty() {
            true => !self.keys.for_domain(domain).is_empty(),
            false => self.named.contains(domain),
        };
        let below = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
        std::iter::once(domain).chain(below).any(is_ours)
    }
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
