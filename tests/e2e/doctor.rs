//! `mailseal doctor` on the MTAs of this room, whose faults the tests of `variants` show in mail.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Test;
use crate::mailroom::Mailroom;
use crate::support::daemon::{Daemon, MAILSEAL};

pub(crate) const TESTS: &[Test] = &[
    ("doctor::it_finds_what_is_odd_with_postfix", it_finds_what_is_odd_with_postfix),
    ("doctor::it_finds_what_is_odd_with_sendmail", it_finds_what_is_odd_with_sendmail),
];

/// The findings, as `severity name`, in their order; our own side's are left out.
fn findings(daemon: &Daemon, option: &str, path: &Path) -> Vec<String> {
    let mut command = Command::new(MAILSEAL);
    command.args(["doctor", "--offline", "--json", option]).arg(path);
    let output = command.arg("--config").arg(&daemon.config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let names = findings.map(|one| text(&one["severity"]) + " " + &text(&one["name"]));
    names.filter(|name| !name.ends_with(" config")).collect()
}

fn it_finds_what_is_odd_with_postfix(mailroom: &Mailroom) {
    let found = findings(mailroom.daemon("tag"), "--postfix", &mailroom.postfix().config_dir());
    assert_eq!(
        found,
        [
            // The routes checks.example, generic.example and narrow.example.
            "error header-checks",
            "error generic-maps",
            "error line-length",
            // 127.0.0.9 is a stranger to the daemons.
            "warning mynetworks",
            // The cleanup of the service `rewriting`.
            "warning header-checks",
            "note milter-protocol",
            // Nobody asked the relay.
            "note eight-bit",
        ]
    );
}

fn it_finds_what_is_odd_with_sendmail(mailroom: &Mailroom) {
    let found = findings(mailroom.daemon("tag"), "--sendmail-cf", &mailroom.sendmail().config());
    assert_eq!(found, ["note eight-bit"]);
    let masquerading = mailroom.masquerading().config();
    let found = findings(mailroom.daemon("quarantine"), "--sendmail-cf", &masquerading);
    assert_eq!(found, ["warning masquerading", "note eight-bit"]);
}
