//! The key store: a directory of domains' directories. What changes it is in `change`.
//!
//! Failure: what cannot be read is an error that names the path and the remedy.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::domain::{DomainName, Selector};
use super::error::StoreError;
use super::file::Guard;
use super::key::Key;
use super::layout::Layout;
use super::plan::{STATE, UNFINISHED};
use super::state::{DomainState, KeyEntry, KeyState};

/// A PEM of RSA-4096 has 3,272 octets.
pub(super) const PEM_BYTES_MAX: u64 = 16 * 1024;

/// Some thousand keys of one domain.
const STATE_BYTES_MAX: u64 = 1024 * 1024;

/// What tells one state of a domain's directory from another: whatever is renamed into it, removed
/// or given other rights changes its times.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stamp([Option<(u64, i64, i64)>; 2]);

/// A key store; nothing is kept in memory.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    pub(super) steps_max: Option<usize>,
}

impl Store {
    /// The store in that directory, or in the credentials that a unit of systemd has of it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { layout: Layout::of(root.into()), steps_max: None }
    }

    /// Whether it cannot be changed, as systemd's credentials cannot.
    pub fn is_read_only(&self) -> bool {
        self.layout.is_read_only()
    }

    /// The domains in the store, sorted, and what is wrong with the rest.
    pub fn domains(&self) -> Result<(Vec<DomainName>, Vec<StoreError>), StoreError> {
        let root = &self.layout.root;
        if !self.is_read_only()
            && let Err(error) = fs::metadata(root)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Err(StoreError::NoStore(root.clone()));
        }
        if !self.is_read_only() {
            self.guard().open_store()?;
        }
        self.layout.domains()
    }

    /// What the domain's state file says.
    pub fn state(&self, domain: &DomainName) -> Result<DomainState, StoreError> {
        let dir = self.dir(domain);
        if !self.layout.has(domain)? {
            return Err(StoreError::NoDomain { path: dir, domain: domain.to_string() });
        }
        self.guard().open_dir(&dir)?;
        self.read_state(domain)
    }

    /// The keys of a domain that still have a private half, and what is wrong with the others.
    pub fn keys(&self, domain: &DomainName) -> Result<(Vec<Key>, Vec<StoreError>), StoreError> {
        let state = self.state(domain)?;
        let (mut keys, mut problems) = (Vec::new(), self.unlisted(domain, &state)?);
        for entry in state.keys.into_iter().filter(|key| key.state != KeyState::Removed) {
            match self.key(domain, entry) {
                Ok(key) => keys.push(key),
                Err(problem) => problems.push(problem),
            }
        }
        Ok((keys, problems))
    }

    /// Where the private key lies.
    pub fn pem_path(&self, domain: &DomainName, selector: &Selector) -> PathBuf {
        self.layout.path(domain, &format!("{selector}.pem"))
    }

    pub(super) fn key(&self, domain: &DomainName, entry: KeyEntry) -> Result<Key, StoreError> {
        let path = self.pem_path(domain, &entry.selector);
        let pem = self.guard().read(&path, PEM_BYTES_MAX).map_err(|error| match error {
            StoreError::Io { error, path, .. } if error.kind() == io::ErrorKind::NotFound => {
                StoreError::NoKey(path)
            }
            error => error,
        })?;
        if pem.trim().is_empty() {
            let reason = "it is empty; restore it from a backup".to_owned();
            return Err(StoreError::Key { path, reason });
        }
        Ok(Key::new(domain.clone(), entry, path, pem))
    }

    pub(super) fn read_state(&self, domain: &DomainName) -> Result<DomainState, StoreError> {
        let path = self.layout.path(domain, STATE);
        match self.guard().read(&path, STATE_BYTES_MAX) {
            Ok(text) => {
                DomainState::parse(&text).map_err(|reason| StoreError::State { path, reason })
            }
            Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                // The first key of a domain comes before its state file; its other name shows that.
                let names = self.layout.names(domain)?;
                let is_unfinished = |stem| names.contains(&format!("{UNFINISHED}{stem}.pem"));
                if pem_stems(&names).all(is_unfinished) {
                    return Ok(DomainState::default());
                }
                Err(StoreError::NoState(path))
            }
            Err(error) => Err(error),
        }
    }

    /// Keys that the state file does not name: what a crash left, or somebody put there.
    fn unlisted(
        &self,
        domain: &DomainName,
        state: &DomainState,
    ) -> Result<Vec<StoreError>, StoreError> {
        let found = self.layout.names(domain)?;
        let is_unlisted =
            |name: &&str| !state.keys.iter().any(|key| key.selector.as_str() == *name);
        let problem = |stem: &str| {
            let path = self.layout.path(domain, &format!("{stem}.pem"));
            let unfinished = found.contains(&format!("{UNFINISHED}{stem}.pem"));
            if unfinished { StoreError::Unfinished(path) } else { StoreError::Unlisted(path) }
        };
        Ok(pem_stems(&found).filter(is_unlisted).map(problem).collect())
    }

    /// What tells this state of a domain's keys from another.
    pub fn stamp(&self, domain: &DomainName) -> Stamp {
        Stamp([self.dir(domain), self.layout.path(domain, STATE)].map(|path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        }))
    }

    pub(super) fn dir(&self, domain: &DomainName) -> PathBuf {
        self.layout.dir(domain)
    }

    pub(super) fn guard(&self) -> Guard<'_> {
        Guard { root: &self.layout.root, is_credentials: self.is_read_only(), is_anybodys: false }
    }
}

/// The names of the keys' files among those of a directory, without their ending.
fn pem_stems(names: &[String]) -> impl Iterator<Item = &str> {
    let stems = names.iter().filter_map(|name| name.strip_suffix(".pem"));
    stems.filter(|stem| !stem.starts_with('.'))
}
