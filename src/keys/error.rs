//! What can be wrong with a key store, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

use super::domain::NameError;
use crate::file::{self, FileError};

/// What is wrong with a key store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("{}: cannot be {verb}: {error}{}", path.display(), remedy(path, error))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: `read`, `written`, ...
        verb: &'static str,
        /// What the system said; part of the message, so not a source of its own.
        error: io::Error,
    },
    /// It is no text, or is written all the while.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store is not there.
    #[error("{}: no such directory; mailseal keys generate DOMAIN makes it", .0.display())]
    NoStore(PathBuf),
    /// Others may read or change it.
    #[error(
        "{}: mode {mode:04o} lets others at it; run: chmod {wanted:o} {}",
        path.display(), shell_word(path)
    )]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode that it should have.
        wanted: u32,
    },
    /// It belongs to somebody else, who can change it.
    #[error(
        "{}: belongs to {}{}", path.display(), file::user(*owner), stranger(path, *owner, *wanted)
    )]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Whom it belongs to.
        owner: u32,
        /// Whom it should belong to.
        wanted: u32,
    },
    /// It belongs to another than the service.
    #[error(
        "{}: belongs to user {owner}, and {}, whom the key store belongs to, cannot \
         read it; run: chown {reader} {}",
        path.display(), file::user(*reader), shell_word(path)
    )]
    Reader {
        /// The file.
        path: PathBuf,
        /// Whom it belongs to.
        owner: u32,
        /// Who is to read it.
        reader: u32,
    },
    /// Keys are not followed out of the store.
    #[error(
        "{}: is a symbolic link, and keys are not followed out of the store; run: \
         target=$(readlink -f {path}) && rm {path} && cp -a \"$target\" {path}",
        .0.display(), path = shell_word(.0)
    )]
    Symlink(PathBuf),
    /// Something else stands where a file or directory belongs.
    #[error("{}: is no {wanted}; move it away", path.display())]
    Kind {
        /// What stands there.
        path: PathBuf,
        /// What belongs there.
        wanted: &'static str,
    },
    /// A file much larger than any of its kind.
    #[error("{}: has more than {max} octets; this is not the file that mailseal wrote", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        max: u64,
    },
    /// A directory whose name is not a domain in its one form.
    #[error("{}: {reason}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why, and the remedy.
        reason: String,
    },
    /// A directory with keys and without a state file.
    #[error("{}: missing, so that no key of the domain is used; restore it from a backup", .0.display())]
    NoState(PathBuf),
    /// A state file that cannot be understood.
    #[error("{}: {reason}", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// A key that the state file names.
    #[error("{}: missing, though state.toml names it; restore it from a backup", .0.display())]
    NoKey(PathBuf),
    /// A key that the state file does not name.
    #[error(
        "{}: not named in state.toml, so it is not used; move it away, or have mailseal keys \
         import take it",
        .0.display()
    )]
    Unlisted(PathBuf),
    /// A key that the state file does not name yet.
    #[error(
        "{}: being made, or mailseal was interrupted while it made it; the next change of the \
         domain's keys goes on from there",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// The store cannot be changed.
    #[error(
        "{}: these are systemd's credentials, which cannot be changed; run this where the \
         directory is that LoadCredential= names, and restart the service",
        .0.display()
    )]
    ReadOnly(PathBuf),
    /// A private key that cannot be used.
    #[error("{}: is no usable private key: {reason}", path.display())]
    Key {
        /// The PEM file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Keys are never overwritten.
    #[error("{}: exists already, and keys are never overwritten; choose another selector", .0.display())]
    Exists(PathBuf),
    /// More new keys in a month than there are letters.
    #[error("{0}: all dated selectors of this month are taken; name one with --selector")]
    NoSelectorLeft(String),
    /// A domain without keys.
    #[error("{}: no keys for {domain}; run: mailseal keys generate {domain}", path.display())]
    NoDomain {
        /// The domain's directory.
        path: PathBuf,
        /// The domain.
        domain: String,
    },
    /// The text given is no domain or selector.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An order that would break mail.
    #[error(transparent)]
    Lifecycle(#[from] super::order::LifecycleError),
    /// A key cannot be made.
    #[error("no key can be made: {0}")]
    Make(#[from] crate::dkim::signing_key::KeyError),
    /// The process was to end in the middle of a change, as tests have it.
    #[error("interrupted in the middle of a change; the next one goes on from there")]
    Interrupted,
}

impl StoreError {
    /// Whether what was asked for cannot be, and nothing is wrong with the store.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Name(_)
                | Self::Lifecycle(_)
                | Self::Exists(_)
                | Self::NoDomain { .. }
                | Self::NoSelectorLeft(_)
                | Self::ReadOnly(_)
        )
    }

    /// For `map_err`: what was tried with a path when the system said no.
    pub(super) fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, verb, error }
    }
}

/// What helps, where the system's reason does not say it.
fn remedy(path: &Path, error: &io::Error) -> String {
    use io::ErrorKind::{
        FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match error.kind() {
        PermissionDenied => owner_remedy(path),
        StorageFull | QuotaExceeded | FileTooLarge => {
            "; make room on its file system and repeat; the keys are as they were".to_owned()
        }
        ReadOnlyFilesystem => {
            "; where mailseal serve is not to change keys, set rotation.primary to false".to_owned()
        }
        _ => String::new(),
    }
}

/// What helps where a path is closed to us: to the service it is to be opened; a command is for
/// whoever may.
fn owner_remedy(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let us = nix::unistd::Uid::effective();
    let owner = std::fs::symlink_metadata(path).map(|metadata| metadata.uid()).ok();
    let belongs = owner.map_or_else(String::new, |uid| format!(" (it belongs to user {uid})"));
    if owner == Some(us.as_raw()) {
        return format!("{belongs}; run: chmod -R u+rwX {}", shell_word(path));
    }
    if file::is_service() || us.is_root() {
        let path = shell_word(path);
        return format!("{belongs}; mailseal runs as user {us}; run: chown -R {us} {path}");
    }
    match owner {
        Some(owner) if owner != 0 => as_owner(owner),
        Some(_) => "; run this as root, to whom it belongs".to_owned(),
        None => "; run this as root, or as the user whom the key store belongs to".to_owned(),
    }
}

fn as_owner(owner: u32) -> String {
    format!("; run this as root or as {}, to whom it belongs", file::user(owner))
}

/// What helps where a path belongs to somebody else. The owner of the store is no stranger to it: who
/// runs the command is.
fn stranger(path: &Path, owner: u32, wanted: u32) -> String {
    if owner == wanted {
        return as_owner(owner);
    }
    format!(", who can change it; run: chown {wanted} {}", shell_word(path))
}

/// A path as one word of a shell command.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedies_are_commands_that_can_be_pasted() {
        let error = StoreError::Mode { path: "it's/k.pem".into(), mode: 0o644, wanted: 0o600 };
        assert_eq!(
            error.to_string(),
            r"it's/k.pem: mode 0644 lets others at it; run: chmod 600 'it'\''s/k.pem'"
        );
    }
}
