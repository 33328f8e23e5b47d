//! When a rule matches: tests of patterns, joined by all, any and not.

use super::captures::Captures;
use super::pattern::Pattern;
use crate::message::header::{Field, HeaderBlock};
use crate::text::excerpt;

/// What must hold for a rule to match.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Test(Test),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// One pattern on one view.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) view: View,
    pub(super) pattern: Pattern,
    /// Its number among all tests of the rule set, where the matcher puts its result.
    pub(super) number: usize,
}

/// What a pattern looks at, as sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum View {
    /// The value of each field of that name, without the white space around it.
    Header(String),
    /// What was kept of the body.
    Body,
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

    /// The same, to be looked at.
    pub(super) fn tests(&self, visit: &mut impl FnMut(&Test)) {
        match self {
            Self::Test(test) => visit(test),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.tests(visit);
                }
            }
            Self::Not(part) => part.tests(visit),
        }
    }

    /// The first test that `matched`; none where all that counts is absence.
    pub(super) fn first(&self, matched: &impl Fn(&Test) -> bool) -> Option<&Test> {
        match self {
            Self::Test(test) => matched(test).then_some(test),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().find_map(|part| part.first(matched))
            }
            Self::Not(_) => None,
        }
    }

    /// The first test that `matched`, and what it found; none where all that counts is absence.
    pub(super) fn found(
        &self,
        header: &HeaderBlock,
        body: &[u8],
        matched: &impl Fn(&Test) -> bool,
    ) -> Option<String> {
        match self {
            Self::Test(test) if matched(test) => {
                test.find(header, body).map(|octets| test.shown(octets))
            }
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().find_map(|part| part.found(header, body, matched))
            }
            Self::Test(_) | Self::Not(_) => None,
        }
    }
}

impl Test {
    /// What the pattern finds first.
    pub(super) fn find<'a>(&self, header: &'a HeaderBlock, body: &'a [u8]) -> Option<&'a [u8]> {
        let find = |octets: &'a [u8]| {
            let found = self.pattern.regex.find(octets)?;
            octets.get(found.range())
        };
        match &self.view {
            View::Header(name) => {
                header.iter().filter(|field| field.is(name)).find_map(|field| find(raw(field)))
            }
            View::Body => find(body),
        }
    }

    /// The header field that the pattern finds something in, by its index.
    pub(super) fn field(&self, header: &HeaderBlock) -> Option<usize> {
        let View::Header(name) = &self.view else { return None };
        let finds = |field: Field<'_>| field.is(name) && self.pattern.regex.is_match(raw(field));
        header.iter().position(finds)
    }

    /// What the pattern's groups match there.
    pub(super) fn captures(&self, header: &HeaderBlock, body: &[u8]) -> Captures {
        let octets = match &self.view {
            View::Header(_) => {
                self.field(header).and_then(|index| header.iter().nth(index)).map(raw)
            }
            View::Body => Some(body),
        };
        octets.map(|octets| Captures::of(&self.pattern.regex, octets)).unwrap_or_default()
    }

    fn shown(&self, octets: &[u8]) -> String {
        match &self.view {
            View::Header(name) => {
                format!("{}: {}", excerpt(name.as_bytes()), excerpt(octets))
            }
            View::Body => format!("body: {}", excerpt(octets)),
        }
    }
}

/// The value as sent, folds included, without the white space around it, which MTAs change.
pub(super) fn raw(field: Field<'_>) -> &[u8] {
    field.value.trim_ascii()
}
