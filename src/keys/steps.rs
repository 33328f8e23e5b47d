//! The steps in which files of the store change, and the one loop that takes them.
//!
//! A change is a list of steps. Its last `Rename` puts the new state file in place: until then
//! readers see the state before, and the steps can be undone; from then on they see the new one.
//!
//! Failure: a step that fails before that leaves the files as they were. A process that ends
//! anywhere leaves files named `.new-*`, which `mend` knows how to go on from.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::file;
use super::plan::UNFINISHED;

/// One step.
#[derive(Clone, Eq, PartialEq)]
pub enum Step {
    /// A new file, of mode 0600 and on disk.
    Write(PathBuf, String),
    /// A second name for a file; fails where the name is taken.
    Link(PathBuf, PathBuf),
    /// Another name for a file, in place of the file that has the name.
    Rename(PathBuf, PathBuf),
    /// The names in the directory are on disk.
    Sync(PathBuf),
    /// Zeros in place of a file's octets, on disk.
    Erase(PathBuf),
    /// The name is gone.
    Unlink(PathBuf),
}

/// Takes the steps, or `steps_max` of them, as a process does that ends then.
pub fn run(steps: &[Step], steps_max: Option<usize>) -> Result<(), StoreError> {
    let commit = steps.iter().rposition(|step| matches!(step, Step::Rename(..)));
    for (index, step) in steps.iter().enumerate() {
        if steps_max == Some(index) {
            return Err(StoreError::Interrupted);
        }
        if let Err(error) = step.take() {
            if commit.is_some_and(|commit| index <= commit) {
                steps[..index].iter().rev().for_each(Step::undo);
            }
            return Err(error);
        }
    }
    Ok(())
}

impl Step {
    fn take(&self) -> Result<(), StoreError> {
        match self {
            Self::Write(path, text) => write(path, text),
            Self::Link(from, to) => fs::hard_link(from, to).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => StoreError::Exists(to.clone()),
                _ => StoreError::io("written", to)(error),
            }),
            Self::Rename(from, to) => fs::rename(from, to).map_err(StoreError::io("written", to)),
            Self::Sync(dir) => file::sync_dir(dir),
            Self::Erase(path) => erase(path).map_err(StoreError::io("erased", path)),
            Self::Unlink(path) => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(StoreError::io("removed", path)(error))
                }
                _ => Ok(()),
            },
        }
    }

    /// What cannot be undone is a leftover, and is mended with the next change.
    fn undo(&self) {
        if let Self::Write(path, _) | Self::Link(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), StoreError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let written = write().map_err(StoreError::io("written", &finished(path)));
    let written = written.and_then(|()| file::give_to_owner_of_parent(path));
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// The name that an unfinished file is to have, which is the one that people know.
fn finished(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str());
    let stem = name.and_then(|name| name.strip_prefix(UNFINISHED));
    stem.map_or_else(|| path.to_owned(), |stem| path.with_file_name(stem))
}

/// Overwrites a file where it lies. File systems that write copies, and disks that move blocks, may
/// keep the octets elsewhere; that is all that a program can do.
fn erase(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let octets = usize::try_from(file.metadata()?.len()).unwrap_or(0).min(ERASED_BYTES_MAX);
    file.write_all(&vec![0; octets])?;
    file.sync_all()
}

/// No key file is larger.
const ERASED_BYTES_MAX: usize = 64 * 1024;

/// Without the text, which may be a private key.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(path, _) => write!(f, "write {}", path.display()),
            Self::Link(from, to) => write!(f, "link {} to {}", from.display(), to.display()),
            Self::Rename(from, to) => write!(f, "rename {} to {}", from.display(), to.display()),
            Self::Sync(dir) => write!(f, "sync {}", dir.display()),
            Self::Erase(path) => write!(f, "erase {}", path.display()),
            Self::Unlink(path) => write!(f, "unlink {}", path.display()),
        }
    }
}
