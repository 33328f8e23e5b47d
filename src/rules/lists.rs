//! The lists that the rules of a directory name, each file read once.
//!
//! Failure: a list that cannot be read, or has a bad line, is a fault of each rule that names it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::list::List;
use crate::config::error::Complaint;

/// A million domain names take a fifth of it.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The lists read so far, and why others could not be.
#[derive(Debug, Default)]
pub(super) struct Lists(HashMap<PathBuf, Result<Arc<List>, Complaint>>);

impl Lists {
    /// The list in a file.
    pub(super) fn list(&mut self, path: &Path) -> Result<Arc<List>, Complaint> {
        let read = || {
            let text = text(path)
                .map_err(|reason| Complaint::new(format!("list {}: {reason}", path.display())))?;
            List::read(&text).map(Arc::new).map_err(|bad| {
                let message = format!("{}:{}: {}", path.display(), bad.line, bad.complaint.message);
                Complaint { message, ..bad.complaint }
            })
        };
        self.0.entry(path.to_owned()).or_insert_with(read).clone()
    }
}

fn text(path: &Path) -> Result<String, String> {
    let octets = octets(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs mailseal read it".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    })?;
    if octets.len() as u64 > FILE_BYTES_MAX {
        return Err("larger than 128 MiB".to_owned());
    }
    String::from_utf8(octets).map_err(|_| "not UTF-8 text".to_owned())
}

/// One octet more than allowed, at most. Only regular files are opened: a FIFO would wait for ever.
fn octets(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut octets = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut octets)?;
    Ok(octets)
}
