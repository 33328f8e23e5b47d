//! The members of a zip archive, by both of its lists: the headers before each member and the
//! directory at the end (APPNOTE 4.3).
//!
//! Archivers differ in which they believe, the directory is missing from an archive that is cut, and
//! either may lie anywhere; so both are found by their signatures. Libraries read the directory alone.

use std::collections::HashSet;
use std::ops::Range;

use memchr::memmem;

/// A member as one of the lists has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub path: String,
    pub is_encrypted: bool,
    /// Where its data stands, and how it is packed; of the headers before the members alone.
    pub data: Option<(Range<usize>, Method)>,
    /// How many octets it has unpacked, as the list says.
    pub unpacked: u64,
    pub packed: u64,
}

/// How a member is packed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Stored,
    Deflated,
    Other,
}

/// The most entries that are found.
const ENTRIES_MAX: usize = 65_536;

/// All members, those that both lists have once. Where an archive has two of one path, unpackers differ
/// in which they keep: both are there.
pub(super) fn entries(archive: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut paths = HashSet::new();
    for at in memmem::find_iter(archive, b"PK") {
        let entry = match archive.get(at + 2..at + 4) {
            Some([3, 4]) => local(archive, at),
            Some([1, 2]) => central(archive, at),
            _ => None,
        };
        let Some(entry) = entry else { continue };
        let is_new = paths.insert((entry.path.clone(), entry.is_encrypted));
        if is_new || entry.data.is_some() {
            entries.push(entry);
        }
        if entries.len() >= ENTRIES_MAX {
            break;
        }
    }
    entries
}

/// APPNOTE 4.3.7.
fn local(archive: &[u8], at: usize) -> Option<Entry> {
    let flags = short(archive, at + 6)?;
    let name_start = at + 30;
    let name_end = name_start + usize::from(short(archive, at + 26)?);
    let start = name_end + usize::from(short(archive, at + 28)?);
    let packed = long(archive, at + 18)?;
    let end = match packed {
        // The size follows the data, or is in a larger field: the data ends by itself.
        0 | u32::MAX => archive.len(),
        packed => archive.len().min(start.checked_add(packed as usize)?),
    };
    let data = start.min(end)..end;
    let method = match short(archive, at + 8)? {
        0 => Method::Stored,
        8 => Method::Deflated,
        _ => Method::Other,
    };
    Some(Entry {
        path: path(archive.get(name_start..name_end)?, flags)?,
        is_encrypted: flags & 1 != 0,
        packed: (data.end - data.start) as u64,
        data: Some((data, method)),
        unpacked: long(archive, at + 22)?.into(),
    })
}

/// APPNOTE 4.3.12.
fn central(archive: &[u8], at: usize) -> Option<Entry> {
    let flags = short(archive, at + 8)?;
    let name_start = at + 46;
    let name_end = name_start + usize::from(short(archive, at + 28)?);
    Some(Entry {
        path: path(archive.get(name_start..name_end)?, flags)?,
        is_encrypted: flags & 1 != 0,
        data: None,
        unpacked: long(archive, at + 24)?.into(),
        packed: long(archive, at + 20)?.into(),
    })
}

/// APPNOTE 4.4.4, bit 11: UTF-8, or the character set of the archiver.
fn path(name: &[u8], _flags: u16) -> Option<String> {
    let path = crate::message::text::guessed(name).into_owned();
    (!path.is_empty() && !path.ends_with(['/', '\\'])).then_some(path)
}

fn short(archive: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(archive.get(at..at + 2)?.try_into().ok()?))
}

fn long(archive: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(archive.get(at..at + 4)?.try_into().ok()?))
}
