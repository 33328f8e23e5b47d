//! `mailseal check --replay`: two configurations over stored mail, what differs, and the exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// What delivery put on top names a recipient, which is no loop; the second message has one.
const MESSAGES: [&str; 2] = [
    "Return-Path: <joe@example.net>\nDelivered-To: ann@example.org\n\
     Received: from h.example (mx.example [192.0.2.7]) by mx\nFrom: joe@example.net\n\nHello\n",
    "Return-Path: <joe@example.net>\nDelivered-To: ann@example.org\n\
     Received: from h.example (mx.example [192.0.2.7]) by mx\n\
     Delivered-To: ann@example.org\nFrom: joe@example.net\n\nHello\n",
];

fn replay(dir: &Path, store: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mailseal"))
        .args(["check", "--no-dns", "--config", "tagging.toml", "--replay", store])
        .args(more)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn told(output: &Output) -> (String, Option<i32>) {
    (String::from_utf8(output.stdout.clone()).unwrap(), output.status.code())
}

fn stored() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let identity = "[identity]\nauthserv_id = \"mx.example.org\"\n";
    write("tagging.toml", identity);
    write("strict.toml", &format!("{identity}[backscatter]\ndelivered_to = \"reject\"\n"));
    write("broken.toml", "[backscatter]\ndelivered_to = \"never\"\n");
    write("mail/1.eml", MESSAGES[0]);
    write("mail/box/cur/2:2,S", MESSAGES[1]);
    let mbox = MESSAGES.map(|message| format!("From joe Mon\n{message}\n"));
    write("mbox", &mbox.concat());
    dir
}

#[test]
fn two_configurations_differ_where_they_do() {
    let dir = stored();
    let (text, code) = told(&replay(dir.path(), "mail", &["--against", "strict.toml"]));
    assert_eq!(
        text,
        "mail/box/cur/2:2,S  accept -> reject  tags -delivery-loop\n\
         disposition accept         2        1  *\n\
         disposition reject         0        1  *\n\
         tag delivery-loop          1        0  *\n\
         2 messages, 1 treated differently, 0 not read\n"
    );
    assert_eq!(code, Some(1));
    let (text, code) = told(&replay(dir.path(), "mail", &["--against", "tagging.toml"]));
    assert!(text.ends_with("2 messages, 0 treated differently, 0 not read\n"), "{text}");
    assert_eq!(code, Some(0));
}

#[test]
fn an_mbox_is_a_store_and_json_is_a_line_an_object() {
    let dir = stored();
    let (text, code) = told(&replay(dir.path(), "mbox", &["--against", "strict.toml", "--json"]));
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["message"], "mbox:2");
    assert_eq!(objects[0]["after"]["disposition"], "reject");
    assert_eq!((&objects[1]["messages"], &objects[1]["differing"]), (&2.into(), &1.into()));
    assert_eq!((objects.len(), code), (2, Some(1)));
}

#[test]
fn one_configuration_is_counted_and_options_hold_for_all() {
    let dir = stored();
    let (text, code) = told(&replay(dir.path(), "mail", &["--rcpt", "bob@example.org"]));
    assert_eq!(text, "disposition accept         2\n2 messages, 0 not read\n");
    assert_eq!(code, Some(0));
}

#[test]
fn what_cannot_be_read_does_not_end_the_run() {
    let dir = stored();
    std::os::unix::fs::symlink("nothing", dir.path().join("mail/0.eml")).unwrap();
    let output = replay(dir.path(), "mail", &[]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("mail/0.eml: "), "{complaint}");
    let (text, code) = told(&output);
    assert!(text.ends_with("2 messages, 1 not read\n"), "{text}");
    assert_eq!(code, Some(0));
    assert_eq!(replay(dir.path(), "missing", &[]).status.code(), Some(3));
    for usage in [&["--against", "broken.toml"][..], &["--against", "none.toml"], &["x.eml"]] {
        assert_eq!(replay(dir.path(), "mail", usage).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn what_was_not_compared_is_not_in_the_counts() {
    let dir = stored();
    let counts = |more: &[&str]| {
        let (text, _) = told(&replay(dir.path(), "mail", &[&["--json"], more].concat()));
        serde_json::from_str::<serde_json::Value>(text.lines().last().unwrap()).unwrap()
    };
    let one = counts(&[]);
    assert_eq!(one["counts"]["disposition accept"], serde_json::json!({ "before": 2 }));
    assert!(one.get("differing").is_none(), "{one}");
    let two = counts(&["--against", "strict.toml"]);
    let reject = serde_json::json!({ "before": 0, "after": 1 });
    assert_eq!((&two["counts"]["disposition reject"], &two["differing"]), (&reject, &1.into()));
    let gone = serde_json::json!({ "before": 1, "after": 0 });
    assert_eq!(two["counts"]["tag delivery-loop"], gone);
}

/// A directory that is the wrong one is not taken for mail that nothing is different about.
#[test]
fn a_store_without_a_message_is_an_error() {
    let dir = stored();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::write(dir.path().join("empty/notes.txt"), MESSAGES[0]).unwrap();
    fs::write(dir.path().join("empty.mbox"), "").unwrap();
    for (store, said) in [
        ("empty", "empty: there is no message in it; name an mbox"),
        ("empty.mbox", "empty.mbox: there is no message in it"),
        ("tagging.toml", "tagging.toml: no message of it can be read, and 1 cannot"),
    ] {
        let output = replay(dir.path(), store, &["--against", "strict.toml"]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains(said), "{store}: {complaint}");
        assert_eq!(told(&output), (String::new(), Some(3)), "{store}");
    }
}

#[test]
fn one_message_is_a_store_of_one() {
    let dir = stored();
    let (text, code) = told(&replay(dir.path(), "mail/1.eml", &[]));
    assert!(text.ends_with("1 messages, 0 not read\n"), "{text}");
    assert_eq!(code, Some(0));
}

#[test]
fn options_of_replay_are_refused_without_it() {
    let dir = stored();
    for option in [&["--no-dns"][..], &["--against", "strict.toml"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        command.args(["check", "mail/1.eml"]).args(option).current_dir(dir.path());
        assert_eq!(command.output().unwrap().status.code(), Some(2), "{option:?}");
    }
}
