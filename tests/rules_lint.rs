//! `mailseal rules lint`: each kind of finding, at its place, and none where nothing is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use mailseal::message::header::HeaderBlock;
use mailseal::rules::RuleSet;
use mailseal::rules::lint::Ham;

const EXAMPLES: &str = "examples = { hit = ['Subject: cheap'], miss = ['X: y'] }\n";

/// The findings of a file `a.toml`, its path left out.
fn findings(text: &str, ham: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.toml"), text).unwrap();
    let rules = RuleSet::load(dir.path()).unwrap_or_else(|error| panic!("{error}"));
    let ham = ham.iter().enumerate().map(|(number, subject)| {
        let mut headers = HeaderBlock::default();
        headers.push(b"Subject", subject.as_bytes());
        Ham { name: format!("{number}.eml"), headers, body: b"plain\r\n".to_vec() }
    });
    let root = format!("{}/", dir.path().display());
    rules.lint(ham).iter().map(|line| line.replace(&root, "")).collect()
}

fn rule(name: &str, more: &str) -> String {
    format!("[[rule]]\nname = '{name}'\nabout = 'x'\n{more}\n")
}

fn subject_rule(name: &str, more: &str) -> String {
    rule(name, &format!("when = {{ header = 'Subject', matches = 'cheap' }}\n{more}\n{EXAMPLES}"))
}

/// A rule of a table.
fn line_rule(name: &str, kind: &str, pattern: &str) -> String {
    let when = format!("table = 't'\nlines = ['{kind}']\nwhen = {{ line = '{pattern}' }}");
    rule(name, &format!("{when}\naction = 'none'\nuntested = 'x'"))
}

#[test]
fn nothing_is_said_where_nothing_is_wrong() {
    assert_eq!(findings(&subject_rule("one", ""), &["hello"]), [] as [&str; 0]);
}

#[test]
fn rules_behind_an_unconditional_accept_are_not_reached() {
    let when = r"when = { not = { header = 'Subject', matches = '[^\x00-\xff]' } }";
    let all = rule("all", &format!("{when}\naction = 'accept'\nuntested = 'all mail'"));
    assert_eq!(
        findings(&(all + &subject_rule("behind", "")), &[]),
        [
            "a.toml:1:1: rule \"all\" has no examples (add examples.hit and examples.miss)",
            "a.toml:7:1: rule \"behind\" is never reached (rule \"all\" in a.toml lets nothing past)",
        ]
    );
}

#[test]
fn a_table_that_takes_every_line_hides_the_rest_of_itself() {
    let text = line_rule("all", "header", "(?s).")
        + &line_rule("hidden", "header", "b")
        + &line_rule("other", "body", "^b");
    let found = findings(&text, &[]);
    let unreachable: Vec<_> = found.iter().filter(|line| line.contains("never reached")).collect();
    assert_eq!(unreachable.len(), 1, "{found:?}");
    assert!(unreachable[0].contains("\"hidden\""));
}

#[test]
fn a_repeated_condition_is_told_with_the_first_rule() {
    let part = |pattern: &str| format!("{{ header = 'Subject', matches = '{pattern}' }}");
    let any = |first: &str, second: &str| {
        format!("when = {{ any = [{}, {}] }}\n{EXAMPLES}", part(first), part(second))
    };
    let text = rule("one", &any("cheap", "pills")) + &rule("two", &any("pills", "cheap"));
    assert_eq!(
        findings(&text, &[]),
        ["a.toml:7:1: rule \"two\" has the condition of \"one\" (join the two, or remove one)"]
    );
}

#[test]
fn what_excludes_itself_never_matches() {
    let part = "{ header = 'Subject', matches = 'x' }";
    let both = format!("when = {{ all = [{part}, {{ not = {part} }}] }}\nuntested = 'x'");
    let found = findings(&rule("never", &both), &[]);
    assert!(found[0].contains("can never match"), "{found:?}");
}

#[test]
fn what_matches_good_mail_is_too_broad() {
    let logs = subject_rule("logs", "action = 'none'").replace("'cheap' }", "'chea' }");
    assert_eq!(
        findings(&(subject_rule("broad", "") + &logs), &["a cheap flight", "hello", "cheaper"]),
        ["a.toml:1:1: rule \"broad\" matches 2 of 3 good messages (such as 0.eml)"]
    );
}

#[test]
fn costly_patterns_are_told() {
    for (pattern, said) in [
        (".*viagra", "begins with .*"),
        ("cheap.{0,120}pills", "more than 100 repetitions"),
        ("[0-9]{16}", "without a word"),
    ] {
        let text = rule("costly", &format!("when = {{ body = '{pattern}' }}\nuntested = 'x'"));
        let found = findings(&text, &[]);
        assert!(found.iter().any(|line| line.contains(said)), "{pattern}: {found:?}");
    }
    let fancy = line_rule("fancy", "header", "a(?!b)").replace(" }\n", ", fancy = true }\n");
    assert!(findings(&fancy, &[]).iter().any(|line| line.contains("backtracks")));
}

#[test]
fn the_shipped_rules_are_clean() {
    let rules = RuleSet::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap();
    assert_eq!(rules.lint([]), [] as [&str; 0]);
}
