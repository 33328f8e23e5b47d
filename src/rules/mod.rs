//! Header and body rules: TOML files of a directory, in the order of their names.
//!
//! `file` reads one of them, with `when` for its conditions, `action` for what it does, `fields` for
//! its values, `known` for what examples say and `reader` for the faults; `rule` and `condition` are
//! what comes of it. A condition's tests are patterns on a `part` of the message in a view
//! (`pattern`), tests on links and MIME parts (`mime_test`), or on what else is known (`fact`).
//! `matcher` runs all patterns at once, `plane` those of one part and view, by the `literals` that
//! they need. The language is described in the README of `rules/`.
//!
//! Patterns take linear time, whatever the message. What is costly, the texts of the message and its
//! envelope, is looked at first ([`RuleSet::look`]); the rest needs the results of authentication and
//! scan ([`RuleSet::evaluate_with`]).
//!
//! Failure: a directory with any fault in it gives no rules, and all faults at once.

mod action;
mod captures;
mod condition;
mod edit;
mod error;
mod example;
mod fact;
mod facts;
mod fields;
mod file;
mod found;
pub mod import;
mod known;
mod line_pattern;
mod line_when;
mod lines;
pub mod lint;
mod list;
mod lists;
mod literal_set;
mod literals;
mod looked;
mod matcher;
mod mime_test;
mod names;
mod part;
mod pattern;
mod plane;
mod reader;
mod results;
mod rule;
mod table;
mod tables;
mod texts;
mod when;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigErrors;
use crate::config::value::Located;
use crate::message::envelope::Envelope;
use crate::verdict::Hit;
use crate::work::processors;

pub use error::RuleErrors;
pub use facts::Facts;
pub use found::Found;
pub use looked::Looked;
pub use part::View;
pub use results::Results;
pub use texts::Texts;

use condition::{Test, What};
use file::RuleFile;
use lists::Lists;
use matcher::Matcher;
use names::Names;
use rule::{ByName, Rule};
use tables::Tables;

/// More files are nobody's rules.
const FILES_MAX: usize = 1000;

/// The examples of fewer rules are not worth a thread.
const RULES_A_THREAD_MIN: usize = 200;

/// All rules, ready to be applied.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    matcher: Matcher,
    /// The names of rules that others name.
    referred: HashSet<String>,
    tables: Tables,
}

/// How a rule's examples came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tested<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// How many examples it has.
    pub examples: usize,
    /// The examples that came out wrong, each as `path:line:col: message (hint)`.
    pub failures: Vec<String>,
}

impl RuleSet {
    /// The rules of all `.toml` files in a directory, their examples tested.
    pub fn load(dir: &Path) -> Result<Self, RuleErrors> {
        Self::read(dir, true)
    }

    /// Like [`load`](Self::load), where a directory that does not exist has no rules.
    pub fn load_if_present(dir: &Path) -> Result<Self, RuleErrors> {
        match std::fs::metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            _ => Self::load(dir),
        }
    }

    /// Like [`load`](Self::load), with the examples left to [`test`](Self::test).
    pub fn load_untested(dir: &Path) -> Result<Self, RuleErrors> {
        Self::read(dir, false)
    }

    fn read(dir: &Path, is_tested: bool) -> Result<Self, RuleErrors> {
        let (mut names, mut lists) = (Names::default(), Lists::default());
        let paths = files(dir)?.into_iter();
        let files: Vec<_> =
            paths.map(|path| RuleFile::read(&path, &mut names, &mut lists)).collect();
        let failures: Vec<_> = if is_tested { failures(&files) } else { Vec::new() };
        let mut failures = failures.into_iter().chain(std::iter::repeat_with(Vec::new));
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for file in files {
            let failures = failures.next().unwrap_or_default();
            match file.and_then(|file| file.into_rules(failures)) {
                Ok(more) => rules.extend(more),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(RuleErrors::Files(errors));
        }
        let matcher = Matcher::new(&mut rules)?;
        let referred = rules.iter().flat_map(Rule::referred).collect();
        let tables = Tables::new(&rules)?;
        Ok(Self { rules, matcher, referred, tables })
    }

    /// Whether any rule reads the body; if none does, none need be kept.
    pub fn wants_body(&self) -> bool {
        self.matcher.wants_body() || self.tables.wants_body()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Runs all patterns over the message and its envelope: what costs time where they are long.
    pub fn look(&self, texts: &Texts<'_>, envelope: &Envelope) -> Looked {
        if self.is_empty() {
            return Looked::default();
        }
        let mut looked = self.matcher.look(texts, envelope);
        looked.taken = self.tables.look(texts);
        looked
    }

    /// The rules that match, in the order of files and rules, to the first that ends them, given what
    /// [`look`](Self::look) found in the message.
    pub fn evaluate_with(&self, facts: &Facts<'_>, looked: &Looked) -> Vec<Hit> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut hits = Vec::new();
        let mut referred: HashSet<&str> = HashSet::new();
        for (number, rule) in self.rules.iter().enumerate() {
            if let Some(table) = self.tables.beginning_at(number) {
                let ends = self.table_hits(table, facts, looked, &mut hits);
                if ends {
                    break;
                }
            }
            let holds = |test: &Test| match &test.what {
                What::Text(_) | What::Mime(_) => looked.contains(test),
                What::Fact(fact) => fact.holds(facts),
                What::Rule(name) => referred.contains(name.as_str()),
            };
            if !rule.when.holds(&holds) {
                continue;
            }
            hits.push(rule.hit(facts, looked, &holds));
            if rule.deed.ends() {
                break;
            }
            if self.referred.contains(&rule.name) {
                referred.insert(&rule.name);
            }
        }
        hits
    }

    /// Adds the hits of a table, in the order of the lines; whether one of them ends the rules.
    fn table_hits(
        &self,
        table: usize,
        facts: &Facts<'_>,
        looked: &Looked,
        hits: &mut Vec<Hit>,
    ) -> bool {
        let mut ends = false;
        for taken in looked.taken.get(table).into_iter().flatten() {
            let number = self.tables.rule(table, taken.rule);
            let Some(rule) = number.and_then(|number| self.rules.get(number)) else { continue };
            hits.push(rule.line_hit(facts, taken));
            ends |= rule.deed.ends();
        }
        ends
    }

    /// Whether a rule may put another author into a message.
    pub fn edits_author(&self) -> bool {
        self.rules.iter().any(|rule| rule.deed.edits_author())
    }

    /// Both at once.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Vec<Hit> {
        let texts = Texts::new(facts.headers, facts.body, facts.is_cut, facts.limits);
        self.evaluate_with(facts, &self.look(&texts, facts.envelope))
    }

    /// What is allowed in rules and still deserves a word, each as `path:line:col: message`.
    pub fn warnings(&self) -> Vec<String> {
        self.rules.iter().flat_map(Rule::warnings).collect()
    }

    /// Runs all examples, rule by rule.
    pub fn test(&self) -> impl Iterator<Item = Tested<'_>> {
        let rules: ByName<'_> = self.rules.iter().map(|rule| (rule.name.as_str(), rule)).collect();
        self.rules.iter().map(move |rule| Tested {
            rule: &rule.name,
            examples: rule.examples.len(),
            failures: rule
                .failures(&rules)
                .into_iter()
                .map(|failure| rule.origin.report(failure))
                .collect(),
        })
    }
}

/// What comes out wrong of all examples, file by file, on as many threads as there are processors.
fn failures(files: &[Result<RuleFile, ConfigErrors>]) -> Vec<Vec<Located>> {
    let of = |file| Result::as_ref(file).map_or(&[][..], RuleFile::rules);
    let all: Vec<(usize, &Rule)> = files
        .iter()
        .enumerate()
        .flat_map(|(index, file)| of(file).iter().map(move |rule| (index, rule)))
        .collect();
    let rules: ByName<'_> = all.iter().map(|(_, rule)| (rule.name.as_str(), *rule)).collect();
    let tested = |share: &[(usize, &Rule)]| -> Vec<(usize, Located)> {
        let failures = |(file, rule): &(usize, &Rule)| {
            let file = *file;
            rule.failures(&rules).into_iter().map(move |failure| (file, failure))
        };
        share.iter().flat_map(failures).collect()
    };
    let threads = processors();
    let share = all.len().div_ceil(threads).max(RULES_A_THREAD_MIN);
    let mut by_file: Vec<Vec<Located>> = files.iter().map(|_| Vec::new()).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            all.chunks(share).map(|share| scope.spawn(|| tested(share))).collect();
        for thread in threads {
            // A panic of a thread is one of this.
            let found = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (file, failure) in found {
                if let Some(failures) = by_file.get_mut(file) {
                    failures.push(failure);
                }
            }
        }
    });
    by_file
}

/// The rule files of a directory, by name.
fn files(dir: &Path) -> Result<Vec<PathBuf>, RuleErrors> {
    let unreadable =
        |error: io::Error| RuleErrors::Directory { path: dir.to_owned(), reason: reason(&error) };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            let reason = format!("more than {FILES_MAX} rule files; put more rules into one");
            return Err(RuleErrors::Directory { path: dir.to_owned(), reason });
        }
    }
    files.sort();
    Ok(files)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such directory; make it, or set rules.dir".to_owned(),
        io::ErrorKind::NotADirectory => "is no directory; rules.dir names one".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs mailseal read it".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where each example comes out other than it says, by the way that messages go.
    fn wrong(dir: &str) -> Vec<String> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
        let rules = RuleSet::load(&dir).unwrap_or_else(|errors| panic!("{errors}"));
        let mut wrong = Vec::new();
        for rule in &rules.rules {
            for example in &rule.examples {
                let hits = example.judged(|texts, facts| {
                    let hits = rules.evaluate_with(facts, &rules.look(texts, facts.envelope));
                    hits.iter().any(|hit| hit.rule == rule.name)
                });
                if hits != example.is_hit {
                    wrong.push(format!("{}: {:?}", rule.name, example));
                }
            }
        }
        wrong
    }

    #[test]
    fn messages_go_the_way_of_examples() {
        for dir in ["tests/data/rules/conditions", "rules"] {
            let wrong = wrong(dir);
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
}
