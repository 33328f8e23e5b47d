//! What a reader would see of a message's octets: the views `decoded` and `folded` of the rules.
//!
//! `decoded` undoes what mail wraps text in: folds, encoded words (RFC 2047), charsets, HTML.
//! `folded` goes on to what makes one word look like many: compatibility forms, look-alikes of
//! other scripts, marks, invisible characters, case, digits for letters, separators.
//!
//! Both are linear in their input, and an input that is plain already is borrowed where it can be.

pub(crate) mod charset;
mod encoded_word;
mod fold;
pub(crate) mod html;
mod invisible;
mod leet;
mod link;
mod look_alike;
mod separators;

use std::borrow::Cow;

pub use encoded_word::{decoded, is_broken};
pub use fold::folded;
pub use link::Link;
pub(crate) use link::{LINKS_MAX, find_links, html_link};

/// What folding undoes besides scripts, marks and case.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Folding {
    /// Digits and signs that stand for letters: `v1@gra`.
    pub leet: bool,
    /// Separators between single letters, and marks inside words: `v-i-a-g-r-a`, `viagr^a`.
    pub separators: bool,
}

impl Default for Folding {
    fn default() -> Self {
        Self { leet: true, separators: true }
    }
}

/// Octets as text where nothing says their charset: UTF-8 where they are, else windows-1252, in
/// which every octet is some character.
pub(crate) fn guessed(octets: &[u8]) -> Cow<'_, str> {
    charset::decode(octets, None).0
}
