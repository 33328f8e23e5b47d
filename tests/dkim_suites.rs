//! DKIM verification on other projects' cases and on real mail.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;
#[allow(unreachable_pub, reason = "it is shared")]
#[path = "support/suites.rs"]
mod suites;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mailseal::dkim::verify::KeyLookup;
use message::{Message, Zone, crlf, words};
use suites::{report, suite};

/// Any time before the signatures' `x=` and after their `t=`.
const CHASQUID_NOW: u64 = 1_710_000_000;

fn message_of(path: &Path) -> Message {
    let text = fs::read_to_string(path).unwrap();
    // A symbolic link, where these could not be kept, is a file with the other's name.
    if !text.contains('\n') {
        return message_of(&path.with_file_name(text));
    }
    Message::parse(&crlf(&text))
}

/// Lines `name: txt`, of which `\` continues one; `TEMPERROR` and the like stand for outcomes.
fn chasquid_zone(text: &str) -> Zone {
    let mut zone = Zone::new();
    for line in text.replace("\\\n", "").lines().filter(|line| !line.trim().is_empty()) {
        let (name, record) = line.split_once(':').unwrap();
        let lookup = zone.entry(name.trim().to_owned()).or_insert(KeyLookup::NotFound);
        match (record.trim(), &mut *lookup) {
            ("TEMPERROR", _) => *lookup = KeyLookup::Temporary("no answer".into()),
            ("PERMERROR" | "NOTFOUND", _) => {}
            (record, KeyLookup::Found(records)) => records.push(record.as_bytes().to_vec()),
            (record, _) => *lookup = KeyLookup::Found(vec![record.as_bytes().to_vec()]),
        }
    }
    zone
}

/// The states of a `.result` file, in our words' classes.
fn chasquid_states(text: &str) -> Vec<String> {
    let result: serde_json::Value = serde_json::from_str(text).unwrap();
    let results = result["Results"].as_array().unwrap();
    results.iter().map(|result| result["State"].as_str().unwrap().to_owned()).collect()
}

fn state(word: &str) -> &'static str {
    match word {
        "pass" => "SUCCESS",
        "temperror" => "TEMPFAIL",
        _ => "PERMFAIL",
    }
}

#[test]
fn chasquid() {
    let Some(dir) = suite("dkim-chasquid") else { return };
    let mut paths: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "msg"));
    paths.sort();
    assert_eq!(paths.len(), 11);
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let read = |extension| fs::read_to_string(path.with_extension(extension));
        let zone = chasquid_zone(&read("dns").unwrap_or_default());
        let verifications = message_of(&path).verify(&zone, CHASQUID_NOW);
        let states: Vec<_> = words(&verifications).into_iter().map(state).collect();
        let expected = match name {
            // That five signatures are enough is chasquid's limit; ours is ten.
            "02-too_many_headers" => vec!["SUCCESS".to_owned(); 7],
            // The header block itself is broken: not for a verifier to mend, and nothing passes.
            "03-bad_message" => {
                assert!(!states.contains(&"SUCCESS"), "{name}");
                continue;
            }
            _ => chasquid_states(&read("result").unwrap()),
        };
        assert_eq!(states, expected, "{name}: {verifications:?}");
    }
    report("chasquid, DKIM", 11, 11);
}

/// Real mail: its key verifies it until it is tampered with.
#[test]
fn icloud() {
    let Some(dir) = suite("real-icloud") else { return };
    let zone = icloud_zone(&dir);
    let expected = fs::read_to_string(dir.join("expected.json")).unwrap();
    let names: BTreeMap<String, String> = serde_json::from_str(&expected).unwrap();
    assert_eq!(names.len(), 8);
    for (name, expected) in names {
        let message = message_of(&dir.join(format!("{name}.eml")));
        let verifications = message.verify(&zone, 1_780_000_000);
        let result = match name.as_str() {
            "email-good" | "email-good-large" | "email-different-domain" => vec!["pass"],
            "email-bodyless" | "email-body-tampered" | "email-invalid-domain" => vec!["fail"],
            "email-invalid-selector" => vec!["permerror"],
            "multi-dkim-sig" => vec!["fail", "fail"],
            _ => panic!("{name}: an unknown case, expected to be {expected}"),
        };
        assert_eq!(words(&verifications), result, "{name}: {verifications:?}");
    }
    report("iCloud's mail, DKIM", 8, 8);
}

fn icloud_zone(dir: &Path) -> Zone {
    type Records = BTreeMap<String, BTreeMap<String, Vec<String>>>;
    let text = fs::read_to_string(dir.join("dns.json")).unwrap();
    let records: Records = serde_json::from_str(&text).unwrap();
    let lookup = |types: BTreeMap<String, Vec<String>>| {
        KeyLookup::Found(types["TXT"].iter().map(|txt| txt.clone().into_bytes()).collect())
    };
    records.into_iter().map(|(name, types)| (name, lookup(types))).collect()
}

/// Lines `name txt`, an empty line, the message.
#[test]
fn mail_auth_resources() {
    let Some(dir) = suite("mail-auth-resources") else { return };
    for number in 1..=6 {
        let text = fs::read(dir.join(format!("dkim/{number:03}.txt"))).unwrap();
        let text = String::from_utf8(text).unwrap().replace("\r\n", "\n");
        let (records, message) = text.split_once("\n\n").unwrap();
        let record = |line: &str| {
            let (name, record) = line.split_once(' ').unwrap();
            (name.to_owned(), KeyLookup::Found(vec![record.as_bytes().to_vec()]))
        };
        let zone = records.lines().map(record).collect();
        let verifications = Message::parse(&crlf(message)).verify(&zone, 1_667_900_000);
        assert!(!verifications.is_empty());
        assert!(
            words(&verifications).iter().all(|word| *word == "pass"),
            "{number}: {verifications:?}"
        );
    }
    report("mail-auth, DKIM", 6, 6);
}
