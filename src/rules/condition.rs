//! When a rule matches: tests, joined by all, any and not.

use std::sync::Arc;

use super::captures::Groups;
use super::fact::Fact;
use super::facts::Facts;
use super::looked::{Looking, Place};
use super::mime_test::MimeTest;
use super::part::{Part, View};
use super::pattern::Pattern;
use super::texts::{FieldTexts, Texts};
use crate::text::excerpt;

/// What must hold for a rule to match.
#[derive(Debug)]
pub(super) enum Condition {
    Test(Test),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// One thing that a message may have or be.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) what: What,
    /// Its number among all tests of the rule set, where its result is.
    pub(super) number: usize,
}

/// The kinds of tests.
#[derive(Debug)]
pub(super) enum What {
    /// A pattern finds something.
    Text(TextTest),
    /// Something is among the message's links and MIME parts.
    Mime(Arc<MimeTest>),
    /// Something is known of the message or its envelope.
    Fact(Fact),
    /// The rule of this name, above, matches.
    Rule(String),
}

/// A pattern on a part in a view.
#[derive(Debug)]
pub(super) struct TextTest {
    pub(super) part: Part,
    pub(super) view: View,
    pub(super) pattern: Arc<Pattern>,
}

impl Condition {
    /// Whether the condition holds, where `matched` says whether a test does.
    pub(super) fn holds(&self, matched: &impl Fn(&Test) -> bool) -> bool {
        match self {
            Self::Test(test) => matched(test),
            Self::All(parts) => parts.iter().all(|part| part.holds(matched)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(matched)),
            Self::Not(part) => !part.holds(matched),
        }
    }

    /// All tests, left to right.
    pub(super) fn tests(&self, visit: &mut impl FnMut(&Test)) {
        match self {
            Self::Test(test) => visit(test),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.tests(visit)),
            Self::Not(part) => part.tests(visit),
        }
    }

    /// All tests, left to right.
    pub(super) fn tests_mut(&mut self, visit: &mut impl FnMut(&mut Test)) {
        match self {
            Self::Test(test) => visit(test),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.tests_mut(visit);
                }
            }
            Self::Not(part) => part.tests_mut(visit),
        }
    }

    /// The tests whose holding can make the condition hold, left to right: those not below `not`.
    pub(super) fn reasons<'c>(&'c self, visit: &mut impl FnMut(&'c Test)) {
        match self {
            Self::Test(test) => visit(test),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.reasons(visit);
                }
            }
            Self::Not(_) => {}
        }
    }
}

impl Condition {
    /// The groups of all its patterns that can be what was found.
    pub(super) fn groups(&self) -> Groups {
        let mut groups = Groups::default();
        self.reasons(&mut |test| {
            if let What::Text(text) = &test.what {
                groups.add(&text.pattern);
            }
        });
        groups
    }
}

impl TextTest {
    /// What it finds first in a message that is looked at once.
    pub(super) fn find_once(&self, texts: &Texts<'_>, facts: &Facts<'_>) -> Option<Place> {
        match &self.part {
            Part::Header(names) => texts.headers.iter().enumerate().find_map(|(index, field)| {
                let name = field.name.trim_ascii_end();
                if !names.contain(&name.to_ascii_lowercase()) {
                    return None;
                }
                let mut values = FieldTexts::new(field);
                let (label, field) = (excerpt(name), Some(index));
                let text = values.value(self.view);
                self.find_in(&Looking { label, view: self.view, field, text })
            }),
            Part::Body => self.find_in(&self.looking(texts.body(self.view))),
            Part::Link => {
                let links = texts.mime().links().iter();
                links
                    .map(|link| self.looking(link.target.as_bytes()))
                    .find_map(|l| self.find_in(&l))
            }
            part => {
                let found = part.of_envelope(facts.envelope).into_iter();
                found.map(|text| self.looking(text.as_bytes())).find_map(|l| self.find_in(&l))
            }
        }
    }

    fn looking<'t>(&self, text: &'t [u8]) -> Looking<'t> {
        Looking::of(&self.part, self.view, text)
    }

    fn find_in(&self, looking: &Looking<'_>) -> Option<Place> {
        let range = self.pattern.find_once(looking.text)?;
        Some(looking.place(&self.pattern, range, false))
    }
}

impl Test {
    pub(super) fn new(what: What) -> Self {
        Self { what, number: 0 }
    }
}
