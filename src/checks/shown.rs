//! What a reader sees of a field's value: encoded words decoded (RFC 2047), look-alikes of letters
//! and signs as the plain ones.

use crate::message::text::{Folding, decoded, folded};

/// The text. An address is read as written: no digit stands for a letter there.
pub(super) fn shown(value: &[u8]) -> String {
    folded(&decoded(value), Folding { leet: false, separators: false }).into_owned()
}
