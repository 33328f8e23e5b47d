//! Files of other software: of bounded size, and regular ones alone.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::file::{self, FileError};

/// A table of some ten thousand domains has a MiB.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A PEM of RSA-8192 has some 6,400 octets; text may stand around it.
pub(super) const KEY_BYTES_MAX: u64 = 64 * 1024;

/// Private keys of other software are open to that and to root, and are not opened to more.
const IF_DENIED: &str = "run this as root, who hands the keys to the owner of the key store";

/// The text of a table or a configuration.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    file::text(path, TABLE_BYTES_MAX)
}

/// The text of a file of at most so many octets; or why not.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    file::text(path, bytes_max).map_err(|error| error.hint_if_denied(IF_DENIED).reason())
}

/// Why the system does not show a path.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::PermissionDenied => format!("cannot be read: {error}; {IF_DENIED}"),
        _ => format!("cannot be read: {error}"),
    }
}
