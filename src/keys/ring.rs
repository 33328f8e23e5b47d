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
    /// Those that do not sign: mail that they signed may still come back.
    others: HashMap<DomainName, Vec<Arc<Key>>>,
}

impl KeyRing {
    /// The keys that sign for a domain, in ASCII lower case and A-labels; at most one of an
    /// algorithm, RSA first.
    pub fn for_domain(&self, domain: &str) -> &[Arc<Key>] {
        self.keys.get(domain).map_or(&[], Vec::as_slice)
    }

    /// All keys of a domain that have a private half, whatever their state; those that sign first.
    pub fn known(&self, domain: &str) -> impl Iterator<Item = &Arc<Key>> {
        self.for_domain(domain).iter().chain(self.others.get(domain).into_iter().flatten())
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
    /// that stays is kept as it is: its private half is parsed. Of those that are active,
    /// `is_suspended` tells which do not sign all the same.
    pub(super) fn set(
        &mut self,
        domain: &DomainName,
        keys: Vec<Key>,
        is_suspended: impl Fn(&Key) -> bool,
    ) -> bool {
        let signs = |key: &Arc<Key>| key.state() == KeyState::Active && !is_suspended(key);
        let (mut active, others): (Vec<_>, Vec<_>) =
            keys.into_iter().map(Arc::new).partition(signs);
        if others.is_empty() {
            self.others.remove(domain);
        } else {
            self.others.insert(domain.clone(), others);
        }
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
        self.others.retain(|domain, _| domains.binary_search(domain).is_ok());
        self.keys.extract_if(is_gone).map(|(domain, _)| domain).collect()
    }
}
