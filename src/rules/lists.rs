//! The lists that the rules of a directory name, each file read once.
//!
//! Failure: a list that cannot be read, or has a bad line, is a fault of each rule that names it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::list::List;
use crate::config::error::Complaint;
use crate::file;

/// A million domain names take a fifth of it.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The lists read so far, and why others could not be.
#[derive(Debug, Default)]
pub(super) struct Lists(HashMap<PathBuf, Result<Arc<List>, Complaint>>);

impl Lists {
    /// The list in a file.
    pub(super) fn list(&mut self, path: &Path) -> Result<Arc<List>, Complaint> {
        let read = || {
            let text = file::text(path, FILE_BYTES_MAX)
                .map_err(|error| Complaint::new(format!("list {error}")))?;
            List::read(&text).map(Arc::new).map_err(|bad| {
                let path = file::plain(path);
                let message = format!("list {path}:{}: {}", bad.line, bad.complaint.message);
                Complaint { message, ..bad.complaint }
            })
        };
        self.0.entry(path.to_owned()).or_insert_with(read).clone()
    }
}
