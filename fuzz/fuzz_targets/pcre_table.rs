//! Postfix's tables: what is made of one loads as rules, in which no text ends a line, and what is said
//! of it are lines for a terminal.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mailseal::message::header::HeaderBlock;
use mailseal::rules::import::table::Dialect;
use mailseal::rules::import::{Imported, Kind, Source, import};
use mailseal::rules::{Facts, RuleSet};
use mailseal::verdict::{Effect, Hit};
use tempfile::TempDir;
use toml::{Table, Value};

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

fuzz_target!(|data: &[u8]| {
    for dialect in [Dialect::Pcre, Dialect::Regexp] {
        let kinds = [Kind::Header, Kind::Mime, Kind::Body];
        let source = Source { file: "checks", dialect, kinds: &kinds, text: data };
        let imported = import(&[source]);
        assert_sound(&imported);
        fs::write(DIR.path().join("a.toml"), &imported.text).expect("a file");
        let rules = RuleSet::load(DIR.path()).expect("what is written can be loaded");
        assert_eq!(rules.len(), imported.rules);
        let mut headers = HeaderBlock::default();
        headers.push(b"Subject", b" aa \xff\r\n\tbb");
        rules.evaluate(&Facts::of(&headers, b"Hello.\r\n\r\n--x\r\n")).iter().for_each(assert_line);
    }
});

fn assert_sound(imported: &Imported) {
    for line in imported.notes.iter().chain(&imported.skipped).chain(&imported.lost) {
        assert!(line.starts_with("checks:"), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let text = &imported.text;
    assert!(!text.contains(|c: char| c.is_control() && !"\n\t".contains(c)), "{text:?}");
    let table: Table = toml::from_str(text).expect("what is written is TOML");
    let Some(rules) = table.get("rule") else { return };
    for rule in rules.as_array().expect("rules are tables") {
        for (key, value) in rule.as_table().expect("a rule is a table") {
            // A pattern may look for anything, and an example is a message.
            assert!(["when", "examples"].contains(&key.as_str()) || is_line(value), "{value:?}");
        }
    }
}

/// Whether no text in it has a control character.
fn is_line(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(char::is_control),
        Value::Array(values) => values.iter().all(is_line),
        Value::Table(table) => table.values().all(is_line),
        _ => true,
    }
}

/// What a rule writes with what it found is a line, too.
fn assert_line(hit: &Hit) {
    for effect in &hit.effects {
        if let Effect::Prepend { value, .. } | Effect::ReplaceHeader { value, .. } = effect {
            assert!(!value.contains(char::is_control), "{value:?}");
        }
    }
    assert!(!hit.reply.iter().any(|reply| reply.contains(char::is_control)), "{hit:?}");
}
