//! Tag lists: `name=value; name=value` (RFC 6376 §3.2).

use std::ops::Range;

/// More tags than this are refused: the RFCs define twelve for a signature.
pub const TAGS_MAX: usize = 64;

/// A tag list whose syntax holds and whose names differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TagList<'a> {
    tags: Vec<Tag<'a>>,
}

/// One tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag<'a> {
    /// The name; upper and lower case differ.
    pub name: &'a str,
    /// The value without the white space around it; folds inside it are kept.
    pub value: &'a [u8],
    /// Where all between `=` and `;` stands in the parsed octets.
    pub raw: Range<usize>,
}

/// Why octets are no tag list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TagError {
    /// NUL, a control character, a CR or LF that folds nothing.
    #[error("octet {0} may not stand in a tag list")]
    Octet(u8),
    /// A tag without `=`, or with a name that is none.
    #[error("tag {0} is not name=value")]
    Syntax(usize),
    /// RFC 6376 §3.2: tags with duplicate names MUST NOT occur.
    #[error("tag {0} repeats the name of another")]
    Duplicate(usize),
    /// Over [`TAGS_MAX`].
    #[error("more than {TAGS_MAX} tags")]
    TooMany,
}

impl<'a> TagList<'a> {
    /// Parses a tag list; the last tag may end in a semicolon.
    pub fn parse(octets: &'a [u8]) -> Result<Self, TagError> {
        check_octets(octets)?;
        let mut tags: Vec<Tag<'a>> = Vec::new();
        let mut start = 0;
        for (number, spec) in (1..).zip(octets.split(|octet| *octet == b';')) {
            let end = start + spec.len();
            if end == octets.len() && number > 1 && trim(spec).is_empty() {
                break;
            }
            if tags.len() == TAGS_MAX {
                return Err(TagError::TooMany);
            }
            let tag = Tag::parse(spec, start).ok_or(TagError::Syntax(number))?;
            if tags.iter().any(|known| known.name == tag.name) {
                return Err(TagError::Duplicate(number));
            }
            tags.push(tag);
            start = end + 1;
        }
        Ok(Self { tags })
    }

    /// The tag of that name.
    pub fn tag(&self, name: &str) -> Option<&Tag<'a>> {
        self.tags.iter().find(|tag| tag.name == name)
    }

    /// The value of the tag of that name.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.tag(name).map(|tag| tag.value)
    }

    /// The tags in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Tag<'a>> {
        self.tags.iter()
    }
}

impl<'a> Tag<'a> {
    fn parse(spec: &'a [u8], start: usize) -> Option<Self> {
        let equals = memchr::memchr(b'=', spec)?;
        let name = std::str::from_utf8(trim(&spec[..equals])).ok()?;
        let mut octets = name.bytes();
        let valid = octets.next()?.is_ascii_alphabetic()
            && octets.all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
        let value = &spec[equals + 1..];
        let raw = start + equals + 1..start + spec.len();
        valid.then_some(Self { name, value: trim(value), raw })
    }
}

/// The items of a colon-separated list, without the white space around them.
pub(super) fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|octet| *octet == b':').map(trim)
}

/// All of a value's octets but white space: how base64 and quoted-printable values are read.
pub(super) fn without_white_space(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|octet| !is_white_space(*octet)).collect()
}

fn trim(octets: &[u8]) -> &[u8] {
    let start = octets.iter().position(|octet| !is_white_space(*octet)).unwrap_or(octets.len());
    let end = octets.iter().rposition(|octet| !is_white_space(*octet)).map_or(start, |at| at + 1);
    &octets[start..end]
}

fn is_white_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// VALCHAR, white space, and CRLF only where it folds (§2.8, §3.2); UTF-8 may stand in the header
/// fields of RFC 6532 (RFC 8616 §5).
fn check_octets(octets: &[u8]) -> Result<(), TagError> {
    for (at, &octet) in octets.iter().enumerate() {
        let valid = match octet {
            b' '..=b'~' | b'\t' | 0x80.. => true,
            b'\r' => matches!(octets.get(at + 1..at + 3), Some([b'\n', b' ' | b'\t'])),
            b'\n' => at > 0 && octets[at - 1] == b'\r',
            _ => false,
        };
        if !valid {
            return Err(TagError::Octet(octet));
        }
    }
    Ok(())
}
