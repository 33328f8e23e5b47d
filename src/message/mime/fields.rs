//! The fields that say what a part is: type, encoding, disposition, names (RFC 2045, RFC 2183).

use std::collections::BTreeSet;

use super::ambiguity::Ambiguity;
use super::parameter::{Structured, once};
use super::transfer::Encoding;

/// The most readings of one fact that are kept.
pub(super) const READINGS_MAX: usize = 4;

/// One reading of what type a part has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ContentType {
    /// Type and subtype in lower case, with a slash.
    pub name: String,
    /// What parts a multipart.
    pub boundaries: Vec<Vec<u8>>,
    pub charset: Option<String>,
}

/// What a part's header says, in all readings, likeliest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub types: Vec<ContentType>,
    pub encodings: Vec<Encoding>,
    pub disposition: Option<String>,
    pub names: Vec<String>,
    pub ambiguities: BTreeSet<Ambiguity>,
}

impl Facts {
    /// Reads a header. A part without a type has the default one.
    pub(super) fn read<'a>(
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        default_type: &str,
    ) -> Self {
        let (mut types, mut encodings, mut dispositions) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in fields {
            let name = name.trim_ascii();
            let list = if name.eq_ignore_ascii_case(b"content-type") {
                &mut types
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                &mut encodings
            } else if name.eq_ignore_ascii_case(b"content-disposition") {
                &mut dispositions
            } else {
                continue;
            };
            if list.len() < READINGS_MAX {
                list.push(Structured::read(value));
            }
        }
        let mut facts = Self::default();
        facts.read_types(&types, default_type);
        facts.read_encodings(&encodings);
        facts.disposition =
            dispositions.first().and_then(|field| field.values().into_iter().next());
        let names = dispositions.iter().flat_map(|field| field.texts("filename"));
        let names = names.chain(types.iter().flat_map(|field| field.texts("name")));
        facts.names = once(names.filter(|name| !name.trim().is_empty()));
        facts.names.truncate(2 * READINGS_MAX);
        facts
    }

    fn read_types(&mut self, fields: &[Structured], default_type: &str) {
        let mut types: Vec<ContentType> = Vec::new();
        for field in fields {
            let boundaries = boundaries(field);
            if boundaries.len() > 1 {
                self.ambiguities.insert(Ambiguity::TwoBoundaries);
            }
            let charset = field.texts("charset").into_iter().next();
            for name in field.values() {
                let is_type = is_type(&name);
                if !is_type || field.is_broken() {
                    self.ambiguities.insert(Ambiguity::BrokenContentType);
                }
                // RFC 2045 §5.2: a type that cannot be read is the default one.
                let name = if is_type { name } else { default_type.to_owned() };
                let (boundaries, charset) = (boundaries.clone(), charset.clone());
                types.push(ContentType { name, boundaries, charset });
            }
        }
        let mut types = once(types.into_iter());
        if fields.len() > 1 && types.len() > 1 {
            self.ambiguities.insert(Ambiguity::TwoContentTypes);
        }
        types.truncate(READINGS_MAX);
        if types.is_empty() {
            let name = default_type.to_owned();
            types.push(ContentType { name, boundaries: Vec::new(), charset: None });
        }
        self.types = types;
    }

    fn read_encodings(&mut self, fields: &[Structured]) {
        let mut encodings = Vec::new();
        for field in fields {
            for name in field.values() {
                let known = encoding(&name);
                if known.is_none() {
                    self.ambiguities.insert(Ambiguity::UnknownEncoding);
                }
                encodings.push(known.unwrap_or(Encoding::Identity));
            }
            if field.is_broken() {
                encodings.push(Encoding::Identity);
            }
        }
        if encodings.is_empty() {
            encodings.push(Encoding::Identity);
        }
        self.encodings = once(encodings.into_iter());
        if self.encodings.len() > 1 {
            self.ambiguities.insert(Ambiguity::TwoEncodings);
        }
    }
}

/// RFC 2046 §5.1.1: a boundary does not end with white space.
fn boundaries(field: &Structured) -> Vec<Vec<u8>> {
    let boundaries =
        field.octets("boundary").into_iter().map(|octets| octets.trim_ascii_end().to_vec());
    let mut boundaries = once(boundaries.filter(|octets| !octets.is_empty()));
    boundaries.truncate(READINGS_MAX);
    boundaries
}

fn is_type(name: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty()
            && token
                .bytes()
                .all(|octet| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
    };
    name.split_once('/').is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}

fn encoding(name: &str) -> Option<Encoding> {
    match name {
        "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" | "none" | "" => Some(Encoding::Identity),
        "base64" | "base-64" => Some(Encoding::Base64),
        "quoted-printable" | "quoted printable" => Some(Encoding::QuotedPrintable),
        _ => None,
    }
}
