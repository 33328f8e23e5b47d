//! Header and body rules: TOML files of a directory, in the order of their names.
//!
//! `file` reads one of them, with `when` for its conditions, `fields` for its values and `reader`
//! for the faults; `rule` and `condition` are what comes of it, `action` with `edit` and `captures`
//! what a rule does; `pattern` compiles a regular
//! expression, `matcher` runs all of them at once, `example` makes messages of the examples that
//! every rule carries. The language is described in the README of `rules/`.
//!
//! Patterns see the raw view: a header field's value or the body as sent, octet by octet, nothing
//! decoded. They take linear time, whatever the message.
//!
//! Failure: a directory with any fault in it gives no rules, and all faults at once.

mod action;
mod captures;
mod condition;
mod edit;
mod error;
mod example;
mod fields;
mod file;
mod matcher;
mod pattern;
mod reader;
mod rule;
mod when;

use std::io;
use std::path::{Path, PathBuf};

use crate::message::header::HeaderBlock;
use crate::verdict::Hit;

pub use error::RuleErrors;

use condition::Test;
use file::{Names, RuleFile};
use matcher::Matcher;
use rule::Rule;

/// More files are nobody's rules.
const FILES_MAX: usize = 1000;

/// All rules, ready to be applied.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    matcher: Matcher,
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
        Self::read(dir, RuleFile::test)
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
        Self::read(dir, |_| ())
    }

    fn read(dir: &Path, test: impl Fn(&mut RuleFile)) -> Result<Self, RuleErrors> {
        let mut names = Names::default();
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for path in files(dir)? {
            let read = RuleFile::read(&path, &mut names).and_then(|mut file| {
                test(&mut file);
                file.into_rules()
            });
            match read {
                Ok(more) => rules.extend(more),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(RuleErrors::Files(errors));
        }
        let matcher = Matcher::new(&mut rules)?;
        Ok(Self { rules, matcher })
    }

    /// Whether any rule reads the body; if none does, none need be kept.
    pub fn wants_body(&self) -> bool {
        self.matcher.wants_body()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that match, in the order of files and rules. `body` is what was kept of the body,
    /// from its beginning.
    pub fn evaluate(&self, header: &HeaderBlock, body: &[u8]) -> Vec<Hit> {
        if self.is_empty() {
            return Vec::new();
        }
        let matched = self.matcher.matched(header, body);
        let matched = |test: &Test| matched.contains(test);
        let is_hit = |rule: &&Rule| rule.when.holds(&matched);
        let mut hits = Vec::new();
        for rule in self.rules.iter().filter(is_hit) {
            hits.push(rule.hit(header, body, &matched));
            if rule.deed.ends() {
                break;
            }
        }
        hits
    }

    /// What is allowed in rules and still deserves a word, each as `path:line:col: message`.
    pub fn warnings(&self) -> Vec<String> {
        self.rules.iter().flat_map(Rule::warnings).collect()
    }

    /// Runs all examples, rule by rule.
    pub fn test(&self) -> impl Iterator<Item = Tested<'_>> {
        self.rules.iter().map(|rule| Tested {
            rule: &rule.name,
            examples: rule.examples.len(),
            failures: rule.failures().map(|failure| rule.origin.report(failure)).collect(),
        })
    }
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
