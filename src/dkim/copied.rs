//! The header fields that a signer copied into `z=` (RFC 6376 §3.5), for a reader who asks what was
//! changed since: "not intended for verification". Nothing is verified with them.

use super::canonical::Canonicalization::Relaxed;
use super::canonical::header::append;
use super::signature::decode_quoted_printable;
use super::tags::{TagList, without_white_space};
use crate::message::header::HeaderBlock;

/// How many copies are looked at; a signer copies what it signs.
const COPIES_MAX: usize = 100;

/// A field that is not in the message as it was copied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The field's name, as copied.
    pub name: Vec<u8>,
    /// Its value when it was signed.
    pub was: Vec<u8>,
    /// The value of the last field of that name now; `None` where there is none.
    pub is: Option<Vec<u8>>,
}

/// Compares the copies in a DKIM-Signature field's value with the message, apart from white space.
pub fn changed(headers: &HeaderBlock, value: &[u8]) -> Vec<Changed> {
    let Ok(tags) = TagList::parse(value) else { return Vec::new() };
    let Some(copies) = tags.get("z") else { return Vec::new() };
    let copies = copies.split(|octet| *octet == b'|').take(COPIES_MAX);
    copies.filter_map(copy).filter_map(|(name, was)| compare(headers, name, was)).collect()
}

fn copy(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = String::from_utf8(without_white_space(text)).ok()?;
    let (name, value) = text.split_once(':')?;
    Some((name.as_bytes().to_vec(), decode_quoted_printable(value)?))
}

fn compare(headers: &HeaderBlock, name: Vec<u8>, was: Vec<u8>) -> Option<Changed> {
    let canonical = |value: &[u8]| {
        let mut out = Vec::new();
        append(&mut out, &name, value, Relaxed);
        out
    };
    let wanted = canonical(&was);
    let of_name = |field: &&[u8]| field.trim_ascii_end().eq_ignore_ascii_case(&name);
    let mut fields = headers.iter().rev().filter(|field| of_name(&field.name));
    let last = fields.next();
    let is_there = last.is_some_and(|field| canonical(field.value) == wanted)
        || fields.any(|field| canonical(field.value) == wanted);
    let is = last.map(|field| field.value.to_vec());
    (!is_there).then_some(Changed { name, was, is })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_told() {
        let mut headers = HeaderBlock::default();
        headers.push(b"Subject", b" [list] Lunch");
        headers.push(b"From", b"  Joe <joe@example.net>");
        let value = b" v=1; z=From:=20Joe=20<joe@example.net>|Subject:=20Lunch|\r\n\tTo:=20a@b.example|x|y:=zz";
        let changed = changed(&headers, value);
        let told: Vec<_> = changed
            .iter()
            .map(|c| (c.name.as_slice(), c.was.as_slice(), c.is.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (&b"Subject"[..], &b" Lunch"[..], Some(&b" [list] Lunch"[..])),
                (b"To", b" a@b.example", None),
            ]
        );
        assert_eq!(super::changed(&headers, b" v=1; b=x"), []);
        assert_eq!(super::changed(&headers, b"garbage"), []);
    }
}
