//! Header canonicalization (RFC 6376 §3.4.1, §3.4.2) and the octets that a signature signs (§3.7).

use std::collections::HashMap;
use std::ops::Range;

use super::Canonicalization;
use crate::message::header::{Field, HeaderBlock};

/// The signature's own field, as it stands or will stand in the message.
#[derive(Clone, Debug)]
pub struct SignatureField<'a> {
    /// The field.
    pub field: Field<'a>,
    /// Where the value of `b=` stands in the field's value, surrounding white space included.
    pub signature_range: Range<usize>,
    /// Its place in the header block, where it is in it: it is never one of the signed fields.
    pub index: Option<usize>,
}

/// The octets to be hashed and signed: the fields of `signed`, in that order, and then the
/// signature's own field with `b=` emptied and without its CRLF (§3.7, hash step 2).
pub fn hash_input(
    headers: &HeaderBlock,
    signed: &[String],
    own: &SignatureField<'_>,
    canonicalization: Canonicalization,
) -> Vec<u8> {
    let mut input = Vec::with_capacity(4096);
    for field in select(headers, signed, own.index) {
        append(&mut input, field.name, field.value, canonicalization);
    }
    append_unsigned(&mut input, own, canonicalization);
    input
}

/// Appends the signature's own field as it is signed: with `b=` emptied and without its CRLF.
pub(crate) fn append_unsigned(
    out: &mut Vec<u8>,
    own: &SignatureField<'_>,
    canonicalization: Canonicalization,
) {
    let Range { start, end } = own.signature_range;
    let value = own.field.value;
    let emptied = [
        value.get(..start).unwrap_or_default(), //
        value.get(end..).unwrap_or_default(),
    ]
    .concat();
    append(out, own.field.name, &emptied, canonicalization);
    out.truncate(out.len() - 2);
}

/// The fields that `signed` (names in lower case) stands for. Of repeated fields the last comes
/// first (§5.4.2); a name with no field left is the null string.
fn select<'a>(
    headers: &'a HeaderBlock,
    signed: &[String],
    own: Option<usize>,
) -> impl Iterator<Item = Field<'a>> {
    let mut instances: HashMap<&[u8], Vec<Field<'a>>> =
        signed.iter().map(|name| (name.as_bytes(), Vec::new())).collect();
    for (index, field) in headers.iter().enumerate() {
        let name = field.name.trim_ascii_end().to_ascii_lowercase();
        if let Some(fields) = instances.get_mut(name.as_slice())
            && own != Some(index)
        {
            fields.push(field);
        }
    }
    signed.iter().filter_map(move |name| instances.get_mut(name.as_bytes())?.pop())
}

/// Appends one canonicalized field with its CRLF.
pub fn append(out: &mut Vec<u8>, name: &[u8], value: &[u8], canonicalization: Canonicalization) {
    match canonicalization {
        Canonicalization::Simple => {
            out.extend_from_slice(name);
            out.push(b':');
            out.extend_from_slice(value);
        }
        Canonicalization::Relaxed => {
            let name = name.trim_ascii_end();
            out.extend(name.iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            append_relaxed(out, value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Unfolds, makes one space of each run of white space, and drops it at both ends (§3.4.2).
fn append_relaxed(out: &mut Vec<u8>, value: &[u8]) {
    let start = out.len();
    let mut blank = false;
    let mut rest = value;
    while let Some((&octet, after)) = rest.split_first() {
        rest = match rest {
            [b' ' | b'\t', ..] => {
                blank = true;
                after
            }
            [b'\r', b'\n', b' ' | b'\t', ..] => &rest[2..],
            _ => {
                if blank && out.len() > start {
                    out.push(b' ');
                }
                blank = false;
                out.push(octet);
                after
            }
        };
    }
}
