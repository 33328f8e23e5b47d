//! A store of messages: a directory of files, Maildirs in it, or an mbox.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::mbox::{Mbox, Read};
use super::{Broken, MESSAGE_BYTES_MAX, Stored};
use crate::file;

/// Directories in directories.
const DEPTH_MAX: usize = 32;

/// The messages of a store, in the order of their names.
pub struct Messages {
    source: Source,
}

enum Source {
    /// What is still to be read, the next last; and how deep it lies.
    Tree(Vec<(PathBuf, usize)>),
    Mbox {
        path: String,
        mbox: Mbox<BufReader<File>>,
        count: usize,
    },
}

/// Opens a store.
pub fn messages(path: &Path) -> io::Result<Messages> {
    let kind = fs::metadata(path)?.file_type();
    let source = if kind.is_dir() {
        // That it can be read at all.
        fs::read_dir(path)?;
        Source::Tree(vec![(path.to_owned(), 0)])
    } else if kind.is_file() && is_named_eml(path) {
        Source::Tree(vec![(path.to_owned(), 1)])
    } else if kind.is_file() {
        let mbox = Mbox::new(BufReader::new(File::open(path)?));
        Source::Mbox { path: file::plain(path), mbox, count: 0 }
    } else {
        return Err(io::Error::other("neither a directory nor a regular file"));
    };
    Ok(Messages { source })
}

impl Iterator for Messages {
    type Item = Result<Stored, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Tree(left) => next_of_tree(left),
            Source::Mbox { path, mbox, count } => {
                *count += 1;
                let name = format!("{path}:{count}");
                let broken = |name, reason: &str| Some(Err(Broken { name, reason: reason.into() }));
                match mbox.next() {
                    Ok(None) => None,
                    Ok(Some(Read::Message(octets))) => Some(Ok(Stored { name, octets })),
                    Ok(Some(Read::TooLarge)) => broken(name, "larger than 64 MiB"),
                    Ok(Some(Read::NoMbox)) => {
                        broken(name, "no mbox: it does not begin with a line \"From ...\"")
                    }
                    Err(error) => {
                        let reason = format!("cannot be read: {error}");
                        self.source = Source::Tree(Vec::new());
                        broken(name, &reason)
                    }
                }
            }
        }
    }
}

fn next_of_tree(left: &mut Vec<(PathBuf, usize)>) -> Option<Result<Stored, Broken>> {
    loop {
        let (path, depth) = left.pop()?;
        let name = file::plain(&path);
        // A link to a directory could lead back here.
        let is_dir = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) || depth == 0;
        if !is_dir {
            let read = file::octets(&path, MESSAGE_BYTES_MAX as u64);
            let read = read.map_err(|error| error.reason());
            return Some(match read {
                Ok(octets) => Ok(Stored { name, octets }),
                Err(reason) => Err(Broken { name, reason }),
            });
        }
        match entries(&path) {
            Ok(_) if depth == DEPTH_MAX => {
                return Some(Err(Broken { name, reason: "too many directories deep".into() }));
            }
            Ok(entries) => left.extend(entries.into_iter().map(|entry| (entry, depth + 1))),
            Err(error) => {
                return Some(Err(Broken { name, reason: format!("cannot be read: {error}") }));
            }
        }
    }
}

/// What may be a message in a directory, and its directories; the first name last. In a Maildir all
/// files of `cur` and `new` are messages, elsewhere those named `*.eml`; `tmp` has none.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let is_of_maildir = dir.file_name().is_some_and(|name| name == "cur" || name == "new");
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let is_dir = entry.file_type()?.is_dir();
        let name = entry.file_name();
        let is_message =
            is_named_eml(&path) || (is_of_maildir && !name.as_encoded_bytes().starts_with(b"."));
        if (is_dir && name != "tmp") || (!is_dir && is_message) {
            entries.push(path);
        }
    }
    entries.sort_by(|a, b| b.cmp(a));
    Ok(entries)
}

fn is_named_eml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("eml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_maildirs_are_read_in_order_and_broken_ones_are_named() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.eml", "b"),
            ("a/.Sent/cur/1:2,S", "sent"),
            ("a/new/1", "new"),
            ("a/tmp/1", "tmp"),
            ("a/dovecot.index", "no"),
            ("notes.txt", "no"),
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink("missing", root.path().join("c.eml")).unwrap();
        let start = format!("{}/", root.path().display());
        let found: Vec<String> = messages(root.path())
            .unwrap()
            .map(|found| match found {
                Ok(Stored { name, octets }) => {
                    format!("{} {}", name.replace(&start, ""), String::from_utf8(octets).unwrap())
                }
                Err(Broken { name, .. }) => format!("{} broken", name.replace(&start, "")),
            })
            .collect();
        assert_eq!(found, ["a/.Sent/cur/1:2,S sent", "a/new/1 new", "b.eml b", "c.eml broken"]);
        assert!(messages(&root.path().join("missing")).is_err());
    }
}
