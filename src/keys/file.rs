//! Reading files that nobody else may touch, and making directories for them.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::Uid;

use super::error::StoreError;
use crate::file::{self, Fault, FileError};

/// Who may own the files of a store, and what others may do with them.
#[derive(Clone, Copy)]
pub(super) struct Guard<'a> {
    /// The store's directory.
    pub(super) root: &'a Path,
    /// Whether systemd has put the files there.
    pub(super) is_credentials: bool,
    /// Whether root reads them whomever they belong to.
    pub(super) is_anybodys: bool,
}

impl Guard<'_> {
    /// Opens a directory that nobody but its owner may enter.
    pub(super) fn open_dir(self, path: &Path) -> Result<File, StoreError> {
        let dir = open_dir(path).map_err(|error| not_opened(path, error))?;
        let wanted = if self.is_credentials { 0o500 } else { 0o700 };
        self.check(&dir, path, wanted)?;
        Ok(dir)
    }

    /// Opens the store's directory, which only its owner and group may change.
    pub(super) fn open_store(self) -> Result<File, StoreError> {
        let path = self.root;
        let dir = File::open(path).map_err(StoreError::io("read", path))?;
        let metadata = dir.metadata().map_err(StoreError::io("read", path))?;
        if !metadata.is_dir() {
            return Err(StoreError::Kind { path: path.to_owned(), wanted: "directory" });
        }
        self.check_owner(&metadata, path)?;
        check_mode(&metadata, path, 0o002, 0o755)?;
        Ok(dir)
    }

    /// The text of a file that nobody but its owner may read, of at most `max` octets.
    pub(super) fn read(self, path: &Path, max: u64) -> Result<String, StoreError> {
        let failed = |fault| match fault {
            Fault::System(error) => not_opened(path, error),
            Fault::Kind(_) => StoreError::Kind { path: path.to_owned(), wanted: "regular file" },
            Fault::TooLarge(max) => StoreError::TooLarge { path: path.to_owned(), max },
            fault => FileError::new(path, fault).into(),
        };
        let file = file::open(path, OFlag::O_NOFOLLOW).map_err(failed)?;
        let wanted = if self.is_credentials { 0o400 } else { 0o600 };
        self.check(&file, path, wanted)?;
        file::read(&file, max).and_then(file::decode).map_err(failed)
    }

    fn check(self, file: &File, path: &Path, wanted: u32) -> Result<(), StoreError> {
        let metadata = file.metadata().map_err(StoreError::io("read", path))?;
        self.check_owner(&metadata, path)?;
        // systemd lets our user in by an access control list, which shows as the group's bits; the
        // group itself is root's.
        let is_list = self.is_credentials && metadata.gid() == 0;
        check_mode(&metadata, path, if is_list { 0o007 } else { 0o077 }, wanted)
    }

    /// Whoever owns a file can change it: that is root, us, or for root the owner of the store.
    fn check_owner(self, metadata: &Metadata, path: &Path) -> Result<(), StoreError> {
        let (owner, us) = (metadata.uid(), Uid::effective());
        let is_ours = owner == 0 || owner == us.as_raw() || us.is_root() && self.is_anybodys;
        let owns_store = || fs::metadata(self.root).is_ok_and(|root| root.uid() == owner);
        if is_ours || us.is_root() && owns_store() {
            return Ok(());
        }
        let wanted = match fs::metadata(self.root) {
            // A command does not take the store from whom it belongs to.
            Ok(root) if us.is_root() || !file::is_service() => root.uid(),
            _ => us.as_raw(),
        };
        Err(StoreError::Owner { path: path.to_owned(), owner, wanted })
    }
}

/// The text of a file elsewhere that nobody but its owner may read. Where root asks, that is for a
/// service whose user may well own it.
pub(crate) fn read_private(path: &Path, max: u64) -> Result<String, StoreError> {
    let guard = Guard { root: parent(path), is_credentials: false, is_anybodys: true };
    guard.read(path, max).map_err(|error| match error {
        StoreError::Io { path, error, .. } if error.kind() == io::ErrorKind::NotFound => {
            FileError::new(&path, Fault::System(error)).into()
        }
        error => error,
    })
}

/// Whether such a file is of use to the service, where root asks for it: to the user whom the key
/// store belongs to.
pub fn readable_by_owner(path: &Path, store: &Path) -> Result<(), StoreError> {
    let (Ok(file), Ok(store)) = (fs::metadata(path), fs::metadata(store)) else { return Ok(()) };
    let (owner, reader) = (file.uid(), store.uid());
    if !Uid::effective().is_root() || reader == 0 || owner == reader {
        return Ok(());
    }
    Err(StoreError::Reader { path: path.to_owned(), owner, reader })
}

fn open_dir(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// Linux says ELOOP of a link to a file, and ENOTDIR of one to a directory.
fn not_opened(path: &Path, error: io::Error) -> StoreError {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return StoreError::Symlink(path.to_owned());
    }
    if error.kind() == io::ErrorKind::NotADirectory {
        return StoreError::Kind { path: path.to_owned(), wanted: "directory" };
    }
    StoreError::io("read", path)(error)
}

fn check_mode(
    metadata: &Metadata,
    path: &Path,
    forbidden: u32,
    wanted: u32,
) -> Result<(), StoreError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(StoreError::Mode { path: path.to_owned(), mode, wanted })
}

/// The names in a directory that are UTF-8, sorted.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let unreadable = || StoreError::io("read", dir);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable())? {
        names.extend(entry.map_err(unreadable())?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Makes a directory that nobody but its owner may enter, where there is none. Returns whether it
/// is new.
pub(super) fn make_private_dir(path: &Path) -> Result<bool, StoreError> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(StoreError::io("made", path))?;
    give_to_owner_of_parent(path)?;
    sync_dir(parent(path))?;
    Ok(true)
}

/// Waits until nobody else changes the directory; the lock ends with the file.
pub(super) fn lock(dir: &File, path: &Path) -> Result<(), StoreError> {
    dir.lock().map_err(StoreError::io("locked", path))
}

/// What root makes in a directory of the daemon's user, the daemon must be able to read.
pub(super) fn give_to_owner_of_parent(path: &Path) -> Result<(), StoreError> {
    let above = parent(path);
    let owner = fs::metadata(above).map_err(StoreError::io("read", above))?;
    if !Uid::effective().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()))
        .map_err(StoreError::io("given to the owner of its directory", path))
}

/// Waits until the names in a directory are on disk.
pub(super) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(StoreError::io("written", path))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
