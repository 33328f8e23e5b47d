//! One rule file: TOML with a `[[rule]]` for each rule, walked so that all faults come at once.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::action;
use super::condition::Condition;
use super::example::Example;
use super::fields::{about, name};
use super::known::{self, Known};
use super::lists::Lists;
use super::names::{Names, REFERENCES_MAX};
use super::reader::{Reader, missing};
use super::rule::{Origin, Rule};
use super::table::LineRule;
use crate::config::ConfigErrors;
use crate::config::error::{Complaint, quoted};
use crate::config::source::{self, faulty};
use crate::config::value::{Located, Value, text};

const RULE_FIELDS: &[&str] = &["name", "about", "table", "lines", "when", "examples", "untested"];
/// What is made of a table of Postfix's has some 300 octets an entry, and such tables have thousands.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const EXAMPLES_SHAPE: &str = "each rule has a hit and a miss: examples.hit = ['...']";
const EXAMPLES_FIELDS: &[&str] = &["hit", "miss"];

/// A file as far as it could be read.
#[derive(Debug)]
pub(super) struct RuleFile {
    origin: Arc<Origin>,
    syntax: Vec<toml::de::Error>,
    faults: Vec<Located>,
    rules: Vec<Rule>,
}

impl RuleFile {
    pub(super) fn read(
        path: &Path,
        names: &mut Names,
        lists: &mut Lists,
    ) -> Result<Self, ConfigErrors> {
        let text = source::read(path, FILE_BYTES_MAX)?;
        let origin = Arc::new(Origin { path: path.to_owned(), text });
        let (root, syntax) = DeTable::parse_recoverable(&origin.text);
        let mut reader = Reader { origin: &origin, faults: Vec::new(), names, lists };
        let rules = reader.rules(root.get_ref());
        let faults = reader.faults;
        Ok(Self { origin: origin.clone(), syntax, faults, rules })
    }

    /// The rules that could be read.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules of a file without any fault; `failures` are its examples'.
    pub(super) fn into_rules(mut self, failures: Vec<Located>) -> Result<Vec<Rule>, ConfigErrors> {
        self.faults.extend(failures);
        faulty(&self.origin.path, &self.origin.text, &self.syntax, self.faults)?;
        Ok(self.rules)
    }
}

impl Reader<'_> {
    fn rules(&mut self, root: &DeTable<'_>) -> Vec<Rule> {
        self.refuse_unknown_fields(root, &["rule"], "a rule file");
        let Some(value) = root.get("rule") else { return Vec::new() };
        let DeValue::Array(entries) = value.get_ref() else {
            let complaint = Complaint::new("rule: wants an array of tables").hint("write [[rule]]");
            self.fault(value.span().start, complaint);
            return Vec::new();
        };
        entries.iter().filter_map(|entry| self.rule(entry)).collect()
    }

    fn rule(&mut self, entry: &Value<'_>) -> Option<Rule> {
        let table = self.table(entry, "rule")?;
        let known: Vec<&str> = RULE_FIELDS.iter().chain(action::FIELDS).copied().collect();
        self.refuse_unknown_fields(table, &known, "[[rule]]");
        let at = entry.span().start;
        let name = self.required(table, at, "name", &text(name));
        let about = self.required(table, at, "about", &text(about));
        let (when, line_rule) = self.condition_or_line_rule(table, at);
        let groups = match &line_rule {
            Some(line_rule) => Some(line_rule.groups()),
            None => when.as_ref().map(Condition::groups),
        };
        let deed = action::read(self, table, groups.as_ref());
        let examples = self.examples(table, at);
        // Only now: a rule that names itself names none.
        if let (Some(name), Some(value)) = (&name, table.get("name")) {
            self.claim(name, value.span().start);
        }
        about?;
        let origin = self.origin.clone();
        let (name, when, deed, examples) = (name?, when?, deed?, examples?);
        let rule = Rule { name, when, by_line: line_rule, deed, examples, origin, at };
        self.refer(&rule, at);
        Some(rule)
    }

    /// What a rule asks of the message, or of each of its lines.
    fn condition_or_line_rule(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
    ) -> (Option<Condition>, Option<LineRule>) {
        if table.contains_key("table") {
            let line_rule = self.line_rule(table, at);
            // The table decides, and nothing else.
            return (line_rule.is_some().then(|| Condition::Any(Vec::new())), line_rule);
        }
        if let Some(lines) = table.get("lines") {
            let complaint = Complaint::new("\"lines\" without \"table\"");
            let hint = "name the table: table = \"header-checks\"";
            self.fault(lines.span().start, complaint.hint(hint));
        }
        (self.when(table, at), None)
    }

    /// Names are tags, so no two rules share one.
    fn claim(&mut self, name: &str, at: usize) {
        if let Err(place) = self.names.claim(name, self.origin, at) {
            let complaint = Complaint::new(format!("rule name {} is taken", quoted(name)));
            self.fault(at, complaint.hint(format!("by the rule at {place}")));
        }
    }

    fn refer(&mut self, rule: &Rule, at: usize) {
        let referred = rule.referred();
        let references = self.names.refer(&rule.name, referred.iter().map(String::as_str));
        if references > REFERENCES_MAX {
            let message = format!("more than {REFERENCES_MAX} rules follow each other by name");
            self.fault(at, Complaint::new(message).hint("repeat a condition instead"));
        }
    }

    fn examples(&mut self, table: &DeTable<'_>, at: usize) -> Option<Vec<Example>> {
        // An imported pattern may be one that no example could be made for.
        let untested = self.optional(table, "untested", &text(about)).is_some();
        let Some(value) = table.get("examples") else {
            if untested {
                return Some(Vec::new());
            }
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
        let Some(value) = table.get(kind) else {
            self.fault(at, Complaint::new(format!("\"{kind}\" is missing")));
            return None;
        };
        let DeValue::Array(entries) = value.get_ref() else {
            self.keep(crate::config::value::wrong_type::<()>(value, "an array"));
            return None;
        };
        if entries.is_empty() {
            let complaint = Complaint::new(format!("no {kind} example")).hint("give at least one");
            self.fault(value.span().start, complaint);
        }
        let examples: Vec<_> =
            entries.iter().map(|entry| self.example(entry, kind == "hit")).collect();
        examples.into_iter().collect()
    }

    /// A text, or a table with one and what is known of it besides.
    fn example(&mut self, value: &Value<'_>, is_hit: bool) -> Option<Example> {
        let at = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            let text = self.text(value, "example")?;
            return Some(Example { is_hit, text, at, known: Known::default() });
        };
        self.refuse_unknown_fields(table, known::FIELDS, "an example");
        let known = Known::read(self, table);
        let text = match table.get("message") {
            Some(value) => self.text(value, "message")?,
            None => String::new(),
        };
        Some(Example { is_hit, text, at, known })
    }
}
