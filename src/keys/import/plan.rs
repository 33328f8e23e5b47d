//! What an import would do.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::read::{KEY_BYTES_MAX, read};
use crate::config::error::quoted;
use crate::dkim::record::KeyType;
use crate::dkim::signing_key::SigningKey;
pub use crate::file::plain;
use crate::keys::state::Algorithm;
use crate::keys::{DomainName, Selector, Store, StoreError};
use crate::sign::map::Authors;

/// What an import would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The keys, in the order in which they were met.
    pub keys: Vec<FoundKey>,
    /// What is to be written into the configuration.
    pub maps: Vec<PlannedMap>,
    /// What becomes different, one sentence each.
    pub notes: Vec<String>,
    /// What cannot be taken over, one sentence each, its file first.
    pub refused: Vec<String>,
    /// Where in `keys` a domain's selector is.
    found: HashMap<(DomainName, Selector), usize>,
    /// Where in `keys` the one of a domain's algorithm is that signs.
    signing: HashMap<(DomainName, Algorithm), usize>,
}

/// A private key that can be taken over.
pub struct FoundKey {
    /// `d=`
    pub domain: DomainName,
    /// `s=`
    pub selector: Selector,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its size.
    pub bits: u32,
    /// Where it was found.
    pub path: PathBuf,
    /// Whether it is the one of its algorithm that signed for its domain.
    pub signs: bool,
    /// PKCS#8.
    pem: String,
    public_key: Vec<u8>,
}

/// A `[[sign.map]]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedMap {
    /// Whose mail.
    pub from: Authors,
    /// Who signs it.
    pub domain: DomainName,
    /// Whether `i=` is written.
    pub auid: bool,
}

/// A line of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl Plan {
    /// Takes a key file in, or refuses it; `place` is what named it. Returns the key's index.
    pub(super) fn add_file(
        &mut self,
        path: &Path,
        (domain, selector): (&str, &str),
        place: Option<&Place>,
    ) -> Option<usize> {
        let key = read_key(path).map_err(|reason| match place {
            Some(place) => format!("{place}: {}: {reason}", plain(path)),
            None => format!("{}: {reason}", plain(path)),
        });
        let at = place.map_or_else(|| plain(path), ToString::to_string);
        let key = self.or_refuse(key)?;
        self.add(&key, path, (domain, selector), &at)
    }

    fn add(
        &mut self,
        key: &SigningKey,
        path: &Path,
        (domain, selector): (&str, &str),
        at: &str,
    ) -> Option<usize> {
        let parsed = DomainName::parse(domain).map_err(|error| format!("{at}: domain {error}"));
        let domain = self.or_refuse(parsed)?;
        let parsed = Selector::parse(selector).map_err(|error| format!("{at}: selector {error}"));
        let selector = self.or_refuse(parsed)?;
        let public_key = key.public_key();
        if let Some(&index) = self.found.get(&(domain.clone(), selector.clone())) {
            let first = &self.keys[index];
            if first.public_key == public_key {
                return Some(index);
            }
            let first = plain(&first.path);
            let reason = format!("{at}: {selector} of {domain} is another key than in {first}");
            return self.or_refuse(Err(reason));
        }
        let pem = key.to_pem().map_err(|error| format!("{at}: {error}"));
        let pem = self.or_refuse(pem)?;
        let algorithm = match key.key_type() {
            KeyType::Rsa => Algorithm::Rsa,
            KeyType::Ed25519 => Algorithm::Ed25519,
        };
        let (path, bits) = (path.to_owned(), key.bits());
        let found =
            FoundKey { domain, selector, algorithm, bits, path, signs: false, pem, public_key };
        let index = self.keys.len();
        self.found.insert((found.domain.clone(), found.selector.clone()), index);
        self.keys.push(found);
        Some(index)
    }

    /// Keys an error for the list of what is refused.
    pub(super) fn or_refuse<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.refused.push(reason)).ok()
    }

    pub(super) fn refuse(&mut self, reason: String) {
        self.refused.push(reason);
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Where no table says which key signs: the first of each algorithm of a domain.
    pub fn first_ones_sign(&mut self) {
        for index in 0..self.keys.len() {
            self.sign_with(index);
        }
    }

    /// Has a key sign, unless another of its domain and algorithm does; returns the one that does.
    pub(super) fn sign_with(&mut self, index: usize) -> usize {
        let key = &mut self.keys[index];
        let signing = *self.signing.entry((key.domain.clone(), key.algorithm)).or_insert(index);
        key.signs |= signing == index;
        signing
    }

    /// Leaves out what is in the store, and refuses what another key stands in the way of.
    pub fn compare(&mut self, store: &Store) {
        for key in std::mem::take(&mut self.keys) {
            let FoundKey { domain, selector, .. } = &key;
            match store.state(domain) {
                Ok(state) if state.entry(selector).is_some() => {}
                _ => {
                    self.keys.push(key);
                    continue;
                }
            }
            if stored_public_key(store, domain, selector).as_ref() == Some(&key.public_key) {
                self.note(format!("{selector} of {domain} is in the store already"));
            } else {
                let path = plain(&key.path);
                self.refuse(format!("{path}: the store has another key {selector} of {domain}"));
            }
        }
    }
}

impl FoundKey {
    /// Writes it into the store, pending.
    pub fn write(&self, store: &Store, now: u64) -> Result<Selector, StoreError> {
        store.add(&self.domain, Some(self.selector.clone()), self.algorithm, &self.pem, now)
    }
}

fn stored_public_key(store: &Store, domain: &DomainName, selector: &Selector) -> Option<Vec<u8>> {
    let (keys, _) = store.keys(domain).ok()?;
    let key = keys.into_iter().find(|key| key.selector() == selector)?;
    Some(key.signing_key().ok()?.public_key())
}

fn read_key(path: &Path) -> Result<SigningKey, String> {
    let text = read(path, KEY_BYTES_MAX)?;
    SigningKey::from_foreign(&text).map_err(|error| error.to_string())
}

/// Without the private half.
impl fmt::Debug for FoundKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoundKey")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// As TOML, to be pasted into the configuration.
impl fmt::Display for PlannedMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match &self.from {
            Authors::Domain(domain) => domain.clone(),
            Authors::Below(parent) => format!("*.{parent}"),
            Authors::Any => "*".to_owned(),
        };
        // Both are names in their one form, which needs no escapes.
        write!(f, "[[sign.map]]\nfrom = {from:?}\ndomain = \"{}\"\n", self.domain)?;
        if self.auid { Ok(()) } else { writeln!(f, "auid = false") }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", plain(&self.path), self.line)
    }
}

/// Foreign text in an error.
pub(super) fn shown(text: &str) -> String {
    quoted(text)
}
