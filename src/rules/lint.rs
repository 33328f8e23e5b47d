//! What is allowed in rules and is most likely a mistake: rules that cannot be reached or cannot match,
//! that repeat another, that have no examples, cost much, or match mail that is known to be good.

mod cost;
mod written;

use std::collections::HashMap;

use toml::Value;

use super::RuleSet;
use super::condition::{Condition, What};
use super::facts::Facts;
use super::lines::Kind;
use super::part::Part;
use super::rule::{Origin, Rule};
use super::table::{LineCondition, LineRule};
use crate::config::error::{Complaint, quoted};
use crate::config::value::Located;
use crate::message::header::HeaderBlock;

/// How many messages are named that a rule should not match.
const NAMED_MAX: usize = 1;

/// A message that no rule should match.
#[derive(Clone, Debug)]
pub struct Ham {
    /// What it is called in a finding.
    pub name: String,
    /// Its header block.
    pub headers: HeaderBlock,
    /// Its body.
    pub body: Vec<u8>,
}

impl RuleSet {
    /// What deserves a look, each as `path:line:col: message (hint)`, in the order of files and lines.
    pub fn lint(&self, ham: impl IntoIterator<Item = Ham>) -> Vec<String> {
        let written = written::conditions(&self.rules);
        let mut findings: Vec<(usize, Complaint)> = Vec::new();
        let mut say = |number: usize, complaint: Complaint| findings.push((number, complaint));
        self.unreachable(&mut say);
        duplicates(&self.rules, &written, &mut say);
        for (number, rule) in self.rules.iter().enumerate() {
            if written.get(number).and_then(Option::as_ref).is_some_and(written::contradicts)
                || constant(&rule.when) == Some(false) && rule.by_line.is_none()
            {
                say(
                    number,
                    Complaint::new("can never match").hint("two conditions exclude each other"),
                );
            }
            if rule.examples.is_empty() {
                say(
                    number,
                    Complaint::new("has no examples").hint("add examples.hit and examples.miss"),
                );
            }
            for complaint in cost::costs(rule) {
                say(number, complaint);
            }
        }
        self.broad(ham, &mut say);
        findings.sort_by_key(|(number, _)| *number);
        let lines = findings.into_iter().filter_map(|(number, complaint)| {
            let rule = self.rules.get(number)?;
            let message = format!("rule {} {}", quoted(&rule.name), complaint.message);
            let complaint = Complaint { message, ..complaint };
            Some(rule.origin.report(Located { at: rule.at, complaint }))
        });
        lines.chain(self.warnings()).collect()
    }

    /// Rules behind one that always ends the rules, or takes every line of their table.
    fn unreachable(&self, say: &mut impl FnMut(usize, Complaint)) {
        let mut ended: Option<&Rule> = None;
        let mut taken: HashMap<&str, Vec<(Kind, &Rule)>> = HashMap::new();
        for (number, rule) in self.rules.iter().enumerate() {
            if let Some(before) = ended {
                say(number, unreachable_behind(before));
                continue;
            }
            match &rule.by_line {
                Some(line_rule) => {
                    let taken = taken.entry(&line_rule.table).or_default();
                    if let Some(before) = all_taken(line_rule, taken) {
                        say(number, unreachable_behind(before));
                    } else if takes_all(&line_rule.when) {
                        taken.extend(line_rule.kinds.iter().map(|kind| (*kind, rule)));
                    }
                }
                None if rule.deed.ends() && constant(&rule.when) == Some(true) => {
                    ended = Some(rule);
                }
                None => {}
            }
        }
    }

    /// Rules that match what they should not.
    fn broad(&self, ham: impl IntoIterator<Item = Ham>, say: &mut impl FnMut(usize, Complaint)) {
        let mut messages = 0;
        let mut matched: HashMap<String, Vec<String>> = HashMap::new();
        for message in ham {
            messages += 1;
            let hits = self.evaluate(&Facts::of(&message.headers, &message.body));
            let mut names: Vec<String> = hits.into_iter().map(|hit| hit.rule).collect();
            names.sort();
            names.dedup();
            for name in names {
                matched.entry(name).or_default().push(message.name.clone());
            }
        }
        for (number, rule) in self.rules.iter().enumerate() {
            let Some(names) = matched.get(&rule.name).filter(|_| rule.deed.does_something()) else {
                continue;
            };
            let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
            let message = format!("matches {} of {messages} good messages", names.len());
            say(number, Complaint::new(message).hint(format!("such as {}", shown.join(", "))));
        }
    }
}

fn unreachable_behind(rule: &Rule) -> Complaint {
    let Origin { path, .. } = &*rule.origin;
    Complaint::new("is never reached").hint(format!(
        "rule {} in {} lets nothing past",
        quoted(&rule.name),
        path.display()
    ))
}

/// The rule that has taken the last of the lines that a rule is asked of.
fn all_taken<'a>(rule: &LineRule, taken: &[(Kind, &'a Rule)]) -> Option<&'a Rule> {
    let by_kind =
        |kind: &Kind| taken.iter().find(|(other, _)| other == kind).map(|(_, rule)| *rule);
    let rules: Option<Vec<&Rule>> = rule.kinds.iter().map(by_kind).collect();
    rules?.last().copied()
}

/// Whether every line that is not empty meets a condition.
fn takes_all(when: &LineCondition) -> bool {
    match when {
        LineCondition::Line(test) => test.pattern.hir().is_some_and(cost::matches_any_text),
        LineCondition::All(parts) => parts.iter().all(takes_all),
        LineCondition::Any(parts) => parts.iter().any(takes_all),
        LineCondition::Not(_) => false,
    }
}

/// What a condition comes to, whatever the message.
fn constant(when: &Condition) -> Option<bool> {
    match when {
        Condition::Test(test) => match &test.what {
            What::Text(on) if on.pattern.hir().properties().minimum_len().is_none() => Some(false),
            What::Text(on) if matches!(on.part, Part::Body) => {
                cost::matches_nothing_too(on.pattern.hir()).then_some(true)
            }
            _ => None,
        },
        Condition::All(parts) => {
            let parts: Vec<_> = parts.iter().map(constant).collect();
            if parts.contains(&Some(false)) {
                return Some(false);
            }
            parts.iter().all(|part| *part == Some(true)).then_some(true)
        }
        Condition::Any(parts) => {
            let parts: Vec<_> = parts.iter().map(constant).collect();
            if parts.contains(&Some(true)) {
                return Some(true);
            }
            parts.iter().all(|part| *part == Some(false)).then_some(false)
        }
        Condition::Not(part) => constant(part).map(|holds| !holds),
    }
}

/// Rules with the condition of another.
fn duplicates(rules: &[Rule], written: &[Option<Value>], say: &mut impl FnMut(usize, Complaint)) {
    let mut seen: HashMap<String, &Rule> = HashMap::new();
    for (number, (rule, when)) in rules.iter().zip(written).enumerate() {
        let Some(when) = when else { continue };
        let lines = rule.by_line.as_ref().map(|rule| (&rule.table, &rule.kinds));
        let key = format!("{lines:?} {when}");
        match seen.get(&key) {
            Some(first) => {
                let complaint =
                    Complaint::new(format!("has the condition of {}", quoted(&first.name)));
                say(number, complaint.hint("join the two, or remove one"));
            }
            None => {
                seen.insert(key, rule);
            }
        }
    }
}
