//! One rule: when it matches, what it asks for, and the examples that prove it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::action::Deed;
use super::captures::Captures;
use super::condition::{Condition, Test, What};
use super::example::Example;
use super::facts::Facts;
use super::looked::{Looked, Place};
use super::table::{LineRule, Taken};
use super::texts::Texts;
use crate::config::error::{Complaint, Places};
use crate::config::value::Located;
use crate::verdict::Hit;

/// A rule of a file.
#[derive(Debug)]
pub(super) struct Rule {
    /// Unique in the set, and the tag.
    pub(super) name: String,
    /// Of a rule of a table, one that never holds.
    pub(super) when: Condition,
    /// What a rule of a table asks of each line.
    pub(super) by_line: Option<LineRule>,
    pub(super) deed: Deed,
    pub(super) examples: Vec<Example>,
    pub(super) origin: Arc<Origin>,
    /// The octet of the file where it stands.
    pub(super) at: usize,
}

/// The file of a rule.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The rules by name, for those that name others.
pub(super) type ByName<'r> = HashMap<&'r str, &'r Rule>;

impl Origin {
    /// `path:line:col: message (hint)`.
    pub(super) fn report(&self, Located { at, complaint }: Located) -> String {
        let fault = Places::new(&self.text).fault(at, complaint);
        let (path, line, column) = (self.path.display(), fault.line, fault.column);
        format!("{path}:{line}:{column}: {}", fault.complaint)
    }
}

impl Rule {
    /// What is reported of a message that the rule matches; `place` says where a test found
    /// something, if it holds. What a pattern found goes before what else is known.
    pub(super) fn hit(
        &self,
        facts: &Facts<'_>,
        looked: &Looked,
        holds: &impl Fn(&Test) -> bool,
    ) -> Hit {
        let (mut found, mut fact) = (None, None);
        self.when.reasons(&mut |test| match &test.what {
            What::Text(_) | What::Mime(_) => found = found.take().or_else(|| looked.place(test)),
            What::Fact(known) if fact.is_none() && holds(test) => fact = known.found(facts),
            What::Fact(_) | What::Rule(_) => {}
        });
        let captures = Captures::default();
        match found {
            Some(Place { found, field, captures }) => {
                self.deed.hit(&self.name, Some(found.clone()), facts.headers, *field, captures)
            }
            None => self.deed.hit(&self.name, fact, facts.headers, None, &captures),
        }
    }

    /// What is reported of a line that the rule has taken.
    pub(super) fn line_hit(&self, facts: &Facts<'_>, taken: &Taken) -> Hit {
        let Taken { found, field, captures, .. } = taken;
        self.deed.hit(&self.name, Some(found.clone()), facts.headers, *field, captures)
    }

    /// What deserves a word at load, each as `path:line:col: message`.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let of_deed = self.deed.warnings().iter().map(|warning| {
            let Located { at, complaint: Complaint { message, hint } } = warning;
            (*at, message.clone(), hint.clone())
        });
        let backtracks = self.by_line.as_ref().is_some_and(LineRule::backtracks).then(|| {
            let hint = "write it without look-around and back-references, and without fancy";
            let message =
                "a pattern backtracks: a line on which it takes too many steps is not matched";
            (self.at, message.to_owned(), Some(hint.to_owned()))
        });
        of_deed.chain(backtracks).map(|(at, message, hint)| {
            let message = format!("rule \"{}\": {message}", self.name);
            self.origin.report(Located { at, complaint: Complaint { message, hint } })
        })
    }

    /// The names of the rules that it names.
    pub(super) fn referred(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.when.tests(&mut |test| {
            if let What::Rule(name) = &test.what {
                names.push(name.clone());
            }
        });
        names
    }

    /// The examples that come out wrong.
    pub(super) fn failures(&self, rules: &ByName<'_>) -> Vec<Located> {
        self.examples.iter().filter_map(|example| self.failure(example, rules)).collect()
    }

    fn failure(&self, example: &Example, rules: &ByName<'_>) -> Option<Located> {
        example.judged(|texts, facts| {
            let judged = Judged { texts, facts, rules, known: RefCell::default() };
            let (kind, outcome) = match (example.is_hit, judged.matches(self)) {
                (true, false) => ("hit", "does not match"),
                (false, true) => ("miss", "matches"),
                _ => return None,
            };
            let message = format!("rule \"{}\": this {kind} example {outcome}", self.name);
            let complaint = Complaint::new(message).hint(judged.hint(self));
            Some(Located { at: example.at, complaint })
        })
    }
}

/// An example while rules are tried on it.
struct Judged<'e, 'm> {
    texts: &'e Texts<'m>,
    facts: &'e Facts<'m>,
    rules: &'e ByName<'e>,
    /// Which rules that others name match.
    known: RefCell<HashMap<String, bool>>,
}

impl Judged<'_, '_> {
    fn matches(&self, rule: &Rule) -> bool {
        if let Some(line_rule) = &rule.by_line {
            return line_rule.takes_some(self.texts.headers, self.texts.body);
        }
        rule.when.holds(&|test| self.holds(test))
    }

    fn holds(&self, test: &Test) -> bool {
        match &test.what {
            What::Text(wanted) => wanted.find_once(self.texts, self.facts).is_some(),
            What::Mime(mime) => mime.find(self.texts.mime()).is_some(),
            What::Fact(fact) => fact.holds(self.facts),
            What::Rule(name) => self.rule_matches(name),
        }
    }

    fn rule_matches(&self, name: &str) -> bool {
        if let Some(matches) = self.known.borrow().get(name) {
            return *matches;
        }
        let matches = self.rules.get(name).is_some_and(|rule| self.matches(rule));
        self.known.borrow_mut().insert(name.to_owned(), matches);
        matches
    }

    fn hint(&self, rule: &Rule) -> String {
        let mut found = None;
        rule.when.reasons(&mut |test| {
            let place = || match &test.what {
                What::Text(wanted) => wanted.find_once(self.texts, self.facts).map(|p| p.found),
                What::Mime(mime) => mime.find(self.texts.mime()).map(|place| place.found),
                What::Fact(fact) if fact.holds(self.facts) => fact.found(self.facts),
                What::Fact(_) | What::Rule(_) => None,
            };
            found = found.take().or_else(place);
        });
        match found {
            Some(found) => format!("found {found}"),
            None if self.texts.headers.is_empty() => {
                "it has no header field; its text is a body".to_owned()
            }
            None => "correct the pattern or the example".to_owned(),
        }
    }
}
