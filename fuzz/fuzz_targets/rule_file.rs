//! A rule file: read with its examples, and applied to a message where it holds.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mailseal::message::header::HeaderBlock;
use mailseal::rules::{Facts, RuleSet};
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

fuzz_target!(|data: &[u8]| {
    fs::write(DIR.path().join("a.toml"), data).expect("a file");
    match RuleSet::load(DIR.path()) {
        Ok(rules) => {
            let mut headers = HeaderBlock::default();
            headers.push(b"From", b" a@example.org");
            headers.push(b"Subject", b" cheap \xff watches\r\n\tagain");
            rules.evaluate(&Facts::of(&headers, b"Hello.\r\nhttp://example.net/\r\n"));
            assert!(rules.test().all(|tested| tested.failures.is_empty()));
        }
        Err(errors) => {
            let shown = errors.to_string();
            let is_safe = |c: char| c == '\n' || !c.is_control();
            assert!(!shown.is_empty() && shown.chars().all(is_safe), "{shown:?}");
        }
    }
});
