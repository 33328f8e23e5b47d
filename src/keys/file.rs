//! Reading files that nobody else may touch, and writing files that are there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Uid;

use super::error::StoreError;

/// Nobody but the owner.
const OTHERS: u32 = 0o077;

/// Opens a directory that nobody but its owner may enter.
pub(super) fn open_private_dir(path: &Path) -> Result<File, StoreError> {
    let dir = open_no_follow(path, OFlag::O_DIRECTORY)?;
    check_mode(&dir, path, OTHERS, 0o700)?;
    Ok(dir)
}

/// Opens a directory that only its owner and group may change.
pub(super) fn open_store(path: &Path) -> Result<File, StoreError> {
    let dir = File::open(path).map_err(StoreError::io("read", path))?;
    let metadata = dir.metadata().map_err(StoreError::io("read", path))?;
    if !metadata.is_dir() {
        return Err(StoreError::Kind { path: path.to_owned(), wanted: "directory" });
    }
    check_mode(&dir, path, 0o002, 0o755)?;
    Ok(dir)
}

/// The text of a file that nobody but its owner may read, of at most `max` octets.
pub(crate) fn read_private(path: &Path, max: u64) -> Result<String, StoreError> {
    // Without NONBLOCK, opening a FIFO would wait for a writer.
    let file = open_no_follow(path, OFlag::O_NONBLOCK)?;
    let metadata = file.metadata().map_err(StoreError::io("read", path))?;
    if !metadata.is_file() {
        return Err(StoreError::Kind { path: path.to_owned(), wanted: "regular file" });
    }
    check_mode(&file, path, OTHERS, 0o600)?;
    let mut text = String::new();
    file.take(max + 1).read_to_string(&mut text).map_err(StoreError::io("read", path))?;
    if text.len() as u64 > max {
        return Err(StoreError::TooLarge { path: path.to_owned(), max });
    }
    Ok(text)
}

fn open_no_follow(path: &Path, flags: OFlag) -> Result<File, StoreError> {
    let flags = flags | OFlag::O_NOFOLLOW;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    opened.map_err(|error| {
        // Linux says ELOOP of a link to a file, and ENOTDIR of one to a directory.
        if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            return StoreError::Symlink(path.to_owned());
        }
        if error.kind() == io::ErrorKind::NotADirectory {
            return StoreError::Kind { path: path.to_owned(), wanted: "directory" };
        }
        StoreError::io("read", path)(error)
    })
}

fn check_mode(file: &File, path: &Path, forbidden: u32, wanted: u32) -> Result<(), StoreError> {
    let metadata = file.metadata().map_err(StoreError::io("read", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(StoreError::Mode { path: path.to_owned(), mode, wanted })
}

/// Makes a directory that nobody but its owner may enter, where there is none.
pub(super) fn make_private_dir(path: &Path) -> Result<(), StoreError> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(StoreError::io("made", path))?;
    give_to_owner_of_parent(path)?;
    sync_dir(parent(path))
}

/// Waits until nobody else changes the directory; the lock ends with the file.
pub(super) fn lock(dir: &File, path: &Path) -> Result<(), StoreError> {
    dir.lock().map_err(StoreError::io("locked", path))
}

/// Writes a new file: whole, on disk, and never over another.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), StoreError> {
    let temporary = write_temporary(path, text)?;
    // A link fails where the name is taken; a rename would overwrite.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    linked.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Exists(path.to_owned()),
        _ => StoreError::io("written", path)(error),
    })?;
    sync_dir(parent(path))
}

/// Writes a file in place of the one before: a reader sees the old or the new one, whole.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), StoreError> {
    let temporary = write_temporary(path, text)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io("written", path)(error));
    }
    sync_dir(parent(path))
}

/// Writes the text to a file beside `path` and to the disk. Its name starts with a dot and is one
/// of this process, and only one process at a time has the directory's lock.
fn write_temporary(path: &Path, text: &str) -> Result<PathBuf, StoreError> {
    let temporary = parent(path).join(format!(".new-{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    if let Err(error) = write() {
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io("written", path)(error));
    }
    give_to_owner_of_parent(&temporary)?;
    Ok(temporary)
}

/// What root makes in a directory of the daemon's user, the daemon must be able to read.
fn give_to_owner_of_parent(path: &Path) -> Result<(), StoreError> {
    let above = parent(path);
    let owner = fs::metadata(above).map_err(StoreError::io("read", above))?;
    if !Uid::effective().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()))
        .map_err(StoreError::io("given to the owner of its directory", path))
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(StoreError::io("written", path))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
