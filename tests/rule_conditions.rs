//! Every condition that rules can have holds where `rules/README.md` says so, and nowhere else: a rule
//! for each in `tests/data/conditions`, proved by its own examples.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use mailseal::rules::RuleSet;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/conditions")
}

#[test]
fn every_condition_holds_and_fails_to_hold() {
    let rules = RuleSet::load_untested(&dir()).unwrap();
    let failures: Vec<String> = rules.test().flat_map(|rule| rule.failures).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(rules.len(), 98);
}

/// The words of a table's first column in the section, `{ word = ..` or `word = ..`.
fn words(section: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let forms = cells.flat_map(|cell| cell.split(" = ").map(str::to_owned).collect::<Vec<_>>());
    let word = |form: String| {
        let start = form.trim_end().rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
        form[start..].trim().to_owned()
    };
    forms.map(word).filter(|word| word.len() > 1).collect()
}

/// A condition that is documented and left out here would be one that nothing proves.
#[test]
fn no_documented_condition_is_left_out() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, conditions) = readme.split_once("\n## Conditions\n").unwrap();
    let (conditions, _) = conditions.split_once("\n### Lists\n").unwrap();
    let rules = fs::read_to_string(dir().join("all.toml")).unwrap();
    let words = words(conditions);
    assert!(words.len() > 40, "{words:?}");
    let is_left_out = |word: &&String| {
        !rules.contains(&format!("{word} =")) && !rules.contains(&format!("{word}.in_list ="))
    };
    let left_out: Vec<_> = words.iter().filter(is_left_out).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}
