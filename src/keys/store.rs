//! The key store: a directory of domains' directories.
//!
//! Failure: every write is whole or not at all and under a lock of the domain's directory. A key's
//! file is on disk before the state file names it, so that a crash in between leaves a file that
//! is not used, and never a name without its key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::domain::{DomainName, Selector, record_name};
use super::error::StoreError;
use super::file;
use super::key::Key;
use super::lifecycle;
use super::state::{Algorithm, DomainState, KeyEntry, KeyState};

/// A PEM of RSA-4096 has 3,272 octets.
const PEM_BYTES_MAX: u64 = 16 * 1024;

/// Some thousand keys of one domain.
const STATE_BYTES_MAX: u64 = 1024 * 1024;

/// A key store; nothing is kept in memory.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in that directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
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

    /// Writes a new key, pending. Without a selector it gets a dated one.
    pub fn add(
        &self,
        domain: &DomainName,
        selector: Option<Selector>,
        algorithm: Algorithm,
        pem: &str,
        now: u64,
    ) -> Result<Selector, StoreError> {
        let dir = self.dir(domain);
        file::make_private_dir(&dir)?;
        let lock = file::open_private_dir(&dir)?;
        file::lock(&lock, &dir)?;
        let mut state = self.read_state(domain)?;
        if state.keys.is_empty() {
            self.write_state(domain, &state)?;
        }
        let selector = match selector {
            Some(selector) => selector,
            None => self.dated_selector(domain, &state, now)?,
        };
        record_name(&selector, domain)?;
        let path = self.pem_path(domain, &selector);
        if state.entry(&selector).is_some() {
            return Err(StoreError::Exists(path));
        }
        file::write_new(&path, pem)?;
        lifecycle::add_pending(&mut state, selector.clone(), algorithm, now);
        self.write_state(domain, &state)?;
        Ok(selector)
    }

    /// Activates one pending key, or the newest of each algorithm. Returns the active selectors.
    pub fn activate(
        &self,
        domain: &DomainName,
        selector: Option<&Selector>,
        now: u64,
    ) -> Result<Vec<Selector>, StoreError> {
        self.state(domain)?;
        let dir = self.dir(domain);
        let lock = file::open_private_dir(&dir)?;
        file::lock(&lock, &dir)?;
        let mut state = self.read_state(domain)?;
        let active = lifecycle::activate(&mut state, selector, now)?;
        for key in &active {
            // A key that cannot sign must not take the place of one that can.
            if let Some(entry) = state.entry(key) {
                self.key(domain, entry.clone())?.signing_key()?;
            }
        }
        self.write_state(domain, &state)?;
        Ok(active)
    }

    /// Where the private key lies.
    pub fn pem_path(&self, domain: &DomainName, selector: &Selector) -> PathBuf {
        self.dir(domain).join(format!("{selector}.pem"))
    }

    fn key(&self, domain: &DomainName, entry: KeyEntry) -> Result<Key, StoreError> {
        let path = self.pem_path(domain, &entry.selector);
        let pem = file::read_private(&path, PEM_BYTES_MAX).map_err(|error| match error {
            StoreError::Io { error, path, .. } if error.kind() == io::ErrorKind::NotFound => {
                StoreError::NoKey(path)
            }
            error => error,
        })?;
        Ok(Key::new(domain.clone(), entry, path, pem))
    }

    fn dated_selector(
        &self,
        domain: &DomainName,
        state: &DomainState,
        now: u64,
    ) -> Result<Selector, StoreError> {
        let is_taken = |selector: &Selector| {
            let path = self.pem_path(domain, selector);
            state.entry(selector).is_some() || fs::symlink_metadata(path).is_ok()
        };
        lifecycle::dated_selector(now, is_taken)
            .ok_or_else(|| StoreError::NoSelectorLeft(domain.to_string()))
    }

    fn read_state(&self, domain: &DomainName) -> Result<DomainState, StoreError> {
        let path = self.state_path(domain);
        match file::read_private(&path, STATE_BYTES_MAX) {
            Ok(text) => {
                DomainState::parse(&text).map_err(|reason| StoreError::State { path, reason })
            }
            Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                if pem_selectors(&self.dir(domain))?.is_empty() {
                    return Ok(DomainState::default());
                }
                Err(StoreError::NoState(path))
            }
            Err(error) => Err(error),
        }
    }

    fn write_state(&self, domain: &DomainName, state: &DomainState) -> Result<(), StoreError> {
        file::replace(&self.state_path(domain), &state.to_text())
    }

    /// Keys that the state file does not name: what a crash left, or somebody put there.
    fn unlisted(
        &self,
        domain: &DomainName,
        state: &DomainState,
    ) -> Result<Vec<StoreError>, StoreError> {
        let mut names = pem_selectors(&self.dir(domain))?;
        names.retain(|name| !state.keys.iter().any(|key| key.selector.as_str() == name));
        names.sort();
        let path = |name: String| self.dir(domain).join(format!("{name}.pem"));
        Ok(names.into_iter().map(path).map(StoreError::Unlisted).collect())
    }

    /// What changes when a domain's keys do: its directory and its state file.
    pub(super) fn watched(&self, domain: &DomainName) -> [PathBuf; 2] {
        [self.dir(domain), self.state_path(domain)]
    }

    fn dir(&self, domain: &DomainName) -> PathBuf {
        self.root.join(domain.as_str())
    }

    fn state_path(&self, domain: &DomainName) -> PathBuf {
        self.dir(domain).join("state.toml")
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

/// The names of the PEM files in a directory, without their ending.
fn pem_selectors(dir: &Path) -> Result<Vec<String>, StoreError> {
    let unreadable = || StoreError::io("read", dir);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable())? {
        let name = entry.map_err(unreadable())?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".pem")).map(str::to_owned));
    }
    Ok(names)
}
