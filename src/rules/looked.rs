//! What looking at a message found: which tests hold, and where.

use std::collections::HashMap;
use std::ops::Range;

use super::captures::Captures;
use super::condition::Test;
use super::found::Found;
use super::part::{Part, View};
use super::pattern::Pattern;
use super::table::Taken;
use crate::text::excerpt;

/// The results of the tests on a message's texts and MIME parts.
#[derive(Debug, Default)]
pub struct Looked {
    holds: Vec<bool>,
    places: HashMap<usize, Place>,
    /// By table: the lines that its rules have taken.
    pub(super) taken: Vec<Vec<Taken>>,
}

/// Where a test found something.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) found: Found,
    /// The index of the header field, where it is one.
    pub(super) field: Option<usize>,
    pub(super) captures: Captures,
}

/// A text while patterns run over it.
pub(super) struct Looking<'t> {
    pub(super) label: String,
    pub(super) view: View,
    pub(super) field: Option<usize>,
    pub(super) text: &'t [u8],
}

impl Looked {
    pub(super) fn new(tests: usize) -> Self {
        Self { holds: vec![false; tests], ..Self::default() }
    }

    /// Whether a test holds.
    pub(super) fn contains(&self, test: &Test) -> bool {
        self.holds_number(test.number)
    }

    pub(super) fn holds_number(&self, number: usize) -> bool {
        self.holds.get(number).copied().unwrap_or(false)
    }

    pub(super) fn place(&self, test: &Test) -> Option<&Place> {
        self.places.get(&test.number)
    }

    pub(super) fn insert(&mut self, number: usize, place: Place) {
        if let Some(holds) = self.holds.get_mut(number) {
            *holds = true;
            self.places.entry(number).or_insert(place);
        }
    }
}

impl<'t> Looking<'t> {
    /// A text that is no header field's.
    pub(super) fn of(part: &Part, view: View, text: &'t [u8]) -> Self {
        Self { label: part.label(), view, field: None, text }
    }

    /// The place of what a pattern found in the text.
    pub(super) fn place(
        &self,
        pattern: &Pattern,
        range: Range<usize>,
        wants_captures: bool,
    ) -> Place {
        let captures = match pattern.regex().filter(|_| wants_captures) {
            Some(regex) => Captures::of(regex, self.text),
            None => Captures::default(),
        };
        let found = Found {
            part: self.label.clone(),
            view: Some(self.view),
            offset: Some(range.start),
            text: excerpt(self.text.get(range).unwrap_or_default()),
        };
        Place { found, field: self.field, captures }
    }
}
