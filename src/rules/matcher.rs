//! All tests of a rule set on the texts of a message and its envelope: each text is made once and
//! read in few passes, however many patterns there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::condition::{Condition, What};
use super::error::RuleErrors;
use super::looked::{Looked, Looking};
use super::mime_test::MimeTest;
use super::part::{FieldNames, Part, View};
use super::pattern::Pattern;
use super::plane::Plane;
use super::rule::Rule;
use super::texts::{FieldTexts, Texts};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::text::excerpt;

/// Finds which tests of a rule set hold.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    planes: Vec<(Part, View, Plane)>,
    /// By name of the field, in lower case: indices of planes.
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    /// The planes of names with `*`.
    by_form: Vec<usize>,
    mime: Vec<(usize, Arc<MimeTest>)>,
    tests: usize,
    /// The numbers of the patterns whose groups somebody wants.
    captured: HashSet<usize>,
    wants_body: bool,
}

type Patterns = HashMap<(Part, View), Vec<(usize, Arc<Pattern>)>>;

impl Matcher {
    /// Numbers the tests of all rules and puts their patterns together.
    pub(super) fn new(rules: &mut [Rule]) -> Result<Self, RuleErrors> {
        let mut all = Self::default();
        let mut patterns = Patterns::new();
        for rule in rules {
            let wants_captures = rule.deed.wants_captures();
            all.take(&mut rule.when, wants_captures, &mut patterns);
        }
        let mut patterns: Vec<_> = patterns.into_iter().collect();
        // Any order that does not change from one load to the next.
        patterns.sort_by_key(|(_, patterns)| patterns.first().map(|(number, _)| *number));
        for ((part, view), patterns) in patterns {
            all.index(&part);
            all.planes.push((part, view, Plane::new(patterns)?));
        }
        Ok(all)
    }

    fn take(&mut self, when: &mut Condition, wants_captures: bool, patterns: &mut Patterns) {
        when.tests_mut(&mut |test| {
            test.number = self.tests;
            self.tests += 1;
            match &test.what {
                What::Text(text) => {
                    self.wants_body |= text.part.is_of_body();
                    let plane = patterns.entry((text.part.clone(), text.view)).or_default();
                    plane.push((test.number, text.pattern.clone()));
                    if wants_captures {
                        self.captured.insert(test.number);
                    }
                }
                What::Mime(mime) => {
                    self.wants_body = true;
                    self.mime.push((test.number, mime.clone()));
                }
                What::Fact(_) | What::Rule(_) => {}
            }
        });
    }

    /// Remembers how the next plane is found.
    fn index(&mut self, part: &Part) {
        let plane = self.planes.len();
        match part {
            Part::Header(FieldNames::Exact(name)) => {
                self.by_name.entry(name.clone().into_bytes()).or_default().push(plane);
            }
            Part::Header(FieldNames::Like(_)) => self.by_form.push(plane),
            _ => {}
        }
    }

    pub(super) fn wants_body(&self) -> bool {
        self.wants_body
    }

    /// The tests on the message itself and on its envelope's texts.
    pub(super) fn look(&self, texts: &Texts<'_>, envelope: &Envelope) -> Looked {
        let mut looked = Looked::new(self.tests);
        self.look_at_envelope(envelope, &mut looked);
        self.look_at_fields(texts.headers, &mut looked);
        for (part, view, plane) in &self.planes {
            match part {
                Part::Body => {
                    self.run(plane, &Looking::of(part, *view, texts.body(*view)), &mut looked);
                }
                Part::Link => {
                    for link in texts.mime().links() {
                        let text = link.target.as_bytes();
                        self.run(plane, &Looking::of(part, *view, text), &mut looked);
                    }
                }
                _ => {}
            }
        }
        for (number, test) in &self.mime {
            if let Some(place) = test.find(texts.mime()) {
                looked.insert(*number, place);
            }
        }
        looked
    }

    fn look_at_fields(&self, headers: &HeaderBlock, looked: &mut Looked) {
        for (index, field) in headers.iter().enumerate() {
            let name = field.name.trim_ascii_end().to_ascii_lowercase();
            let exact = self.by_name.get(&name).into_iter().flatten();
            let like = self.by_form.iter().filter(|plane| self.is_for(**plane, &name));
            let mut texts = FieldTexts::new(field);
            for plane in exact.chain(like) {
                let Some((_, view, plane)) = self.planes.get(*plane) else { continue };
                let label = excerpt(field.name.trim_ascii_end());
                let text = texts.value(*view);
                let looking = Looking { label, view: *view, field: Some(index), text };
                self.run(plane, &looking, looked);
            }
        }
    }

    fn is_for(&self, plane: usize, name: &[u8]) -> bool {
        match self.planes.get(plane) {
            Some((Part::Header(names), ..)) => names.contain(name),
            _ => false,
        }
    }

    fn look_at_envelope(&self, envelope: &Envelope, looked: &mut Looked) {
        for (part, view, plane) in &self.planes {
            for text in part.of_envelope(envelope) {
                self.run(plane, &Looking::of(part, *view, text.as_bytes()), looked);
            }
        }
    }

    fn run(&self, plane: &Plane, looking: &Looking<'_>, looked: &mut Looked) {
        let mut found = Vec::new();
        plane.run(
            looking.text,
            |number| looked.holds_number(number),
            |number, pattern, range| {
                let wants_captures = self.captured.contains(&number);
                found.push((number, looking.place(pattern, range, wants_captures)));
            },
        );
        for (number, place) in found {
            looked.insert(number, place);
        }
    }
}
