//! What the machine does to a daemon that serves: its disk fills, its clock jumps. It serves on, and mends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use crate::Test;
use crate::mailroom::Mailroom;
use crate::support::daemon::{Daemon, MAILSEAL};
use crate::support::milter::{Edit, Mail, Mta};
use crate::support::process::{PATIENCE, run};

pub(crate) const TESTS: &[Test] = &[
    ("faults::a_full_disk_stops_changes_and_no_mail", a_full_disk_stops_changes_and_no_mail),
    ("faults::a_clock_that_jumps_stops_no_mail", a_clock_that_jumps_stops_no_mail),
];

const YEAR_SECS: u64 = 31_536_000;

const OFFLINE: &str = "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"127.0.0.1:1\"]\n\
                       timeout_secs = 1\n";

/// The signature of a message of ours.
fn signature(daemon: &Daemon) -> Option<String> {
    let headers = vec![(b"From".to_vec(), b" joe@example.org".to_vec())];
    let ours = Mail { client_addr: "127.0.0.1", headers, ..Mail::default() };
    let outcome = Mta::connect(daemon.addr).unwrap().deliver(&ours).unwrap();
    assert_eq!(outcome.disposition, "accept");
    outcome.edits.into_iter().find_map(|edit| match edit {
        Edit::Insert(_, name, value) if name == "DKIM-Signature" => Some(value),
        _ => None,
    })
}

fn await_until(what: &str, daemon: &Daemon, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "no {what} in time: {}", daemon.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The key store lies on a small disk of its own, which another program fills.
fn a_full_disk_stops_changes_and_no_mail(_: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
    let script =
        format!("mount -t tmpfs -o size=64k,mode=0700 keys {} && exec \"$@\"", keys.display());
    let daemon = Daemon::start_by(dir.path(), "full", OFFLINE, |serve| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", &script, "sh"]);
        *serve = {
            unshare.arg(serve.get_program()).args(serve.get_args());
            unshare
        };
    });
    let inside = |program: &str, args: &[&str]| -> Output {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &daemon.id().to_string(), "--mount", program]).args(args);
        nsenter.output().unwrap()
    };
    let config = dir.path().join("full.toml").display().to_string();
    let mailseal = |args: &[&str]| inside(MAILSEAL, &[args, &["--config", &config]].concat());
    let make = ["keys", "generate", "example.org", "--algorithm", "ed25519"];
    assert!(mailseal(&make).status.success());
    assert!(mailseal(&["keys", "activate", "example.org", "--force"]).status.success());
    await_until("signature", &daemon, || signature(&daemon).is_some());
    let before = mailseal(&["keys", "list"]).stdout;

    let filler = keys.join("filler").display().to_string();
    inside("sh", &["-c", &format!("cat /dev/zero >{filler}")]);
    let refused = mailseal(&make);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert!(signature(&daemon).is_some());
    // Nothing half written.
    assert_eq!(mailseal(&["keys", "list"]).stdout, before);

    assert!(inside("rm", &[&filler]).status.success());
    let successor = mailseal(&make);
    assert!(successor.status.success(), "{}", String::from_utf8_lossy(&successor.stderr));
    assert!(signature(&daemon).is_some());
    assert!(!daemon.log().contains("begins again"), "{}", daemon.log());
}

fn a_clock_that_jumps_stops_no_mail(_: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    let clock = dir.path().join("clock");
    let library = run(Command::new("dpkg").args(["-L", "libfaketime"])).stdout;
    let library = String::from_utf8(library).unwrap();
    let library = library.lines().find(|line| line.ends_with("libfaketimeMT.so.1")).unwrap();
    let show = |time: &str| set(&clock, time);
    show("+0");
    let rotation = "[rotation]\nevery_days = 30\n";
    let daemon = Daemon::start_by(dir.path(), "jump", &format!("{OFFLINE}{rotation}"), |serve| {
        serve.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
        serve.env("FAKETIME_NO_CACHE", "1").env("DONT_FAKE_MONOTONIC", "1");
    });
    for args in [&["generate", "--algorithm", "ed25519"][..], &["activate", "--force"]] {
        let mut keys = Command::new(MAILSEAL);
        keys.arg("keys").args(args).args(["example.org", "--config"]);
        run(keys.arg(dir.path().join("jump.toml")));
    }
    await_until("signature", &daemon, || signature(&daemon).is_some());
    let signed_at = || -> u64 {
        let signature = signature(&daemon).unwrap();
        let tag = signature.split(';').find_map(|tag| tag.trim().strip_prefix("t=")).unwrap();
        tag.parse().unwrap()
    };
    let now = signed_at();
    // Ahead, by years; back, to before the key was made; to the very beginning; and home again.
    for (time, earliest, latest) in [
        ("+10y", now + 9 * YEAR_SECS, now + 11 * YEAR_SECS),
        ("-20y", now - 21 * YEAR_SECS, now - 19 * YEAR_SECS),
        ("@1970-01-02 00:00:00", 0, YEAR_SECS),
        ("+0", now, now + YEAR_SECS),
    ] {
        show(time);
        let signed_at = signed_at();
        assert!((earliest..=latest).contains(&signed_at), "{time}: {signed_at}");
        // What comes in is judged as well.
        let outcome = Mta::connect(daemon.addr).unwrap().deliver(&Mail::default()).unwrap();
        assert_eq!(outcome.disposition, "accept", "{time}");
    }
    assert!(!daemon.log().contains("begins again"), "{}", daemon.log());
}

/// Sets the clock; a reader never sees half of it.
fn set(clock: &Path, time: &str) {
    let new = clock.with_extension("new");
    fs::write(&new, format!("{time}\n")).unwrap();
    fs::rename(new, clock).unwrap();
}
