//! One key of the store: its private half is parsed when it is first used.

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::domain::{DomainName, Selector};
use super::error::StoreError;
use super::state::{Algorithm, KeyEntry, KeyState};
use crate::dkim::record::KeyType;
use crate::dkim::signing_key::SigningKey;

/// A key with its private half.
pub struct Key {
    domain: DomainName,
    entry: KeyEntry,
    path: PathBuf,
    pem: String,
    signing: OnceLock<Result<SigningKey, String>>,
}

impl Key {
    pub(super) fn new(domain: DomainName, entry: KeyEntry, path: PathBuf, pem: String) -> Self {
        Self { domain, entry, path, pem, signing: OnceLock::new() }
    }

    /// The signing domain (`d=`).
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The selector (`s=`).
    pub fn selector(&self) -> &Selector {
        &self.entry.selector
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.entry.algorithm
    }

    /// Where the key is in its life.
    pub fn state(&self) -> KeyState {
        self.entry.state
    }

    /// When it came there, in seconds since 1970.
    pub fn since(&self) -> u64 {
        self.entry.since
    }

    /// The private half, parsed once (some 0.1 ms) and shared by all that sign with it.
    pub fn signing_key(&self) -> Result<&SigningKey, StoreError> {
        let parsed = self.signing.get_or_init(|| self.parse());
        parsed
            .as_ref()
            .map_err(|reason| StoreError::Key { path: self.path.clone(), reason: reason.clone() })
    }

    /// Whether it is the other one, with the same private half and in the same state.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let told = |key: &Self| (key.algorithm(), key.state(), key.since());
        self.selector() == other.selector() && told(self) == told(other) && self.pem == other.pem
    }

    fn parse(&self) -> Result<SigningKey, String> {
        let key = SigningKey::from_pem(&self.pem).map_err(|error| error.to_string())?;
        let (found, named) = (key.key_type(), KeyType::from(self.entry.algorithm));
        if found == named {
            return Ok(key);
        }
        Err(format!("it is of type {}, and state.toml says {}", found.as_str(), named.as_str()))
    }
}

/// Without the private half.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("domain", &self.domain)
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}
