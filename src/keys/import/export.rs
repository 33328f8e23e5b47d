//! A key of the store, written out for another system: the private key and its record, two files
//! that only their owner can read, never over others.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::dkim::record::dns_text;
use crate::dns::records::Record;
use crate::keys::domain::record_name;
use crate::keys::{DomainName, Selector, Store, StoreError};

/// Why a key was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store has no such key, or it is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is not there.
    #[error("{domain} has no key {selector}; mailseal keys list tells those that there are")]
    NoKey {
        /// The domain.
        domain: DomainName,
        /// The selector.
        selector: Selector,
    },
    /// The key cannot be put into PEM.
    #[error("{0}")]
    Key(String),
    /// The system said no.
    #[error("{}: {}", path.display(), reason(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said; part of the message, so not a source of its own.
        error: io::Error,
    },
}

impl ExportError {
    /// Whether what was asked for cannot be, and nothing is wrong with the system.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoKey { .. } => true,
            Self::Store(error) => error.is_usage(),
            Self::Key(_) | Self::Io { .. } => false,
        }
    }
}

/// Writes `SELECTOR.private` (PKCS#8, mode 0600) and `SELECTOR.txt` (its record) into a directory,
/// as opendkim-genkey does. Returns the two paths.
pub fn export(
    store: &Store,
    domain: &DomainName,
    selector: &Selector,
    dir: &Path,
) -> Result<[PathBuf; 2], ExportError> {
    let (keys, mut problems) = store.keys(domain)?;
    let Some(key) = keys.iter().find(|key| key.selector() == selector) else {
        // What is wrong with this key says more than that it is not there.
        let name = format!("{selector}.pem");
        let own = problems.iter().position(|problem| problem.to_string().contains(&name));
        return Err(match own {
            Some(index) => ExportError::Store(problems.swap_remove(index)),
            None => ExportError::NoKey { domain: domain.clone(), selector: selector.clone() },
        });
    };
    let signing = key.signing_key()?;
    let pem = signing.to_pem().map_err(|error| ExportError::Key(error.to_string()))?;
    let name = record_name(selector, domain).map_err(StoreError::Name)?;
    let text = dns_text(key.algorithm().into(), &signing.public_key(), false, false);
    let record = Record::txt(name, text, "");
    let paths = [dir.join(format!("{selector}.private")), dir.join(format!("{selector}.txt"))];
    write_new(&paths[0], &pem)?;
    // The comment is opendkim-genkey's, by which an import knows the domain again.
    write_new(&paths[1], &format!("{record}  ; ----- DKIM key {selector} for {domain}\n"))?;
    Ok(paths)
}

fn write_new(path: &Path, text: &str) -> Result<(), ExportError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            // Half a key is none.
            let _ = fs::remove_file(path);
        }
        ExportError::Io { path: path.to_owned(), error }
    })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "is there, and is not overwritten".to_owned(),
        io::ErrorKind::NotFound => {
            "no such directory; make it first, for its owner alone".to_owned()
        }
        _ => format!("cannot be written: {error}"),
    }
}
