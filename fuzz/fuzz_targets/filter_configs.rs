//! The configurations of the filters that mailseal replaces: what is made of them are keys and their
//! values, and what is said of them are lines for a terminal. The texts of opendkim.conf, opendmarc.conf
//! and clamav-milter.conf stand between octets of 1.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mailseal::import::{Draft, Source, read};

const SOURCES: [(Source, &str); 3] = [
    (Source::OpenDkim, "opendkim.conf"),
    (Source::OpenDmarc, "opendmarc.conf"),
    (Source::ClamavMilter, "clamav-milter.conf"),
];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut draft = Draft::default();
    for ((source, name), text) in SOURCES.into_iter().zip(text.split('\x01')) {
        // No path in a text leads to a file.
        read(&mut draft, source, Path::new(name), &text.replace('/', "./no-such-directory"));
    }
    let (draft, text, loaded) = draft.finish();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
        let key = line.split_once(" = ").map(|(key, _)| key);
        assert!(key.is_some_and(is_key), "{line:?}");
    }
    let said = loaded.err().map(|errors| errors.to_string()).unwrap_or_default();
    for line in draft.changes().iter().chain(&draft.refused).map(String::as_str).chain(said.lines())
    {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
});

fn is_key(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_')
}
