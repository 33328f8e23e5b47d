//! The keys that sign, by domain: loaded once, shared, and swapped whole.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::domain::DomainName;
use super::error::StoreError;
use super::key::Key;
use super::state::KeyState;
use super::store::Store;

/// The active keys of all domains.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: HashMap<DomainName, Vec<Arc<Key>>>,
}

impl KeyRing {
    /// Loads the active keys of a store. What is wrong with one domain or key leaves the others
    /// alone; each problem names a path and its remedy. Keys are parsed when they first sign.
    pub fn load(root: &Path) -> (Self, Vec<StoreError>) {
        let store = Store::new(root);
        let (domains, mut problems) = match store.domains() {
            Ok(found) => found,
            Err(problem) => return (Self::default(), vec![problem]),
        };
        let mut ring = Self::default();
        for domain in domains {
            match store.keys(&domain) {
                Ok((keys, more)) => {
                    problems.extend(more);
                    ring.insert(domain, keys);
                }
                Err(problem) => problems.push(problem),
            }
        }
        (ring, problems)
    }

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

    fn insert(&mut self, domain: DomainName, keys: Vec<Key>) {
        let active = keys.into_iter().filter(|key| key.state() == KeyState::Active);
        let mut active: Vec<Arc<Key>> = active.map(Arc::new).collect();
        active.sort_by_key(|key| key.algorithm());
        if !active.is_empty() {
            self.keys.insert(domain, active);
        }
    }
}
