//! The recipes of `docs/tags.md` as they stand there: what Postfix, Sieve and procmail make of a tag.
//!
//! Postfix, dovecot-sieve and procmail are needed: `tests/install`. A real Postfix and a real Sendmail run
//! them in `tests/e2e`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recipes.rs"]
#[expect(unreachable_pub, reason = "shared by all tests")]
mod recipes;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use recipes::recipe;
use tempfile::TempDir;

/// A directory that every user may enter and write to: programs of mail change their user.
fn dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

fn message(tags: &[&str]) -> String {
    let tags: String = tags.iter().flat_map(|tag| ["X-Mailseal-Tag: ", tag, "\n"]).collect();
    format!("{tags}From: a@example.org\nTo: b@example.org\nSubject: x\n\nbody\n")
}

#[test]
fn postfix_acts_on_each_tag() {
    let dir = dir();
    fs::write(dir.path().join("main.cf"), "compatibility_level = 3.6\n").unwrap();
    let table = dir.path().join("mailseal_checks");
    fs::write(&table, recipe("mailseal_checks")).unwrap();
    let main = recipe("main.cf");
    assert_eq!(main.trim(), "milter_header_checks = regexp:/etc/postfix/mailseal_checks");
    for (tag, action) in [
        ("hold-me", "HOLD hold-me"),
        ("forged-bounce", "HOLD forged-bounce"),
        ("executable-attachment", "REDIRECT quarantine@example.org"),
        ("webcam-extortion", "REJECT 5.7.1 This mail is not taken here"),
        ("advance-fee-fraud", "DISCARD a fraud"),
        ("spf-fail", "INFO tagged spf-fail"),
    ] {
        let output = Command::new("/usr/sbin/postmap")
            .arg("-c")
            .arg(dir.path())
            .args(["-q", &format!("X-Mailseal-Tag: {tag}"), &format!("regexp:{}", table.display())])
            .output()
            .expect("run tests/install");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), action);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

/// The folder that the Sieve recipe files a message into.
fn filed_by_sieve(dir: &Path, tags: &[&str]) -> String {
    let at = |name: &str| dir.join(name);
    let conf = format!(
        "mail_location = mbox:{0}/mail\nmail_home = {0}\nmail_uid = nobody\nmail_gid = nogroup\nssl = no\n",
        dir.display()
    );
    fs::write(at("dovecot.conf"), conf).unwrap();
    fs::write(at("mailseal.sieve"), recipe("mailseal.sieve")).unwrap();
    fs::write(at("message.eml"), message(tags)).unwrap();
    let output = Command::new("sieve-test")
        .arg("-c")
        .arg(at("dovecot.conf"))
        .args([at("mailseal.sieve"), at("message.eml")])
        .output()
        .expect("run tests/install");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let folder = said.lines().find_map(|line| line.split_once("store message in folder: "));
    folder.unwrap_or_else(|| panic!("{output:?}")).1.to_owned()
}

#[test]
fn sieve_files_what_is_tagged() {
    let dir = dir();
    for tag in ["advance-fee-fraud", "webcam-extortion", "dmarc-fail"] {
        assert_eq!(filed_by_sieve(dir.path(), &["spf-fail", tag]), "Junk");
    }
    assert_eq!(filed_by_sieve(dir.path(), &["spf-fail"]), "INBOX");
    assert_eq!(filed_by_sieve(dir.path(), &[]), "INBOX");
}

#[test]
fn procmail_files_what_is_tagged() {
    for (tags, folder) in [
        (&["spf-fail", "dmarc-fail"][..], "Junk"),
        (&["webcam-extortion"], "Junk"),
        (&["dmarc-fail-not"], "Inbox"),
        (&[], "Inbox"),
    ] {
        let dir = dir();
        let home = dir.path().display();
        let rc = format!("HOME={home}\nDEFAULT={home}/Inbox\n{}", recipe("procmailrc"));
        fs::write(dir.path().join("procmailrc"), rc).unwrap();
        let mut procmail = Command::new("procmail")
            .args(["-m", "procmailrc"])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("run tests/install");
        procmail.stdin.take().unwrap().write_all(message(tags).as_bytes()).unwrap();
        assert!(procmail.wait().unwrap().success());
        let filed = fs::read_to_string(dir.path().join(folder)).unwrap();
        assert!(filed.contains("Subject: x"), "{filed}");
    }
}
