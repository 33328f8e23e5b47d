//! A part of a message, as one reading has it.

use std::ops::Range;

use super::transfer::{self, Encoding};

/// A part. Where its header can be read in two ways, it has both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// The part that it is in; `None` for the message.
    pub parent: Option<usize>,
    /// How many parts it is in.
    pub depth: usize,
    /// 0, or more where it is there only in a less likely reading.
    pub reading: usize,
    /// The declared types, in lower case, likeliest first; `text/plain` where none is declared.
    pub types: Vec<String>,
    /// The declared charset.
    pub charset: Option<String>,
    /// The transfer encodings, likeliest first.
    pub encodings: Vec<Encoding>,
    /// The disposition, in lower case.
    pub disposition: Option<String>,
    /// The names, decoded, likeliest first.
    pub names: Vec<String>,
    /// Whether it has no parts.
    pub is_leaf: bool,
    /// Whether its end was not kept.
    pub is_cut: bool,
    /// Which buffer holds it: 0 is the body as it came, others were decoded.
    pub(super) buffer: usize,
    pub(super) body: Range<usize>,
}

impl Part {
    /// Whether a declared type is text.
    pub fn is_text(&self) -> bool {
        self.types.iter().any(|name| name.starts_with("text/"))
    }

    /// Whether a declared type is this one.
    pub fn is(&self, name: &str) -> bool {
        self.types.iter().any(|declared| declared == name)
    }

    /// Whether readers show it as text, and not as something to be opened.
    pub(super) fn is_plain_text(&self) -> bool {
        self.types.iter().all(|name| name == "text/plain" || name == "text/html")
            && self.names.is_empty()
            && self.disposition.as_deref() != Some("attachment")
    }
}

/// The octets that an encoding stands for, and whether it is unbroken.
pub(super) fn content(octets: &[u8], encoding: Encoding) -> (std::borrow::Cow<'_, [u8]>, bool) {
    match encoding {
        Encoding::Identity => (octets.into(), true),
        Encoding::Base64 => {
            let (octets, is_clean) = transfer::base64(octets);
            (octets.into(), is_clean)
        }
        Encoding::QuotedPrintable => {
            let (octets, is_clean) = transfer::quoted_printable(octets);
            (octets.into(), is_clean)
        }
    }
}
