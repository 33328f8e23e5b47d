//! What others say of a signature: dkimpy and OpenDKIM, against given key records; and dkimpy as a signer.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::process::run;

const DKIMPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/dkimpy.py");

/// Key records: names, and texts in one piece.
pub(crate) type Records = Vec<(String, String)>;

/// Reads the TXT records of a zone file such as `mailseal dns records` prints.
pub(crate) fn read_records(zone: &str) -> Records {
    let mut records = Records::new();
    for line in zone.lines().filter(|line| !line.starts_with(';')) {
        if let Some(name) =
            line.split_whitespace().next().filter(|_| !line.starts_with([' ', '\t']))
        {
            records.push((name.trim_end_matches('.').to_owned(), String::new()));
        }
        if let Some((_, text)) = records.last_mut() {
            // Of a line split at its quotes, every second piece is a string.
            text.extend(line.split('"').skip(1).step_by(2));
        }
    }
    records
}

/// The message signed by dkimpy with the key of that file.
pub(crate) fn dkimpy_sign(message: &[u8], selector: &str, domain: &str, key: &Path) -> Vec<u8> {
    let key = key.to_str().unwrap();
    dkimpy(&["sign", selector, domain, key], message)
}

/// What dkimpy says of each signature: its domain, and `pass` or `fail: ` and why.
pub(crate) fn dkimpy_verify(message: &[u8], records: &Records) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("records");
    fs::write(&path, record_lines(records)).unwrap();
    let lines = String::from_utf8(dkimpy(&["verify", path.to_str().unwrap()], message)).unwrap();
    lines.lines().map(ToOwned::to_owned).collect()
}

/// The same for many messages: each file's name before what is said of its signatures.
pub(crate) fn dkimpy_verify_all(directory: &Path, records: &Records) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("records");
    fs::write(&path, record_lines(records)).unwrap();
    let args = ["verify", path.to_str().unwrap(), directory.to_str().unwrap()];
    let lines = String::from_utf8(dkimpy(&args, b"")).unwrap();
    lines.lines().map(ToOwned::to_owned).collect()
}

/// Debian's Python, for which Debian's dkimpy is installed.
fn dkimpy(args: &[&str], message: &[u8]) -> Vec<u8> {
    let mut python = Command::new("/usr/bin/python3")
        .arg(DKIMPY)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let message = message.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&message));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "dkimpy: {}", output.status);
    output.stdout
}

/// What OpenDKIM would write about the message: its Authentication-Results field.
pub(crate) fn opendkim_verify(message: &[u8], records: &Records) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("records"), record_lines(records)).unwrap();
    fs::write(at("message"), message).unwrap();
    let config = format!(
        "Mode v\nAuthservID opendkim.test\nRequireSafeKeys no\nTestPublicKeys {}\n",
        at("records").display()
    );
    fs::write(at("conf"), config).unwrap();
    let mut opendkim = Command::new("/usr/sbin/opendkim");
    opendkim.arg("-x").arg(at("conf")).arg("-vv").arg("-t").arg(at("message"));
    let output = String::from_utf8(run(&mut opendkim).stdout).unwrap();
    let (_, field) = output.split_once("'Authentication-Results'").unwrap_or(("", &output));
    field.to_owned()
}

fn record_lines(records: &Records) -> String {
    records.iter().fold(String::new(), |mut lines, (name, text)| {
        writeln!(lines, "{name} {text}").unwrap();
        lines
    })
}
