//! The header block: the octets of all header fields in one buffer, and where each field lies in it.
//!
//! Field values keep their octets, white space after the colon included (RFC 6376's simple
//! canonicalization needs them), with CRLF at folds. Nothing is decoded here.

/// The header fields of one message, top first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderBlock {
    octets: Vec<u8>,
    fields: Vec<Span>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Span {
    start: usize,
    colon: usize,
    end: usize,
}

/// One header field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field<'a> {
    /// The name as spelt.
    pub name: &'a [u8],
    /// Everything between the colon and the final CRLF, folds (CRLF, white space) included.
    pub value: &'a [u8],
}

impl Field<'_> {
    /// Whether the field has this name, compared as RFC 5322 compares names.
    pub fn is(&self, name: &str) -> bool {
        self.name.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
    }
}

impl HeaderBlock {
    /// Appends a field. A bare LF in the value becomes CRLF: milter sends folds as LF.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.octets.len();
        self.octets.extend_from_slice(name);
        let colon = self.octets.len();
        self.octets.push(b':');
        let mut previous = 0;
        for &octet in value {
            if octet == b'\n' && previous != b'\r' {
                self.octets.push(b'\r');
            }
            self.octets.push(octet);
            previous = octet;
        }
        let end = self.octets.len();
        self.octets.extend_from_slice(b"\r\n");
        self.fields.push(Span { start, colon, end });
    }

    /// All fields, top first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Field<'_>> + ExactSizeIterator {
        self.fields.iter().map(|span| Field {
            name: &self.octets[span.start..span.colon],
            value: &self.octets[span.colon + 1..span.end],
        })
    }

    /// The fields of one name, top first.
    pub fn named<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = Field<'a>> {
        self.iter().filter(move |field| field.is(name))
    }

    /// The whole block as it would stand in a message, each field with its CRLF, without the empty
    /// line that ends it.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The memory that it fills.
    pub(crate) fn held_bytes(&self) -> usize {
        self.octets.capacity() + self.fields.capacity() * size_of::<Span>()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}
