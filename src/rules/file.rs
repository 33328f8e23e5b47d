//! One rule file: TOML with a `[[rule]]` for each rule, walked so that all faults come at once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::action;
use super::captures::Groups;
use super::example::Example;
use super::fields::{about, name};
use super::reader::{Reader, missing};
use super::rule::{Origin, Rule};
use crate::config::ConfigErrors;
use crate::config::error::{Complaint, Places, quoted};
use crate::config::source::{self, faulty};
use crate::config::value::{Located, Value, list, text};

const RULE_FIELDS: &[&str] = &["name", "about", "when", "examples"];
const EXAMPLES_SHAPE: &str = "each rule has a hit and a miss: examples.hit = ['...']";
const EXAMPLES_FIELDS: &[&str] = &["hit", "miss"];

/// The rules' names so far, and where each stands.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, String>);

/// A file as far as it could be read.
#[derive(Debug)]
pub(super) struct RuleFile {
    origin: Arc<Origin>,
    syntax: Vec<toml::de::Error>,
    faults: Vec<Located>,
    rules: Vec<Rule>,
}

impl RuleFile {
    pub(super) fn read(path: &Path, names: &mut Names) -> Result<Self, ConfigErrors> {
        let origin = Arc::new(Origin { path: path.to_owned(), text: source::read(path)? });
        let (root, syntax) = DeTable::parse_recoverable(&origin.text);
        let mut reader = Reader { origin: &origin, faults: Vec::new() };
        let rules = reader.rules(root.get_ref(), names);
        let faults = reader.faults;
        Ok(Self { origin: origin.clone(), syntax, faults, rules })
    }

    /// Runs the examples of the rules that could be read.
    pub(super) fn test(&mut self) {
        self.faults.extend(self.rules.iter().flat_map(Rule::failures));
    }

    /// The rules of a file without any fault.
    pub(super) fn into_rules(self) -> Result<Vec<Rule>, ConfigErrors> {
        faulty(&self.origin.path, &self.origin.text, &self.syntax, self.faults)?;
        Ok(self.rules)
    }
}

impl Reader<'_> {
    fn rules(&mut self, root: &DeTable<'_>, names: &mut Names) -> Vec<Rule> {
        self.refuse_unknown_fields(root, &["rule"], "a rule file");
        let Some(value) = root.get("rule") else { return Vec::new() };
        let DeValue::Array(entries) = value.get_ref() else {
            let complaint = Complaint::new("rule: wants an array of tables").hint("write [[rule]]");
            self.fault(value.span().start, complaint);
            return Vec::new();
        };
        entries.iter().filter_map(|entry| self.rule(entry, names)).collect()
    }

    fn rule(&mut self, entry: &Value<'_>, names: &mut Names) -> Option<Rule> {
        let table = self.table(entry, "rule")?;
        self.refuse_unknown_fields(table, &[RULE_FIELDS, action::FIELDS].concat(), "[[rule]]");
        let at = entry.span().start;
        let name = self.required(table, at, "name", &text(name));
        if let (Some(name), Some(value)) = (&name, table.get("name")) {
            self.claim(names, name, value.span().start);
        }
        let about = self.required(table, at, "about", &text(about));
        let when = self.when(table, at);
        let groups = when.as_ref().map(|when| {
            let mut groups = Groups::default();
            when.tests(&mut |test| groups.add(&test.pattern.regex));
            groups
        });
        let deed = action::read(self, table, groups.as_ref());
        let examples = self.examples(table, at);
        about?;
        Some(Rule {
            name: name?,
            when: when?,
            deed: deed?,
            examples: examples?,
            origin: self.origin.clone(),
        })
    }

    /// Names are tags, so no two rules share one.
    fn claim(&mut self, names: &mut Names, name: &str, at: usize) {
        let line = Places::new(&self.origin.text).line(at);
        let place = format!("{}:{line}", self.origin.path.display());
        if let Some(other) = names.0.get(name) {
            let complaint = Complaint::new(format!("rule name {} is taken", quoted(name)));
            let complaint = complaint.hint(format!("by the rule at {other}"));
            self.fault(at, complaint);
            return;
        }
        names.0.insert(name.to_owned(), place);
    }

    fn examples(&mut self, table: &DeTable<'_>, at: usize) -> Option<Vec<Example>> {
        let Some(value) = table.get("examples") else {
            self.fault(at, missing("examples", EXAMPLES_SHAPE));
            return None;
        };
        let table = self.table(value, "examples")?;
        self.refuse_unknown_fields(table, EXAMPLES_FIELDS, "examples");
        let hits = self.examples_of(table, value.span().start, "hit");
        let misses = self.examples_of(table, value.span().start, "miss");
        Some(hits?.into_iter().chain(misses?).collect())
    }

    fn examples_of(&mut self, table: &DeTable<'_>, at: usize, kind: &str) -> Option<Vec<Example>> {
        let example = |value: &Value<'_>| {
            let text = text(|text| Ok(text.to_owned()))(value)?;
            Ok(Example { is_hit: kind == "hit", text, at: value.span().start })
        };
        let examples = self.required(table, at, kind, &list(example))?;
        if examples.is_empty() {
            let at = table.get(kind).map_or(at, |value| value.span().start);
            self.fault(at, Complaint::new(format!("no {kind} example")).hint("give at least one"));
        }
        Some(examples)
    }
}
