//! One rule: when it matches, what it asks for, and the examples that prove it.

use std::path::PathBuf;
use std::sync::Arc;

use super::action::Deed;
use super::captures::Captures;
use super::condition::{Condition, Test};
use super::example::Example;
use crate::config::error::{Complaint, Places};
use crate::config::value::Located;
use crate::message::header::HeaderBlock;
use crate::verdict::Hit;

/// A rule of a file.
#[derive(Debug)]
pub(super) struct Rule {
    /// Unique in the set, and the tag.
    pub(super) name: String,
    pub(super) when: Condition,
    pub(super) deed: Deed,
    pub(super) examples: Vec<Example>,
    pub(super) origin: Arc<Origin>,
}

/// The file of a rule.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Origin {
    /// `path:line:col: message (hint)`.
    pub(super) fn report(&self, Located { at, complaint }: Located) -> String {
        let fault = Places::new(&self.text).fault(at, complaint);
        let (path, line, column) = (self.path.display(), fault.line, fault.column);
        format!("{path}:{line}:{column}: {}", fault.complaint)
    }
}

impl Rule {
    /// What is reported of a message that the rule matches, `matched` saying by which tests.
    pub(super) fn hit(
        &self,
        header: &HeaderBlock,
        body: &[u8],
        matched: &impl Fn(&Test) -> bool,
    ) -> Hit {
        let found = self.when.found(header, body, matched);
        let found = found.unwrap_or_else(|| "nothing that it rules out".to_owned());
        let test = self.when.first(matched);
        let field = test.and_then(|test| test.field(header));
        let captures = match test.filter(|_| self.deed.wants_captures()) {
            Some(test) => test.captures(header, body),
            None => Captures::default(),
        };
        self.deed.hit(&self.name, found, header, field, &captures)
    }

    /// What deserves a word at load, each as `path:line:col: message`.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.deed.warnings().iter().map(|warning| {
            let complaint = Complaint {
                message: format!("rule \"{}\": {}", self.name, warning.complaint.message),
                hint: warning.complaint.hint.clone(),
            };
            self.origin.report(Located { at: warning.at, complaint })
        })
    }

    /// The examples that come out wrong.
    pub(super) fn failures(&self) -> impl Iterator<Item = Located> {
        self.examples.iter().filter_map(|example| {
            let (header, body) = example.message();
            let is_hit = self.when.holds(&|test| test.find(&header, &body).is_some());
            let (kind, outcome) = match (example.is_hit, is_hit) {
                (true, false) => ("hit", "does not match"),
                (false, true) => ("miss", "matches"),
                _ => return None,
            };
            let message = format!("rule \"{}\": this {kind} example {outcome}", self.name);
            let complaint = Complaint::new(message);
            Some(Located { at: example.at, complaint: complaint.hint(self.hint(&header, &body)) })
        })
    }

    fn hint(&self, header: &HeaderBlock, body: &[u8]) -> String {
        match self.when.found(header, body, &|_| true) {
            Some(found) => format!("found {found}"),
            None if header.is_empty() => "it has no header field; its text is a body".to_owned(),
            None => "correct the pattern or the example".to_owned(),
        }
    }
}
