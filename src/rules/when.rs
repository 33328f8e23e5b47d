//! Reads a rule's `when`: a table with one test, or conditions joined by all, any and not.

mod facts;
mod mime;
mod text;

pub(super) use facts::{ORIGINS, RESULTS};

use toml::de::{DeTable, DeValue};

use super::condition::{Condition, Test, What};
use super::reader::{Reader, missing};
use crate::config::error::{Complaint, quoted};
use crate::config::nearest::nearest;
use crate::config::value::{Value, wrong_type};

/// Conditions within conditions, and no deeper.
const NESTING_MAX: usize = 16;

/// What makes a table a condition; a table has one of them.
const FORMS: &[&str] = &[
    "header",
    "body",
    "link",
    "mail_from",
    "recipient",
    "helo",
    "client_name",
    "auth_user",
    "client",
    "tls",
    "origin",
    "size",
    "spf",
    "dkim",
    "dmarc",
    "arc",
    "iprev",
    "scan",
    "attachment",
    "mime",
    "rule",
    "all",
    "any",
    "not",
];

/// What else a table may have, and beside which forms.
const MODIFIERS: &[(&str, &[&str])] = &[
    ("matches", &["header"]),
    ("missing", &["header"]),
    ("count", &["header"]),
    ("in_list", &["header"]),
    ("view", &["header", "body"]),
    ("leet", &["header", "body"]),
    ("separators", &["header", "body"]),
];

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
        let known: Vec<&str> =
            FORMS.iter().copied().chain(MODIFIERS.iter().map(|(name, _)| *name)).collect();
        if !self.refuse_unknown_fields(table, &known, "a condition") {
            return None;
        }
        let form = self.form(table, at)?;
        match (form, table.get(form)?) {
            ("all", value) => self.conditions(value, depth).map(Condition::All),
            ("any", value) => self.conditions(value, depth).map(Condition::Any),
            ("not", value) => self.condition(value, depth + 1).map(Box::new).map(Condition::Not),
            (form, value) => self.what(form, table, value, at).map(Test::new).map(Condition::Test),
        }
    }

    fn what(
        &mut self,
        form: &'static str,
        table: &DeTable<'_>,
        value: &Value<'_>,
        at: usize,
    ) -> Option<What> {
        match form {
            "header" => self.header(table, at),
            "body" => self.body(table, value),
            "link" => self.link(value),
            "attachment" => self.attachment(value),
            "mime" => self.structure(value),
            "rule" => self.other_rule(value),
            _ => self.fact(form, value),
        }
    }

    /// The one form of the table.
    fn form(&mut self, table: &DeTable<'_>, at: usize) -> Option<&'static str> {
        let found: Vec<&str> =
            FORMS.iter().copied().filter(|form| table.contains_key(*form)).collect();
        let complaint = match found.as_slice() {
            [form] => match stray(table, form) {
                None => return Some(form),
                Some((name, owners)) => Complaint::new(format!("\"{name}\" beside \"{form}\""))
                    .hint(format!("it belongs to \"{}\"", owners.join("\" and \""))),
            },
            [] => Complaint::new("a condition without a test")
                .hint("such as header and matches, body, all, any or not"),
            several => Complaint::new(format!("{} in one condition", several.join(" and ")))
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

    /// Another rule, which stands above: so none can wait for itself.
    fn other_rule(&mut self, value: &Value<'_>) -> Option<What> {
        let name = self.text(value, "rule")?;
        if self.names.has(&name) {
            return Some(What::Rule(name));
        }
        let complaint = Complaint::new(format!("no rule {} above", quoted(&name)));
        let complaint = match nearest(&name, self.names.iter()) {
            Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
            None => complaint.hint(
                "a rule can name those above it, in its file or in one whose name sorts before",
            ),
        };
        self.fault(value.span().start, complaint);
        None
    }
}

/// What the table has that does not belong to its form, and to which it does.
fn stray(table: &DeTable<'_>, form: &str) -> Option<(&'static str, &'static [&'static str])> {
    let stray = |(name, owners): &&(&'static str, &'static [&'static str])| {
        table.contains_key(*name) && !owners.contains(&form)
    };
    MODIFIERS.iter().find(stray).copied()
}
