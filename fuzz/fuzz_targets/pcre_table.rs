//! Postfix's tables: what is made of one loads as rules, and what is said of it are lines.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mailseal::message::header::HeaderBlock;
use mailseal::rules::import::table::Dialect;
use mailseal::rules::import::{Kind, Source, import};
use mailseal::rules::{Facts, RuleSet};
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

fuzz_target!(|data: &[u8]| {
    for dialect in [Dialect::Pcre, Dialect::Regexp] {
        let kinds = [Kind::Header, Kind::Mime, Kind::Body];
        let source = Source { file: "checks", dialect, kinds: &kinds, text: data };
        let imported = import(&[source]);
        fs::write(DIR.path().join("a.toml"), &imported.text).expect("a file");
        let rules = RuleSet::load(DIR.path()).expect("what is written can be loaded");
        assert_eq!(rules.len(), imported.rules);
        for line in imported.notes.iter().chain(&imported.skipped).chain(&imported.lost) {
            assert!(line.starts_with("checks:"), "{line:?}");
        }
        let mut headers = HeaderBlock::default();
        headers.push(b"Subject", b" aa \xff\r\n\tbb");
        rules.evaluate(&Facts::of(&headers, b"Hello.\r\n\r\n--x\r\n"));
    }
});
