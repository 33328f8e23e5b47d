//! One message as rules read it: each view of each part made when the first pattern asks for it, and
//! no more than once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use super::part::View;
use crate::message::header::{Field, HeaderBlock};
use crate::message::mime::{Mime, MimeLimits};
use crate::message::text::{self, Folding};

/// A header block, what was kept of the body, and what is made of them.
pub struct Texts<'a> {
    pub(super) headers: &'a HeaderBlock,
    pub(super) body: &'a [u8],
    is_cut: bool,
    limits: &'a MimeLimits,
    mime: OnceCell<Mime<'a>>,
}

/// The views of one field.
pub(super) struct FieldTexts<'a> {
    pub(super) field: Field<'a>,
    decoded: OnceCell<Cow<'a, str>>,
    folded: HashMap<Folding, String>,
}

impl<'a> Texts<'a> {
    /// A message whose body was kept up to some length; `is_cut` says that it was longer.
    pub fn new(
        headers: &'a HeaderBlock,
        body: &'a [u8],
        is_cut: bool,
        limits: &'a MimeLimits,
    ) -> Self {
        Self { headers, body, is_cut, limits, mime: OnceCell::new() }
    }

    /// The MIME tree.
    pub fn mime(&self) -> &Mime<'a> {
        self.mime.get_or_init(|| Mime::parse(self.headers, self.body, self.is_cut, self.limits))
    }

    /// The body in a view.
    pub(super) fn body(&self, view: View) -> &[u8] {
        match view {
            View::Raw => self.body,
            View::Decoded => self.mime().decoded().as_bytes(),
            View::Folded(folding) => self.mime().folded_as(folding).as_bytes(),
        }
    }
}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("body_octets", &self.body.len()).finish_non_exhaustive()
    }
}

impl<'a> FieldTexts<'a> {
    pub(super) fn new(field: Field<'a>) -> Self {
        Self { field, decoded: OnceCell::new(), folded: HashMap::new() }
    }

    /// The field's value in a view.
    pub(super) fn value(&mut self, view: View) -> &[u8] {
        match view {
            View::Raw => raw(self.field),
            View::Decoded => self.decoded().as_bytes(),
            View::Folded(folding) => {
                if !self.folded.contains_key(&folding) {
                    let folded = text::folded(self.decoded(), folding).into_owned();
                    self.folded.insert(folding, folded);
                }
                self.folded.get(&folding).map_or(&[], |text| text.as_bytes())
            }
        }
    }

    fn decoded(&self) -> &str {
        self.decoded.get_or_init(|| text::decoded(raw(self.field)))
    }
}

/// The value as sent, folds included, without the white space around it, which MTAs change.
pub(super) fn raw(field: Field<'_>) -> &[u8] {
    field.value.trim_ascii()
}
