//! The one reader of files: configuration, tables, keys, messages.
//!
//! Failure: whatever is no regular file, cannot be read, is larger than its reader allows, is no
//! text where text is wanted, or changes all the while is a [`FileError`]: one line with path, cause
//! and remedy. Nothing here waits for a writer.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::unistd::{Uid, User};

/// How often a file is read again that changed meanwhile.
const READS_MAX: u32 = 3;

/// Whether this process is the service. Files are to let the service in; a command may as well be run
/// by another user.
static IS_SERVICE: AtomicBool = AtomicBool::new(false);

/// Has what is denied to this process told as to the service.
pub fn speak_as_service() {
    IS_SERVICE.store(true, Ordering::Relaxed);
}

/// Whether this process is the service.
pub(crate) fn is_service() -> bool {
    IS_SERVICE.load(Ordering::Relaxed)
}

/// A user by number and, where it has one, by name.
pub(crate) fn user(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("user {uid} ({})", user.name),
        _ => format!("user {uid}"),
    }
}

/// Why there is nothing of a file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", plain(.path), self.reason())]
pub struct FileError {
    path: PathBuf,
    fault: Fault,
    /// The remedy where there is no such file.
    missing: Option<&'static str>,
    /// The remedy where a command may not read it.
    denied: Option<&'static str>,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The system does not open or read it.
    #[error("cannot be read: {0}")]
    System(io::Error),
    /// It is of a kind that holds no octets of its own.
    #[error("is a {0}; name a regular file")]
    Kind(&'static str),
    #[error("has more than {}; this is not the file that was meant", size(*.0))]
    TooLarge(u64),
    #[error("is no text: line {line} has {what}; save it as UTF-8")]
    NoText { line: usize, what: &'static str },
    #[error("changes while it is read; write it under another name and rename it")]
    Changing,
}

/// The octets of a file that has at most so many.
pub fn octets(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let read = || read(&open(path, OFlag::empty())?, bytes_max);
    read().map_err(|fault| FileError::new(path, fault))
}

/// The text of a file that has at most so many octets: UTF-8 without NUL. A byte order mark is left
/// out.
pub fn text(path: &Path, bytes_max: u64) -> Result<String, FileError> {
    let octets = octets(path, bytes_max)?;
    decode(octets).map_err(|fault| FileError::new(path, fault))
}

/// A path as a line of a log or a terminal: what tables and directories name may hold anything.
pub fn plain(path: &Path) -> String {
    let escaped =
        |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    path.to_string_lossy().chars().map(escaped).collect()
}

/// Opens a regular file. Without `NONBLOCK`, opening a FIFO would wait for a writer.
pub(crate) fn open(path: &Path, flags: OFlag) -> Result<File, Fault> {
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        // A socket is refused by an error that says little.
        Err(error) => return Err(kind_of(path).unwrap_or(Fault::System(error))),
    };
    match kind(file.metadata().map_err(Fault::System)?.file_type()) {
        Some(kind) => Err(Fault::Kind(kind)),
        None => Ok(file),
    }
}

/// All of an open file.
pub(crate) fn read(file: &File, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let whole = |mut file: &File| {
        let mut octets = Vec::new();
        file.rewind()?;
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut octets)?;
        Ok(octets)
    };
    let octets = settled(|| Ok(stamp(&file.metadata()?)), || whole(file))?;
    if octets.len() as u64 > bytes_max { Err(Fault::TooLarge(bytes_max)) } else { Ok(octets) }
}

/// What is read while nothing changes.
fn settled<S: PartialEq>(
    stamp: impl Fn() -> io::Result<S>,
    read: impl Fn() -> io::Result<Vec<u8>>,
) -> Result<Vec<u8>, Fault> {
    for _ in 0..READS_MAX {
        let before = stamp().map_err(Fault::System)?;
        let octets = read().map_err(Fault::System)?;
        if before == stamp().map_err(Fault::System)? {
            return Ok(octets);
        }
    }
    Err(Fault::Changing)
}

/// The octets as text.
pub(crate) fn decode(octets: Vec<u8>) -> Result<String, Fault> {
    let line = |octets: &[u8]| memchr::memchr_iter(b'\n', octets).count() + 1;
    if let Some(at) = memchr::memchr(0, &octets) {
        return Err(Fault::NoText { line: line(&octets[..at]), what: "a NUL" });
    }
    let text = String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Fault::NoText { line: line(&error.as_bytes()[..valid]), what: "an octet of no character" }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// What changes with a file's content.
fn stamp(metadata: &Metadata) -> (u64, [i64; 4]) {
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    (metadata.size(), times)
}

fn kind_of(path: &Path) -> Option<Fault> {
    fs::metadata(path).ok().and_then(|metadata| kind(metadata.file_type())).map(Fault::Kind)
}

/// What else than a regular file it is.
fn kind(file: FileType) -> Option<&'static str> {
    Some(match file {
        _ if file.is_file() => return None,
        _ if file.is_dir() => "directory",
        _ if file.is_fifo() => "FIFO",
        _ if file.is_socket() => "socket",
        _ => "device",
    })
}

impl FileError {
    pub(crate) fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), fault, missing: None, denied: None }
    }

    /// What helps where there is no such file.
    #[must_use]
    pub fn hint_if_missing(mut self, hint: &'static str) -> Self {
        self.missing = Some(hint);
        self
    }

    /// What helps where a command may not read it.
    #[must_use]
    pub fn hint_if_denied(mut self, hint: &'static str) -> Self {
        self.denied = Some(hint);
        self
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(&self.fault, Fault::System(error) if error.kind() == ErrorKind::NotFound)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong and the remedy, without the path.
    pub fn reason(&self) -> String {
        match (&self.fault, self.missing) {
            (Fault::System(error), hint) => match error.kind() {
                ErrorKind::NotFound => hint.map_or_else(
                    || "no such file; make it, or name another".to_owned(),
                    |hint| format!("no such file; {hint}"),
                ),
                ErrorKind::PermissionDenied => denied(&self.path, self.denied),
                _ => self.fault.to_string(),
            },
            _ => self.fault.to_string(),
        }
    }
}

/// Whom the file is for, and who is to read it.
fn denied(path: &Path, hint: Option<&'static str>) -> String {
    let us = Uid::effective();
    let owner = fs::metadata(path).map_or_else(
        |_| "a directory above it keeps others out".to_owned(),
        |file| format!("it belongs to user {}, mode {:04o}", file.uid(), file.mode() & 0o7777),
    );
    let remedy = match hint {
        _ if is_service() => format!("let user {us}, which runs mailseal, read it"),
        Some(hint) if !us.is_root() => hint.to_owned(),
        _ if us.is_root() => "let root read it".to_owned(),
        _ => format!("run this as root, or let user {us} read it"),
    };
    format!("permission denied; {owner}: {remedy}")
}

fn size(octets: u64) -> String {
    const MIB: u64 = 1 << 20;
    match octets {
        _ if octets >= MIB && octets.is_multiple_of(MIB) => format!("{} MiB", octets / MIB),
        _ if octets >= 1024 && octets.is_multiple_of(1024) => format!("{} KiB", octets / 1024),
        _ => format!("{octets} octets"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn text_is_utf_8_without_nul() {
        let decoded = |octets: &[u8]| decode(octets.to_owned()).map_err(|fault| fault.to_string());
        assert_eq!(decoded(b"\xef\xbb\xbfa = \xc3\xa4\n").unwrap(), "a = \u{e4}\n");
        assert_eq!(decoded(b"").unwrap(), "");
        for (octets, said) in [
            (&b"a\nb\0"[..], "line 2 has a NUL"),
            (b"\n\n\xe4\n", "line 3 has an octet of no character"),
            (b"\xff\xfea\0", "line 1 has a NUL"),
        ] {
            assert!(decoded(octets).unwrap_err().contains(said));
        }
    }

    #[test]
    fn exactly_the_limit_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [b'a'; 1024]).unwrap();
        assert_eq!(octets(&path, 1024).unwrap().len(), 1024);
        let error = octets(&path, 1023).unwrap_err().to_string();
        assert!(
            error.ends_with("file: has more than 1023 octets; this is not the file that was meant")
        );
    }

    #[test]
    fn what_changes_meanwhile_is_read_again() {
        let changing = |changes: u32| {
            let (stamped, reads) = (Cell::new(0), Cell::new(0));
            let stamp = || Ok(stamped.replace(changes.min(stamped.get() + 1)));
            let read = || Ok(vec![reads.replace(reads.get() + 1)]);
            settled(stamp, read).map_err(|fault| fault.to_string())
        };
        assert_eq!(changing(0), Ok(vec![0]));
        // Each try looks twice: the third change is behind the second try.
        assert_eq!(changing(3), Ok(vec![2]));
        assert!(changing(9).unwrap_err().starts_with("changes while it is read"));
    }

    #[test]
    fn an_open_file_is_read_from_its_start() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"all").unwrap();
        assert_eq!(read(&file, 3).unwrap(), b"all");
        assert_eq!(read(&file, 3).unwrap(), b"all");
    }
}
