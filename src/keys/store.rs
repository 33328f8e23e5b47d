//! The key store: a directory of domains' directories. What changes it is in `change`.
//!
//! Failure: what cannot be read is an error that names the path and the remedy.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::domain::{DomainName, Selector};
use super::error::StoreError;
use super::file;
use super::key::Key;
use super::plan::{self, STATE, UNFINISHED};
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
    root: PathBuf,
    pub(super) steps_max: Option<usize>,
}

impl Store {
    /// The store in that directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), steps_max: None }
    }

    /// The domains with a directory in the store, sorted, and what is wrong with the rest.
    pub fn domains(&self) -> Result<(Vec<DomainName>, Vec<StoreError>), StoreError> {
        if let Err(error) = fs::metadata(&self.root)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Err(StoreError::NoStore(self.root.clone()));
        }
        file::open_store(&self.root)?;
        let (mut domains, mut problems) = (Vec::new(), Vec::new());
        let unreadable = || StoreError::io("read", &self.root);
        for entry in fs::read_dir(&self.root).map_err(unreadable())? {
            match domain_of(&entry.map_err(unreadable())?) {
                Ok(domain) => domains.extend(domain),
                Err(problem) => problems.push(problem),
            }
        }
        domains.sort();
        Ok((domains, problems))
    }

    /// What the domain's state file says.
    pub fn state(&self, domain: &DomainName) -> Result<DomainState, StoreError> {
        let dir = self.dir(domain);
        if let Err(error) = fs::symlink_metadata(&dir)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Err(StoreError::NoDomain { path: dir, domain: domain.to_string() });
        }
        file::open_private_dir(&dir)?;
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
        plan::pem_path(&self.dir(domain), selector)
    }

    pub(super) fn key(&self, domain: &DomainName, entry: KeyEntry) -> Result<Key, StoreError> {
        let path = self.pem_path(domain, &entry.selector);
        let pem = file::read_private(&path, PEM_BYTES_MAX).map_err(|error| match error {
            StoreError::Io { error, path, .. } if error.kind() == io::ErrorKind::NotFound => {
                StoreError::NoKey(path)
            }
            error => error,
        })?;
        Ok(Key::new(domain.clone(), entry, path, pem))
    }

    pub(super) fn read_state(&self, domain: &DomainName) -> Result<DomainState, StoreError> {
        let path = self.state_path(domain);
        match file::read_private(&path, STATE_BYTES_MAX) {
            Ok(text) => {
                DomainState::parse(&text).map_err(|reason| StoreError::State { path, reason })
            }
            Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                // The first key of a domain comes before its state file; its other name shows that.
                let names = file::names(&self.dir(domain))?;
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
        let found = file::names(&self.dir(domain))?;
        let is_unlisted =
            |name: &&str| !state.keys.iter().any(|key| key.selector.as_str() == *name);
        let mut names: Vec<String> =
            pem_stems(&found).filter(is_unlisted).map(str::to_owned).collect();
        names.sort();
        let path = |name: String| self.dir(domain).join(format!("{name}.pem"));
        Ok(names.into_iter().map(path).map(StoreError::Unlisted).collect())
    }

    /// What tells this state of a domain's keys from another.
    pub fn stamp(&self, domain: &DomainName) -> Stamp {
        Stamp([self.dir(domain), self.state_path(domain)].map(|path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        }))
    }

    pub(super) fn dir(&self, domain: &DomainName) -> PathBuf {
        self.root.join(domain.as_str())
    }

    fn state_path(&self, domain: &DomainName) -> PathBuf {
        self.dir(domain).join(STATE)
    }
}

/// The domain of an entry of the store; none for files such as a README and for dot-files.
fn domain_of(entry: &fs::DirEntry) -> Result<Option<DomainName>, StoreError> {
    let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
    let kind = entry.file_type().map_err(StoreError::io("read", &path))?;
    if name.starts_with('.') || kind.is_file() {
        return Ok(None);
    }
    if kind.is_symlink() {
        return Err(StoreError::Symlink(path));
    }
    match DomainName::parse(&name) {
        Ok(domain) if domain.as_str() == name => Ok(Some(domain)),
        Ok(domain) => {
            let reason = format!("is not looked at under that name; rename it to {domain}");
            Err(StoreError::Directory { path, reason })
        }
        Err(error) => Err(StoreError::Directory {
            path: path.with_file_name("..."),
            reason: format!("is not a domain's directory: {error}"),
        }),
    }
}

/// The names of the keys' files among those of a directory, without their ending.
fn pem_stems(names: &[String]) -> impl Iterator<Item = &str> {
    let stems = names.iter().filter_map(|name| name.strip_suffix(".pem"));
    stems.filter(|stem| !stem.starts_with('.'))
}
