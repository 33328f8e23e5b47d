//! Reads what is special about the rules of a table: its name, the lines they are asked of, and their
//! conditions, all of which mean one line.

use toml::de::{DeTable, DeValue};

use super::fields::name;
use super::line_pattern::LinePattern;
use super::lines::Kind;
use super::reader::{Reader, missing};
use super::table::{LineCondition, LineRule, LineTest};
use crate::config::error::Complaint;
use crate::config::value::{Value, Words, flag, list, text, word, wrong_type};

/// Conditions within conditions, and no deeper.
const NESTING_MAX: usize = 16;

const FORMS: &[&str] = &["line", "all", "any", "not"];
const FIELDS: &[&str] = &["line", "fancy", "all", "any", "not"];

/// The kinds of line by their names.
pub(super) const KINDS: &Words<Kind> = &[
    ("header", Kind::Header),
    ("mime", Kind::Mime),
    ("nested", Kind::Nested),
    ("body", Kind::Body),
];

impl Reader<'_> {
    /// The line rule of a `[[rule]]` with a `table`; `at` is its place.
    pub(super) fn line_rule(&mut self, rule: &DeTable<'_>, at: usize) -> Option<LineRule> {
        let table = self.required(rule, at, "table", &text(name));
        let kinds = match rule.get("lines") {
            None => Some(vec![Kind::Header]),
            Some(_) => self.optional(rule, "lines", &list(word(KINDS))),
        };
        let Some(value) = rule.get("when") else {
            self.fault(at, missing("when", "such as when = { line = 'regex' }"));
            return None;
        };
        let when = self.line_condition(value, 0);
        Some(LineRule { table: table?, kinds: kinds?, when: when? })
    }

    fn line_condition(&mut self, value: &Value<'_>, depth: usize) -> Option<LineCondition> {
        let at = value.span().start;
        if depth > NESTING_MAX {
            self.fault(at, Complaint::new(format!("conditions nest deeper than {NESTING_MAX}")));
            return None;
        }
        let table = self.table(value, "when")?;
        if !self.refuse_unknown_fields(table, FIELDS, "a condition of a rule with a table") {
            return None;
        }
        let found: Vec<&str> =
            FORMS.iter().copied().filter(|form| table.contains_key(*form)).collect();
        let [form] = found.as_slice() else {
            let complaint = Complaint::new("a condition has one of line, all, any and not");
            self.fault(at, complaint.hint("the rules of a table look at one line at a time"));
            return None;
        };
        match (*form, table.get(*form)?) {
            ("line", value) => self.line_test(table, value).map(LineCondition::Line),
            ("all", value) => self.line_conditions(value, depth).map(LineCondition::All),
            ("any", value) => self.line_conditions(value, depth).map(LineCondition::Any),
            (_, value) => {
                self.line_condition(value, depth + 1).map(Box::new).map(LineCondition::Not)
            }
        }
    }

    fn line_conditions(&mut self, value: &Value<'_>, depth: usize) -> Option<Vec<LineCondition>> {
        let DeValue::Array(entries) = value.get_ref() else {
            self.keep(wrong_type::<()>(value, "an array"));
            return None;
        };
        if entries.is_empty() {
            let complaint = Complaint::new("no conditions to join").hint("name at least one");
            self.fault(value.span().start, complaint);
        }
        let parts: Vec<_> =
            entries.iter().map(|entry| self.line_condition(entry, depth + 1)).collect();
        parts.into_iter().collect()
    }

    fn line_test(&mut self, table: &DeTable<'_>, value: &Value<'_>) -> Option<LineTest> {
        let source = self.keep(text(|source| Ok(source.to_owned()))(value))?;
        let fancy = match table.get("fancy") {
            Some(fancy) => self.keep(flag(fancy))?,
            None => false,
        };
        match LinePattern::compile(&source, fancy) {
            Ok(pattern) => Some(LineTest { pattern, source, number: 0 }),
            Err(refusal) => {
                let at = self.within(value, &source, refusal.at);
                self.fault(at, refusal.complaint);
                None
            }
        }
    }
}
