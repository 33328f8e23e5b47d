//! Postfix's `header_checks` and `body_checks` made into rules.
//!
//! `table` reads a table as Postfix does; `pcre` and `posix` put its patterns into the syntax of rules,
//! with `pattern` for what they share; `action` says what an entry does; `draft` is the rule to be;
//! `sample` and `example` make examples that prove it.
//!
//! An imported rule is asked line by line, as a table is, and belongs to the table `postfix`: of its
//! rules the first that holds for a line has it. An entry whose action no rule can do stays as a rule
//! that does nothing, since it keeps its lines from the entries below.
//!
//! Failure: what cannot be taken over is named with its line and the reason; nothing is guessed.

mod action;
mod draft;
mod example;
mod pattern;
mod pcre;
mod posix;
mod quote;
mod sample;
pub mod table;

use std::collections::HashSet;

pub use super::lines::Kind;

use super::table::Table as LineTable;
use draft::{Draft, Place, Undrafted};
use table::{Dialect, Table};

/// A table to be imported.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name of its file, without its directories.
    pub file: &'a str,
    /// How its patterns are written.
    pub dialect: Dialect,
    /// Which lines Postfix asks it about.
    pub kinds: &'a [Kind],
    /// What it says.
    pub text: &'a [u8],
}

/// What came of some tables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Imported {
    /// A rule file.
    pub text: String,
    /// How many rules it has.
    pub rules: usize,
    /// What is different or should be known, as `file:line: text`: lines for a terminal, as all below.
    pub notes: Vec<String>,
    /// What Postfix skips, too.
    pub skipped: Vec<String>,
    /// What no rule can do.
    pub lost: Vec<String>,
}

/// Makes rules of tables.
pub fn import(sources: &[Source<'_>]) -> Imported {
    let mut imported = Imported::default();
    let mut prefixes = HashSet::new();
    let mut drafts: Vec<(&str, Draft)> = Vec::new();
    for source in sources {
        let prefix = prefix(source.file, &mut prefixes);
        let place = Place {
            file: source.file,
            prefix: &prefix,
            kinds: source.kinds,
            dialect: source.dialect,
        };
        let table = Table::read(source.text, source.dialect);
        let says = |line: usize, text: &str| plain(&format!("{}:{line}: {text}", source.file));
        imported.skipped.extend(table.skipped.iter().map(|note| says(note.line, &note.text)));
        for entry in &table.entries {
            match Draft::of(entry, &place) {
                Ok(draft) => drafts.push((source.file, draft)),
                Err(Undrafted::Skipped(why)) => imported.skipped.push(says(entry.line, &why)),
                Err(Undrafted::Lost(why)) => {
                    let why = format!("{why}; its lines go to the entries below");
                    imported.lost.push(says(entry.line, &why));
                }
            }
        }
    }
    imported.write(&drafts);
    imported
}

impl Imported {
    fn write(&mut self, drafts: &[(&str, Draft)]) {
        let rules = drafts.iter().map(|(_, draft)| draft.rule.clone()).collect();
        // Patterns that are too large together have no examples; loading the rules says the rest.
        let table = LineTable::new(rules).unwrap_or_default();
        let files: Vec<&str> = drafts.iter().map(|(file, _)| *file).collect();
        self.text = format!(
            "# Imported from Postfix's {}: each line of a message goes to the first rule here\n\
             # that holds for it.\n",
            plain(&listed(&files))
        );
        self.rules = drafts.len();
        for (number, (file, draft)) in drafts.iter().enumerate() {
            let (hit, miss) = example::examples(draft, number, &table);
            self.text.push_str(&draft.to_text(hit.as_deref(), miss.as_deref()));
            let says = |text: &str| plain(&format!("{file}:{}: {text}", draft.line));
            if hit.is_none() || miss.is_none() {
                self.notes.push(says(&format!("no example for rule {}: give it some", draft.name)));
            }
            let (lost, notes) = (&mut self.lost, &mut self.notes);
            let said = if draft.deed.is_lost { lost } else { notes };
            said.extend(draft.notes.iter().map(|note| says(note)));
        }
    }
}

/// The names without repetitions.
fn listed(files: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for file in files {
        if !names.contains(file) {
            names.push(file);
        }
    }
    names.join(", ")
}

/// What a table says, or is called, may hold anything: as a line that moves no cursor.
fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '?',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// What the names of a file's rules begin with: its own name as rules have names.
fn prefix(file: &str, taken: &mut HashSet<String>) -> String {
    let words: Vec<String> = file
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut name: String = words.join("-").chars().take(40).collect();
    name = name.trim_end_matches('-').to_owned();
    if name.is_empty() {
        "table".clone_into(&mut name);
    }
    let mut numbered = name.clone();
    for number in 2.. {
        if taken.insert(numbered.clone()) {
            break;
        }
        numbered = format!("{name}-{number}");
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_table_is_lines() {
        let text = b"/a/ \x07WRONG\x1b[2J x\n/b/\x1b OK\n/c/ OK\t\x00\n";
        let kinds = [Kind::Header];
        let source = Source { file: "a\nb", dialect: Dialect::Pcre, kinds: &kinds, text };
        let Imported { text, rules, skipped, lost, .. } = import(&[source]);
        assert_eq!(lost, ["a?b:1: ?WRONG?[2J is no action, and does nothing in Postfix either"]);
        assert_eq!((rules, skipped.len()), (2, 1));
        assert!(text.starts_with("# Imported from Postfix's a?b: "), "{text}");
        assert!(text.contains("about = 'a?b:3: OK ?'"), "{text}");
    }
}
