//! Reads a rule's `when`: a table with one test, or conditions joined by all, any and not.

use toml::de::{DeTable, DeValue};

use super::condition::{Condition, Test, View};
use super::fields::field_name;
use super::pattern::Pattern;
use super::reader::{Reader, missing};
use crate::config::error::Complaint;
use crate::config::value::{Value, text, wrong_type};

/// Conditions within conditions, and no deeper.
const NESTING_MAX: usize = 16;

/// What makes a table a condition; a table has one of them.
const FORMS: &[&str] = &["header", "body", "all", "any", "not"];
const FIELDS: &[&str] = &["header", "matches", "body", "all", "any", "not"];

const HEADER_SHAPE: &str = "such as { header = \"Subject\", matches = 'regex' }";

impl Reader<'_> {
    /// The condition of a rule; `at` is the rule's place.
    pub(super) fn when(&mut self, table: &DeTable<'_>, at: usize) -> Option<Condition> {
        let Some(value) = table.get("when") else {
            self.fault(at, missing("when", "such as when = { body = 'regex' }"));
            return None;
        };
        self.condition(value, 0)
    }

    fn condition(&mut self, value: &Value<'_>, depth: usize) -> Option<Condition> {
        let at = value.span().start;
        if depth > NESTING_MAX {
            self.fault(at, Complaint::new(format!("conditions nest deeper than {NESTING_MAX}")));
            return None;
        }
        let table = self.table(value, "when")?;
        if !self.refuse_unknown_fields(table, FIELDS, "a condition") {
            return None;
        }
        let form = self.form(table, at)?;
        match (form, table.get(form)?) {
            ("header", _) => self.header_test(table, at),
            ("body", value) => self.pattern(value).map(|pattern| test(View::Body, pattern)),
            ("all", value) => self.conditions(value, depth).map(Condition::All),
            ("any", value) => self.conditions(value, depth).map(Condition::Any),
            (_, value) => self.condition(value, depth + 1).map(Box::new).map(Condition::Not),
        }
    }

    /// The one form of the table.
    fn form(&mut self, table: &DeTable<'_>, at: usize) -> Option<&'static str> {
        let found: Vec<&str> =
            FORMS.iter().copied().filter(|form| table.contains_key(*form)).collect();
        let complaint = match (found.as_slice(), table.get("matches")) {
            (["header"], _) => return Some("header"),
            ([form], None) => return Some(form),
            ([], _) => Complaint::new("a condition without a test")
                .hint("header and matches, body, all, any or not"),
            ([form], Some(_)) => Complaint::new(format!("\"matches\" beside \"{form}\""))
                .hint("it belongs to \"header\""),
            (several, _) => Complaint::new(format!("{} in one condition", several.join(" and ")))
                .hint("join them: all = [{ ... }, { ... }]"),
        };
        self.fault(at, complaint);
        None
    }

    fn conditions(&mut self, value: &Value<'_>, depth: usize) -> Option<Vec<Condition>> {
        let DeValue::Array(entries) = value.get_ref() else {
            self.keep(wrong_type::<()>(value, "an array"));
            return None;
        };
        if entries.is_empty() {
            let complaint = Complaint::new("no conditions to join").hint("name at least one");
            self.fault(value.span().start, complaint);
        }
        let parts: Vec<_> = entries.iter().map(|entry| self.condition(entry, depth + 1)).collect();
        parts.into_iter().collect()
    }

    fn header_test(&mut self, table: &DeTable<'_>, at: usize) -> Option<Condition> {
        let name = self.required(table, at, "header", &text(field_name));
        let Some(value) = table.get("matches") else {
            self.fault(at, missing("matches", HEADER_SHAPE));
            return None;
        };
        let pattern = self.pattern(value);
        Some(test(View::Header(name?), pattern?))
    }

    pub(super) fn pattern(&mut self, value: &Value<'_>) -> Option<Pattern> {
        let source = self.keep(text(|source| Ok(source.to_owned()))(value))?;
        match Pattern::compile(&source) {
            Ok(pattern) => Some(pattern),
            Err(refusal) => {
                let at = self.within(value, &source, refusal.at);
                self.fault(at, refusal.complaint);
                None
            }
        }
    }

    /// The octet of the file that stands for one of a string. Where the string has escapes, its
    /// beginning has to do.
    pub(super) fn within(&self, value: &Value<'_>, source: &str, offset: usize) -> usize {
        let written = self.origin.text.get(value.span()).unwrap_or_default();
        value.span().start + written.find(source).map_or(0, |start| start + offset)
    }
}

fn test(view: View, pattern: Pattern) -> Condition {
    Condition::Test(Test { view, pattern, number: 0 })
}
