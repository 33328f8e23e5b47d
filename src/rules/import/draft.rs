//! One entry of a table on its way to a rule.

use std::fmt::Write as _;

use super::action::{self, Deed};
use super::pattern::{Translated, Untranslated};
use super::plain;
use super::quote::{literal, quoted};
use super::table::{Dialect, Entry, Match};
use crate::rules::line_pattern::LinePattern;
use crate::rules::line_when::KINDS;
use crate::rules::lines::Kind;
use crate::rules::table::{LineCondition, LineRule, LineTest};

/// What all imported rules are rules of: a refusal in one of Postfix's tables ends the others, too.
pub(super) const TABLE: &str = "postfix";

/// The most of an entry that is shown in `about`.
const ABOUT_CHARS_MAX: usize = 150;

/// A rule to be.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) about: String,
    pub(super) rule: LineRule,
    pub(super) deed: Deed,
    /// What the admin should know.
    pub(super) notes: Vec<String>,
}

/// A table's place among others.
pub(super) struct Place<'a> {
    /// The name of its file.
    pub(super) file: &'a str,
    /// What its rules' names begin with.
    pub(super) prefix: &'a str,
    pub(super) kinds: &'a [Kind],
    pub(super) dialect: Dialect,
}

/// Why an entry makes no rule.
#[derive(Debug)]
pub(super) enum Undrafted {
    /// Postfix skips it, too.
    Skipped(String),
    /// Its lines go to the entries below it.
    Lost(String),
}

impl Draft {
    pub(super) fn of(entry: &Entry, place: &Place<'_>) -> Result<Self, Undrafted> {
        let own = translated(&entry.pattern, place.dialect)?;
        let has_header = place.kinds.iter().any(|kind| matches!(kind, Kind::Header | Kind::Mime));
        let has_others = place.kinds.iter().any(|kind| *kind != Kind::Header);
        let field = field_of(&own.source);
        let deed = action::read(&entry.result, has_header, has_others, field)
            .map_err(Undrafted::Skipped)?;
        if deed.groups > 0 && entry.pattern.negated {
            return Err(Undrafted::Skipped("a group of a pattern that does not match".to_owned()));
        }
        if deed.groups > own.groups {
            return Err(Undrafted::Skipped(format!("the pattern has no group {}", deed.groups)));
        }
        let mut notes: Vec<String> = deed.differs.clone().into_iter().collect();
        if deed.groups > 0 && place.dialect == Dialect::Regexp && own.source.contains('|') {
            notes
                .push("groups are those of the first alternative, not of the longest match".into());
        }
        let mut parts = Vec::new();
        for test in entry.guards.iter().chain([&entry.pattern]) {
            let translated = translated(test, place.dialect)?;
            if let Some(what) = translated.fancy {
                notes.push(format!("{what}: tried by backtracking, with a limit of steps"));
            }
            notes.extend(translated.odd.map(str::to_owned));
            parts.push(condition(test, translated)?);
        }
        let when = if parts.len() == 1 { parts.remove(0) } else { LineCondition::All(parts) };
        let rule = LineRule { table: TABLE.to_owned(), kinds: place.kinds.to_vec(), when };
        let result = String::from_utf8_lossy(&entry.result);
        let about: String = plain(&format!("{}:{}: {result}", place.file, entry.line))
            .chars()
            .take(ABOUT_CHARS_MAX)
            .collect();
        let name = format!("{}-{}", place.prefix, entry.line);
        Ok(Self { name, line: entry.line, about, rule, deed, notes })
    }

    /// The rule as TOML, with an example of each kind if there is one.
    pub(super) fn to_text(&self, hit: Option<&str>, miss: Option<&str>) -> String {
        let mut text = format!("\n[[rule]]\nname = {}\n", quoted(&self.name));
        let kinds: Vec<String> = KINDS
            .iter()
            .filter(|(_, kind)| self.rule.kinds.contains(kind))
            .map(|(word, _)| quoted(word))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "about = {}", literal(&self.about));
        let _ = writeln!(text, "table = {}\nlines = [{}]", quoted(TABLE), kinds.join(", "));
        let _ = writeln!(text, "when = {}", written(&self.rule.when));
        text.push_str(&self.deed.text);
        match (hit, miss) {
            (Some(hit), Some(miss)) => {
                let _ = writeln!(text, "examples.hit = [{}]", literal(hit));
                let _ = writeln!(text, "examples.miss = [{}]", literal(miss));
            }
            _ => text.push_str("untested = \"no example could be made of the pattern\"\n"),
        }
        text
    }
}

fn translated(test: &Match, dialect: Dialect) -> Result<Translated, Undrafted> {
    Translated::of(test, dialect).map_err(|error| match error {
        Untranslated::Bad(reason) => Undrafted::Skipped(reason),
        Untranslated::Inexpressible(what) => {
            Undrafted::Lost(format!("{what} is beyond rules (pattern on line {})", test.line))
        }
    })
}

fn condition(test: &Match, translated: Translated) -> Result<LineCondition, Undrafted> {
    let Translated { source, fancy, .. } = translated;
    let pattern = LinePattern::compile(&source, fancy.is_some()).map_err(|refusal| {
        Undrafted::Lost(format!("{} (pattern on line {})", refusal.complaint, test.line))
    })?;
    let line = LineCondition::Line(LineTest { pattern, source, number: 0 });
    Ok(if test.negated { LineCondition::Not(Box::new(line)) } else { line })
}

/// The name of the field that a pattern begins with, if it names one.
fn field_of(source: &str) -> Option<&str> {
    let start = source.find(')').map_or(source, |at| &source[at + 1..]);
    let (name, _) = start.strip_prefix('^')?.split_once(':')?;
    let is_name = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    (is_name && !name.is_empty()).then_some(name)
}

/// A condition as TOML.
fn written(condition: &LineCondition) -> String {
    match condition {
        LineCondition::Line(test) => {
            let fancy = if test.pattern.hir().is_some() { "" } else { ", fancy = true" };
            format!("{{ line = {}{fancy} }}", literal(&test.source))
        }
        LineCondition::All(parts) => format!("{{ all = [{}] }}", listed(parts)),
        LineCondition::Any(parts) => format!("{{ any = [{}] }}", listed(parts)),
        LineCondition::Not(part) => format!("{{ not = {} }}", written(part)),
    }
}

fn listed(parts: &[LineCondition]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("\n  {},", written(part))).collect();
    parts.concat() + "\n"
}
