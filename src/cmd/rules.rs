//! `mailseal rules`: test, lint, import.

pub(crate) mod import;
pub(crate) mod lint;

use std::path::Path;

use mailseal::rules::{RuleSet, Tested};

use super::counts::Counts;
use super::print::{complain, print};
use super::{Outcome, in_config, load_config};
use crate::cli::{ConfigArg, Rules};

pub(crate) fn run(command: Rules) -> anyhow::Result<Outcome> {
    match command {
        Rules::Test { dir, counts, config } => test(dir.as_deref(), counts.as_deref(), &config),
        Rules::Lint(args) => lint::run(&args),
        Rules::Import(args) => import::run(&args),
    }
}

/// Runs every example of every rule, and every rule on stored mail.
fn test(dir: Option<&Path>, mail: Option<&Path>, arg: &ConfigArg) -> anyhow::Result<Outcome> {
    let config = match (&dir, mail) {
        (Some(_), None) => None,
        _ => Some(load_config(arg)?),
    };
    let rules = match (&dir, &config) {
        (None, Some(config)) => in_config(arg, RuleSet::load_untested(&config.rules.dir))?,
        _ => RuleSet::load_untested(dir.unwrap_or(Path::new("")))?,
    };
    let counts = match (mail, &config) {
        (Some(mail), Some(config)) => Some(Counts::of(&rules, mail, config)?),
        _ => None,
    };
    let tested: Vec<Tested<'_>> = rules.test().collect();
    tested.iter().flat_map(|rule| &rule.failures).for_each(|failure| complain(failure));
    let lines: Vec<String> = tested.iter().map(|rule| line(rule, counts.as_ref())).collect();
    print(&lines.join("\n"))?;
    let examples: usize = tested.iter().map(|rule| rule.examples).sum();
    let failures: usize = tested.iter().map(|rule| rule.failures.len()).sum();
    let messages =
        counts.map_or_else(String::new, |counts| format!(", {} messages", counts.messages));
    let rules = tested.len();
    print(&format!("{rules} rules, {examples} examples, {failures} failures{messages}"))?;
    Ok(if failures == 0 { Outcome::Done } else { Outcome::FaultFound })
}

fn line(rule: &Tested<'_>, counts: Option<&Counts>) -> String {
    let name = rule.rule;
    let line = match rule.failures.len() {
        0 => format!("ok    {name}: {} examples", rule.examples),
        failures => format!("FAIL  {name}: {failures} of {} examples", rule.examples),
    };
    match counts {
        Some(counts) => format!("{line}, {} hits", counts.of_rule(name)),
        None => line,
    }
}
