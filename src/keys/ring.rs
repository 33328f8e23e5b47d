//! The keys that sign, by domain: read from the store once, shared, and swapped whole.

use std::collections::HashMap;
use std::sync::Arc;

use super::domain::DomainName;
use super::key::Key;
use super::state::KeyState;

/// The active keys of all domains.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: HashMap<DomainName, Vec<Arc<Key>>>,
}

impl KeyRing {
    /// The keys that sign for a domain, in ASCII lower case and A-labels; at most one of an
    /// algorithm, RSA first.
    pub fn for_domain(&self, domain: &str) -> &[Arc<Key>] {
        self.keys.get(domain).map_or(&[], Vec::as_slice)
    }

    /// The domains that have an active key.
    pub fn domains(&self) -> impl Iterator<Item = &DomainName> {
        self.keys.keys()
    }

    /// Whether nothing can be signed.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Puts a domain's keys in the place of those it had; whether the active ones are others. A key
    /// that stays is kept as it is: its private half is parsed.
    pub(super) fn set(&mut self, domain: &DomainName, keys: Vec<Key>) -> bool {
        let active = keys.into_iter().filter(|key| key.state() == KeyState::Active);
        let mut active: Vec<Arc<Key>> = active.map(Arc::new).collect();
        active.sort_by_key(|key| key.algorithm());
        let before = self.for_domain(domain.as_str());
        if before.len() == active.len() && before.iter().zip(&active).all(|(a, b)| a.is_same(b)) {
            return false;
        }
        if active.is_empty() {
            self.keys.remove(domain);
        } else {
            self.keys.insert(domain.clone(), active);
        }
        true
    }

    /// Drops the domains that are not among these, which are sorted; returns what was dropped.
    pub(super) fn retain(&mut self, domains: &[DomainName]) -> Vec<DomainName> {
        let is_gone = |domain: &DomainName, _: &mut _| domains.binary_search(domain).is_err();
        self.keys.extract_if(is_gone).map(|(domain, _)| domain).collect()
    }
}
