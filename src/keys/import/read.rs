//! Files of other software: of bounded size, and regular ones alone.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use super::plan::plain;

/// A table of some ten thousand domains has a MiB.
pub(super) const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A PEM of RSA-8192 has some 6,400 octets; text may stand around it.
pub(super) const KEY_BYTES_MAX: u64 = 64 * 1024;

/// The text of a table or a configuration; or why not, after the file's name.
pub fn read_text(path: &Path) -> Result<String, String> {
    read(path, TABLE_BYTES_MAX).map_err(|reason| format!("{}: {reason}", plain(path)))
}

/// The text of a file of at most so many octets; or why not.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    let cannot = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; run the import as root, or as the user that owns it".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    };
    // Without NONBLOCK, opening a FIFO would wait for a writer.
    let flags = OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| cannot(&error))?;
    if !file.metadata().map_err(|error| cannot(&error))?.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mut octets = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut octets).map_err(|error| cannot(&error))?;
    if octets.len() as u64 > bytes_max {
        return Err(format!(
            "has more than {bytes_max} octets; this is not the file that was meant"
        ));
    }
    String::from_utf8(octets).map_err(|_| "is not text".to_owned())
}
