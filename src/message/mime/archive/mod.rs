//! The members of archives, by name: zip, tar and gzip, nested to a limit; others are known to be
//! archives, and that is all.
//!
//! Only what may be an archive itself is unpacked whole, and of the others the beginning that tells
//! their type. Everything that is unpacked comes out of one allowance of octets for a message.

mod zip;

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;

use flate2::read::{DeflateDecoder, MultiGzDecoder};
use memchr::memmem;

use super::MimeLimits;
use super::ambiguity::Limit;
use super::kind;
use super::name;
use zip::{Entry, Method};

/// How much of a member is unpacked to tell its type.
const HEAD_OCTETS: usize = 512;

/// How many members of an archive have their types told.
const TOLD_MAX: usize = 200;

/// A small archive may grow by any ratio up to this many octets.
const SMALL_OCTETS: usize = 1_048_576;

/// A member of an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its path, as the archive has it; of a gzip file without a name, the file's own.
    pub path: String,
    /// 1 in the archive itself, 2 in an archive in it.
    pub depth: usize,
    /// Whether it needs a password.
    pub is_encrypted: bool,
    /// Its type by content, where that was looked at.
    pub true_type: Option<&'static str>,
}

impl Member {
    /// Its extension, in lower case without the dot.
    pub fn extensions(&self) -> impl Iterator<Item = String> {
        name::extension(&self.path).into_iter()
    }
}

/// What was found in the archives of one message.
#[derive(Debug)]
pub(super) struct Unpacking<'l> {
    limits: &'l MimeLimits,
    /// Octets that may still be unpacked.
    octets_left: usize,
    members_left: usize,
    pub found_limits: BTreeSet<Limit>,
}

/// What was found in one archive.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub members: Vec<Member>,
    pub is_encrypted: bool,
    pub is_unread: bool,
}

impl<'l> Unpacking<'l> {
    pub(super) fn new(limits: &'l MimeLimits) -> Self {
        Self {
            limits,
            octets_left: limits.archive_bytes_max,
            members_left: limits.archive_members_max,
            found_limits: BTreeSet::new(),
        }
    }

    /// Lists the members of a file of that type by content, and of the archives in it.
    pub(super) fn open(
        &mut self,
        file: &[u8],
        kind: &str,
        name: &str,
        depth: usize,
        out: &mut Contents,
    ) {
        if kind == "application/x-ole-storage" {
            // [MS-OFFCRYPTO] 2.3: a document with a password is a stream of this name.
            out.is_encrypted |= memmem::find(file, &utf16("EncryptedPackage")).is_some();
            return;
        }
        if !kind::is_archive(kind) {
            return;
        }
        if depth > self.limits.archive_depth_max {
            self.found_limits.insert(Limit::ArchiveDepth);
            return;
        }
        match kind {
            "application/gzip" => self.gzip(file, name, depth, out),
            "application/x-tar" => self.tar(file, depth, out),
            _ if kind::is_zip(kind) => self.zip(file, depth, out),
            _ => out.is_unread = true,
        }
    }

    fn add(&mut self, out: &mut Contents, member: Member) -> bool {
        if self.members_left == 0 {
            self.found_limits.insert(Limit::ArchiveMembers);
            return false;
        }
        self.members_left -= 1;
        out.is_encrypted |= member.is_encrypted;
        out.members.push(member);
        true
    }

    fn zip(&mut self, file: &[u8], depth: usize, out: &mut Contents) {
        for (index, entry) in zip::entries(file).into_iter().enumerate() {
            self.judge_size(&entry);
            let Entry { path, is_encrypted, data, .. } = entry;
            let data = data.filter(|_| !is_encrypted);
            let is_told = index < TOLD_MAX || has_archive_name(&path);
            let head = data.as_ref().filter(|_| is_told).and_then(|data| Self::head(file, data));
            let true_type = head.as_deref().and_then(kind::of);
            let member = Member { path: path.clone(), depth, is_encrypted, true_type };
            if !self.add(out, member) {
                return;
            }
            if let (Some(kind), Some(data)) = (true_type, data)
                && (kind::is_archive(kind) || kind == "application/x-ole-storage")
            {
                let unpacked = self.unpacked(file, &data);
                self.open(&unpacked, kind, &path, depth + 1, out);
            }
        }
    }

    /// What would fill the disk of whoever unpacks it.
    fn judge_size(&mut self, entry: &Entry) {
        let ratio = entry.unpacked / entry.packed.max(1);
        if entry.unpacked != u64::from(u32::MAX)
            && entry.unpacked > SMALL_OCTETS as u64
            && ratio > self.limits.archive_ratio_max as u64
        {
            self.found_limits.insert(Limit::ArchiveRatio);
        }
    }

    fn head(file: &[u8], (range, method): &(Range<usize>, Method)) -> Option<Vec<u8>> {
        let packed = file.get(range.clone())?;
        let mut head = Vec::new();
        let read = match method {
            Method::Stored => packed.take(HEAD_OCTETS as u64).read_to_end(&mut head),
            Method::Deflated => {
                DeflateDecoder::new(packed).take(HEAD_OCTETS as u64).read_to_end(&mut head)
            }
            Method::Other => return None,
        };
        // What was read before a fault is read.
        let _ = read;
        Some(head)
    }

    fn unpacked(&mut self, file: &[u8], (range, method): &(Range<usize>, Method)) -> Vec<u8> {
        let packed = file.get(range.clone()).unwrap_or_default();
        match method {
            Method::Stored => self.bounded(packed, packed.len()),
            Method::Deflated => self.bounded(DeflateDecoder::new(packed), packed.len()),
            Method::Other => Vec::new(),
        }
    }

    /// Reads what comes out of `packed` octets, within the limits.
    fn bounded(&mut self, unpacking: impl Read, packed: usize) -> Vec<u8> {
        let by_ratio = packed.saturating_mul(self.limits.archive_ratio_max).max(SMALL_OCTETS);
        let octets_max = by_ratio.min(self.octets_left);
        let mut octets = Vec::new();
        // A fault ends the reading; what came before it counts.
        let _ = unpacking.take(octets_max as u64 + 1).read_to_end(&mut octets);
        if octets.len() > octets_max {
            let limit =
                if octets_max == by_ratio { Limit::ArchiveRatio } else { Limit::ArchiveBytes };
            self.found_limits.insert(limit);
            octets.truncate(octets_max);
        }
        self.octets_left -= octets.len();
        octets
    }

    fn gzip(&mut self, file: &[u8], name: &str, depth: usize, out: &mut Contents) {
        let decoder = MultiGzDecoder::new(file);
        let own = decoder.header().and_then(|header| header.filename());
        let path = match own.filter(|name| !name.is_empty()) {
            Some(own) => crate::message::text::guessed(own).into_owned(),
            None => without_gz(name),
        };
        let octets = self.bounded(decoder, file.len());
        let true_type = kind::of(&octets);
        if self.add(out, Member { path: path.clone(), depth, is_encrypted: false, true_type })
            && let Some(kind) = true_type
        {
            self.open(&octets, kind, &path, depth + 1, out);
        }
    }

    fn tar(&mut self, file: &[u8], depth: usize, out: &mut Contents) {
        let mut archive = tar::Archive::new(file);
        let Ok(entries) = archive.entries() else { return };
        // A fault ends the list: where the next header is, nobody knows.
        for entry in entries.map_while(Result::ok) {
            let path = crate::message::text::guessed(&entry.path_bytes()).into_owned();
            let start = entry.raw_file_position() as usize;
            let end = start.saturating_add(entry.size() as usize).min(file.len());
            let data = file.get(start..end).unwrap_or_default();
            if path.ends_with('/') {
                continue;
            }
            let true_type = kind::of(&data[..data.len().min(kind::OCTETS_MAX)]);
            if !self.add(out, Member { path: path.clone(), depth, is_encrypted: false, true_type })
            {
                return;
            }
            if let Some(kind) = true_type {
                self.open(data, kind, &path, depth + 1, out);
            }
        }
    }
}

fn has_archive_name(path: &str) -> bool {
    name::extension(path).is_some_and(|extension| {
        matches!(
            extension.as_str(),
            "zip" | "gz" | "tgz" | "tar" | "7z" | "rar" | "jar" | "iso" | "img" | "cab"
        )
    })
}

/// The name of what is in a gzip file that has no name for it.
fn without_gz(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if let Some(stem) = lower.strip_suffix(".tgz") {
        return format!("{}.tar", &name[..stem.len()]);
    }
    lower.strip_suffix(".gz").map_or(name, |stem| &name[..stem.len()]).to_owned()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
