//! The header of a part: its fields as they lie in the body, and where it ends.

use std::ops::Range;

use super::ambiguity::{Ambiguity, Limit};

/// The most fields of a part's header.
const FIELDS_MAX: usize = 500;

/// The most octets of a part's header.
const OCTETS_MAX: usize = 262_144;

/// The header of a part.
#[derive(Debug, Default)]
pub(super) struct PartHeader {
    /// Where names and values lie, folds included.
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// Where the body begins.
    pub body: usize,
    /// The first line that is none of a field, and how many fields stand before it: some readers
    /// end the header there.
    pub broken: Option<(usize, usize)>,
    pub ambiguity: Option<Ambiguity>,
    pub limit: Option<Limit>,
}

/// Reads the header that a part or message begins with.
pub(super) fn read(part: &[u8], is_cut: bool) -> PartHeader {
    let mut header = PartHeader::default();
    let mut at = 0;
    while at < part.len() {
        let rest = &part[at..];
        let line = memchr::memchr(b'\n', rest).map_or(rest, |end| &rest[..=end]);
        if matches!(line, b"\r\n" | b"\n" | b"\r\r\n") {
            header.body = at + line.len();
            header.ambiguity = header.broken.map(|_| Ambiguity::BrokenPartHeader);
            return header;
        }
        if at > OCTETS_MAX || header.fields.len() >= FIELDS_MAX {
            header.limit = Some(Limit::PartHeader);
            header.body = at;
            return header;
        }
        header.take(line, at);
        at += line.len();
    }
    // No empty line: what is no field is the body.
    header.body = header.broken.take().map_or(part.len(), |(body, fields)| {
        header.fields.truncate(fields);
        header.ambiguity = (!is_cut).then_some(Ambiguity::BrokenPartHeader);
        body
    });
    header
}

impl PartHeader {
    /// Names and values.
    pub(super) fn fields<'a>(&self, part: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.fields.iter().map(|(name, value)| (&part[name.clone()], &part[value.clone()]))
    }

    fn take(&mut self, line: &[u8], at: usize) {
        let end = at + line.len();
        if let ([b' ' | b'\t', ..], Some((_, value))) = (line, self.fields.last_mut()) {
            value.end = end;
            return;
        }
        match memchr::memchr(b':', line).filter(|colon| is_name(&line[..*colon])) {
            Some(colon) => self.fields.push((at..at + colon, at + colon + 1..end)),
            None if self.broken.is_none() => self.broken = Some((at, self.fields.len())),
            None => {}
        }
    }
}

fn is_name(name: &[u8]) -> bool {
    let name = name.trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}
