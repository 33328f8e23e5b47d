//! `mailseal serve` as an operator sees it: its log, its signals, its limits.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use support::daemon::Daemon;
use support::milter::{Mail, Mta};
use support::process::PATIENCE;

/// Nothing of this machine's: no resolver answers, no rules, no keys.
const OFFLINE: &str = "[identity]\nauthserv_id = \"mx.example.org\"\n\
                       [dns]\nservers = [\"127.0.0.1:1\"]\ntimeout_secs = 1\n";

/// Waits until the condition gives a value.
fn eventually<T>(daemon: &Daemon, what: &str, condition: impl Fn(&str) -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let log = daemon.log();
        match condition(&log) {
            Some(value) => return value,
            None => assert!(Instant::now() < give_up, "no {what} in: {log}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_message_leaves_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], OFFLINE);
    let mail = Mail {
        helo: "evil\r\nERROR forged line",
        macros: vec![(b'M', "i", "QUEUE;\"(ID")],
        ..Mail::default()
    };
    Mta::connect(daemon.addr).unwrap().deliver(&mail).unwrap();
    let line = eventually(&daemon, "line of the message", |log| {
        log.lines().find(|line| line.contains("queue_id=")).map(str::to_owned)
    });
    for word in [
        "queue_id=QUEUE???ID",
        "origin=inbound",
        "role=verify",
        "iprev=pass",
        "spf=none(evil??error forged line),temperror(example.net)",
        "dmarc=temperror",
        "disposition=accept",
        "client 192.0.2.1 is neither authenticated nor trusted",
    ] {
        assert!(line.contains(word), "{line}\nlacks {word}");
    }
    assert!(!daemon.log().lines().any(|line| line.to_lowercase().starts_with("error")));
}

/// In words for people and in one word for counters; and what can't be signed is told at start.
#[test]
fn a_message_that_is_not_signed_has_its_reason_in_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let map = "[[sign.map]]\nfrom = \"example.org\"\ndomain = \"mail.example.org\"\n";
    let daemon = Daemon::start(dir.path(), "serve", &[], &format!("{OFFLINE}{map}"));
    let mail = Mail {
        macros: vec![(b'M', "{auth_authen}", "joe"), (b'M', "i", "ID")],
        headers: vec![(b"From".to_vec(), b" joe@example.org".to_vec())],
        ..Mail::default()
    };
    Mta::connect(daemon.addr).unwrap().deliver(&mail).unwrap();
    let line = eventually(&daemon, "line of the message", |log| {
        log.lines().find(|line| line.contains("queue_id=")).map(str::to_owned)
    });
    let reason = "not signed: no active key for mail.example.org, which is to sign for example.org";
    assert!(line.contains(" not_signed=no-mapped-key ") && line.contains(reason), "{line}");
    let at_start = "mail that mail.example.org is to sign by sign.map is not signed";
    assert!(daemon.log().contains(at_start), "{}", daemon.log());
}

#[test]
fn an_abnormal_end_leaves_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], OFFLINE);
    TcpStream::connect(daemon.addr).unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut mta = Mta::connect(daemon.addr).unwrap();
    mta.session(&Mail::default()).unwrap();
    mta.event(b'M', b"<joe@example.net>\0").unwrap();
    drop(mta);
    for fault in ["a frame of 1195725856 octets", "the connection ended after command 'M'"] {
        eventually(&daemon, fault, |log| {
            log.contains(&format!("ended abnormally: {fault}")).then_some(())
        });
    }
    assert_eq!(
        Mta::connect(daemon.addr).unwrap().deliver(&Mail::default()).unwrap().disposition,
        "accept"
    );
}
