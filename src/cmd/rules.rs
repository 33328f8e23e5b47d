//! `mailseal rules`: test, lint, import.

pub(crate) mod import;
pub(crate) mod lint;

use std::path::PathBuf;

use mailseal::rules::{RuleSet, Tested};

use super::print::{complain, print};
use super::{Outcome, load_config};
use crate::cli::{ConfigArg, Rules};

pub(crate) fn run(command: Rules) -> anyhow::Result<Outcome> {
    match command {
        Rules::Test { dir, config } => test(dir, &config),
        Rules::Lint(args) => lint::run(&args),
        Rules::Import(args) => import::run(&args),
    }
}

/// Runs every example of every rule.
fn test(dir: Option<PathBuf>, config: &ConfigArg) -> anyhow::Result<Outcome> {
    let dir = match dir {
        Some(dir) => dir,
        None => load_config(config)?.rules.dir,
    };
    let rules = RuleSet::load_untested(&dir)?;
    let tested: Vec<Tested<'_>> = rules.test().collect();
    tested.iter().flat_map(|rule| &rule.failures).for_each(|failure| complain(failure));
    let lines: Vec<String> = tested.iter().map(line).collect();
    print(&lines.join("\n"))?;
    let examples: usize = tested.iter().map(|rule| rule.examples).sum();
    let failures: usize = tested.iter().map(|rule| rule.failures.len()).sum();
    print(&format!("{} rules, {examples} examples, {failures} failures", tested.len()))?;
    Ok(if failures == 0 { Outcome::Done } else { Outcome::FaultFound })
}

fn line(rule: &Tested<'_>) -> String {
    match rule.failures.len() {
        0 => format!("ok    {}: {} examples", rule.rule, rule.examples),
        failures => format!("FAIL  {}: {failures} of {} examples", rule.rule, rule.examples),
    }
}
