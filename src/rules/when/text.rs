//! Conditions on texts: header fields, the body, and how they are read.

use std::sync::Arc;

use toml::de::DeTable;

use super::super::condition::{TextTest, What};
use super::super::fact::Fact;
use super::super::fields::field_name;
use super::super::part::{FieldNames, Part, View};
use super::super::pattern::Pattern;
use super::super::reader::{Reader, missing};
use crate::config::error::Complaint;
use crate::config::value::{Value, flag, text, word};
use crate::message::text::Folding;

const HEADER_SHAPE: &str = "such as { header = \"Subject\", matches = 'regex' }";

/// What a condition on header fields asks of them; a condition asks one thing.
const ASKED: &[&str] = &["matches", "missing", "count", "in_list"];

/// The words for views; what `folded` folds stands beside it.
const VIEWS: &[(&str, View)] = &[
    ("raw", View::Raw),
    ("decoded", View::Decoded),
    ("folded", View::Folded(Folding { leet: true, separators: true })),
];

impl Reader<'_> {
    pub(super) fn header(&mut self, table: &DeTable<'_>, at: usize) -> Option<What> {
        let name = self.required(table, at, "header", &text(field_name));
        let view = self.view(table);
        let names = name.map(|name| FieldNames::new(&name));
        let asked: Vec<&str> =
            ASKED.iter().copied().filter(|asked| table.contains_key(*asked)).collect();
        let (asked, value) = match asked.as_slice() {
            [asked] => (*asked, table.get(*asked)?),
            [] => {
                self.fault(at, missing("matches", HEADER_SHAPE));
                return None;
            }
            several => {
                let complaint = format!("{} in one condition", several.join(" and "));
                self.fault(at, Complaint::new(complaint).hint("join them: all = [{ ... }]"));
                return None;
            }
        };
        match asked {
            "matches" => {
                let pattern = self.pattern(value);
                let (part, view) = (Part::Header(names?), view?);
                Some(What::Text(TextTest { part, view, pattern: pattern? }))
            }
            "in_list" => {
                let list = self.list_of(value);
                Some(What::Fact(Fact::HeaderListed(names?, list?)))
            }
            "missing" => {
                let missing = self.optional(table, "missing", &flag)?;
                let range = if missing { 0..=0 } else { 1..=u64::MAX };
                Some(What::Fact(Fact::Count(names?, range)))
            }
            _ => {
                let range = self.range(value, "count");
                Some(What::Fact(Fact::Count(names?, range?)))
            }
        }
    }

    pub(super) fn body(&mut self, table: &DeTable<'_>, value: &Value<'_>) -> Option<What> {
        let view = self.view(table);
        let pattern = self.pattern(value);
        Some(What::Text(TextTest { part: Part::Body, view: view?, pattern: pattern? }))
    }

    /// How the text is read: raw, unless the condition says so.
    fn view(&mut self, table: &DeTable<'_>) -> Option<View> {
        let view = match table.get("view") {
            Some(_) => self.optional(table, "view", &word(VIEWS))?,
            None => View::Raw,
        };
        let mut options = [true; 2];
        for (option, name) in options.iter_mut().zip(["leet", "separators"]) {
            if let Some(value) = table.get(name) {
                *option = self.optional(table, name, &flag)?;
                if !matches!(view, View::Folded(_)) {
                    let complaint = Complaint::new(format!("\"{name}\" without the folded view"));
                    self.fault(value.span().start, complaint.hint("add view = \"folded\""));
                }
            }
        }
        let [leet, separators] = options;
        Some(match view {
            View::Folded(_) => View::Folded(Folding { leet, separators }),
            view => view,
        })
    }

    /// A regular expression.
    pub(in crate::rules) fn pattern(&mut self, value: &Value<'_>) -> Option<Arc<Pattern>> {
        let source = self.keep(text(|source| Ok(source.to_owned()))(value))?;
        match Pattern::compile(&source) {
            Ok(pattern) => Some(Arc::new(pattern)),
            Err(refusal) => {
                let at = self.within(value, &source, refusal.at);
                self.fault(at, refusal.complaint);
                None
            }
        }
    }

    /// The octet of the file that stands for one of a string. Where the string has escapes, its
    /// beginning has to do.
    pub(in crate::rules) fn within(&self, value: &Value<'_>, source: &str, offset: usize) -> usize {
        let written = self.origin.text.get(value.span()).unwrap_or_default();
        value.span().start + written.find(source).map_or(0, |start| start + offset)
    }
}
