//! Where the files of a store lie: in a directory for each domain, or flat, as systemd hands over a
//! directory that a unit names in `LoadCredential=`.
//!
//! Of `LoadCredential=keys:/etc/mailseal/keys` systemd makes one directory of files that cannot be
//! changed, and writes `_` for every `/`: `keys_example.org_s2026-11-a.pem`. Such a store is found
//! under the name that it would have as a directory, `/run/credentials/mailseal.service/keys`. No
//! domain has a `_` in it, so that the names say what they are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::domain::DomainName;
use super::error::StoreError;
use super::file;

/// Where the files of a store lie.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The store's directory, or what it would be called.
    pub(super) root: PathBuf,
    /// Where its files lie side by side: their directory, and how their names begin.
    flat: Option<(PathBuf, String)>,
}

impl Layout {
    /// The layout of the store of that name.
    pub(super) fn of(root: PathBuf) -> Self {
        let flat = fs::symlink_metadata(&root).is_err().then(|| flat(&root)).flatten();
        Self { root, flat }
    }

    /// Whether the files cannot be changed.
    pub(super) fn is_read_only(&self) -> bool {
        self.flat.is_some()
    }

    /// The directory with the domain's files.
    pub(super) fn dir(&self, domain: &DomainName) -> PathBuf {
        self.flat.as_ref().map_or_else(|| self.root.join(domain.as_str()), |(dir, _)| dir.clone())
    }

    /// Where a file of the domain lies.
    pub(super) fn path(&self, domain: &DomainName, name: &str) -> PathBuf {
        match &self.flat {
            None => self.root.join(domain.as_str()).join(name),
            Some((dir, prefix)) => dir.join(format!("{prefix}{domain}_{name}")),
        }
    }

    /// The names of the domain's files.
    pub(super) fn names(&self, domain: &DomainName) -> Result<Vec<String>, StoreError> {
        let Some((dir, prefix)) = &self.flat else { return file::names(&self.dir(domain)) };
        let prefix = format!("{prefix}{domain}_");
        let names = file::names(dir)?;
        Ok(names.iter().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    /// The domains that have files, sorted, and what is wrong with the rest.
    pub(super) fn domains(&self) -> Result<(Vec<DomainName>, Vec<StoreError>), StoreError> {
        let found = match &self.flat {
            Some((dir, prefix)) => in_names(dir, prefix),
            None => in_directories(&self.root),
        };
        let (mut domains, problems) = found?;
        domains.sort();
        domains.dedup();
        Ok((domains, problems))
    }

    /// Whether the domain has files.
    pub(super) fn has(&self, domain: &DomainName) -> Result<bool, StoreError> {
        if self.flat.is_some() {
            return Ok(!self.names(domain)?.is_empty());
        }
        let found = fs::symlink_metadata(self.dir(domain));
        Ok(!found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound))
    }
}

/// The directory with a flat store's files, and how their names begin.
fn flat(root: &Path) -> Option<(PathBuf, String)> {
    let (dir, prefix) = (root.parent()?, format!("{}_", root.file_name()?.to_str()?));
    let is_part = |name: &String| name.strip_prefix(&prefix).and_then(domain_in).is_some();
    file::names(dir).ok()?.iter().any(is_part).then(|| (dir.to_owned(), prefix))
}

/// The domain in `example.org_state.toml`.
fn domain_in(name: &str) -> Option<DomainName> {
    let (domain, _) = name.split_once('_')?;
    DomainName::parse(domain).ok().filter(|parsed| parsed.as_str() == domain)
}

fn in_names(dir: &Path, prefix: &str) -> Result<(Vec<DomainName>, Vec<StoreError>), StoreError> {
    let names = file::names(dir)?;
    let parts = names.iter().filter_map(|name| name.strip_prefix(prefix));
    Ok((parts.filter_map(domain_in).collect(), Vec::new()))
}

fn in_directories(root: &Path) -> Result<(Vec<DomainName>, Vec<StoreError>), StoreError> {
    let (mut domains, mut problems) = (Vec::new(), Vec::new());
    let unreadable = || StoreError::io("read", root);
    for entry in fs::read_dir(root).map_err(unreadable())? {
        match domain_of(&entry.map_err(unreadable())?) {
            Ok(domain) => domains.extend(domain),
            Err(problem) => problems.push(problem),
        }
    }
    Ok((domains, problems))
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
