//! One rule on the folded view finds a word however it is disguised, and finds it nowhere else: the
//! tables of `tests/data/obfuscations`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use mailseal::message::header::HeaderBlock;
use mailseal::rules::{Facts, RuleSet};

const RULE: &str = r#"
[[rule]]
name = "the-word"
about = "One word."
when = { any = [
  { header = "Subject", matches = '\bviagra\b', view = "folded" },
  { body = '\bviagra\b', view = "folded" },
] }
examples.hit = ["Subject: viagra"]
examples.miss = ["Subject: via Graz"]
"#;

/// The messages that a line of a table stands for.
fn messages(line: &str) -> Vec<String> {
    let (kind, text) = line.split_once(": ").unwrap();
    let text = unescaped(text);
    let plain = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    let html = "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n";
    match kind {
        "text" => vec![format!("Subject: {text}\r\n\r\n"), format!("{plain}{text}\r\n")],
        "html" => vec![format!("{html}{text}\r\n")],
        "subject" => vec![format!("Subject: {text}\r\n\r\n")],
        "mail" => vec![text],
        other => panic!("no kind of line: {other}"),
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        rest = if let Some((code, after)) =
            escape.strip_prefix("u{").and_then(|code| code.split_once('}'))
        {
            plain.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            after
        } else {
            plain.push(match &escape[..1] {
                "r" => '\r',
                "n" => '\n',
                "t" => '\t',
                "\\" => '\\',
                other => panic!("no escape: {other}"),
            });
            &escape[1..]
        };
    }
    plain + rest
}

fn table(name: &str) -> Vec<String> {
    let path = format!("{}/tests/data/obfuscations/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The lines of a table of which some message comes out other than wanted.
fn wrong(lines: &[String], is_hit: bool) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.toml"), RULE).unwrap();
    let rules = RuleSet::load(dir.path()).unwrap();
    let hits = |message: &str| {
        let (fields, body) = message.split_once("\r\n\r\n").unwrap();
        let mut header = HeaderBlock::default();
        for field in fields.replace("\r\n ", "\0").split("\r\n") {
            let (name, value) = field.split_once(':').unwrap();
            header.push(name.as_bytes(), value.replace('\0', "\r\n ").as_bytes());
        }
        !rules.evaluate(&Facts::of(&header, body.as_bytes())).is_empty()
    };
    let is_wrong = |line: &&String| messages(line).iter().any(|message| hits(message) != is_hit);
    lines.iter().filter(is_wrong).cloned().collect()
}

#[test]
fn every_disguise_is_seen_through() {
    let lines = table("hits");
    let missed = wrong(&lines, true);
    assert!(
        missed.is_empty(),
        "{} of {} missed:\n{}",
        missed.len(),
        lines.len(),
        missed.join("\n")
    );
    assert!(lines.len() >= 60, "{}", lines.len());
}

#[test]
fn no_innocent_look_alike_is_taken_for_it() {
    let lines = table("misses");
    let taken = wrong(&lines, false);
    assert!(taken.is_empty(), "{} of {} taken:\n{}", taken.len(), lines.len(), taken.join("\n"));
    assert!(lines.len() >= 60, "{}", lines.len());
}
