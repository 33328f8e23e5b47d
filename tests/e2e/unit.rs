//! What the package ships beside the program: the unit files, the man pages, the completions.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::Test;
use crate::mailroom::Mailroom;
use crate::support::daemon::MAILSEAL;
use crate::support::process::run;

pub(crate) const TESTS: &[Test] = &[
    ("unit::the_service_is_hardened", the_service_is_hardened),
    ("unit::man_pages_have_no_faults", man_pages_have_no_faults),
    ("unit::completions_are_scripts", completions_are_scripts),
];

/// The most exposure that `systemd-analyze security` may find, of 100: what is left is that the service speaks to
/// the network at all, and sees the file system's names.
const EXPOSURE_MAX: &str = "12";

fn packaging(name: &str) -> String {
    format!("{}/packaging/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn the_service_is_hardened(_: &Mailroom) {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["--offline=yes", "--no-pager", "--threshold", EXPOSURE_MAX, "security"]);
    let said = run(analyze.arg(packaging("mailseal.service")));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    println!("{}", said.lines().last().unwrap());
    assert!(said.contains("Overall exposure level for mailseal.service"), "{said}");
}

fn man_pages_have_no_faults(_: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    run(Command::new(MAILSEAL).arg("man").arg(dir.path()));
    let pages: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|page| page.unwrap().path()).collect();
    let has = |name: &str| pages.iter().any(|page| page.ends_with(name));
    assert!(has("mailseal.1") && has("mailseal-serve.1") && has("mailseal-keys-rotate.1"));
    assert!(!has("mailseal-man.1"), "what is hidden has no page");
    for page in &pages {
        let (text, complaints) = formatted(page);
        assert_eq!(complaints, "", "{}", page.display());
        assert!(text.contains("SYNOPSIS"), "{}: {text}", page.display());
    }
}

/// A page as `man` shows it, and what it complains of, as lintian has it.
fn formatted(page: &Path) -> (String, String) {
    let mut man = Command::new("man");
    man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    let Output { stdout, stderr, .. } = run(man.args(["--warnings", "-l"]).arg(page));
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    (text(stdout), text(stderr))
}

fn completions_are_scripts(_: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    for (shell, word) in [
        ("bash", "complete -F _mailseal"),
        ("zsh", "#compdef mailseal"),
        ("fish", "complete -c mailseal"),
    ] {
        let script = run(Command::new(MAILSEAL).args(["completions", shell])).stdout;
        let text = String::from_utf8(script).unwrap();
        assert!(text.contains(word) && text.contains("rotate"), "{shell}");
        fs::write(dir.path().join(shell), text).unwrap();
    }
    run(Command::new("bash").arg("-n").arg(dir.path().join("bash")));
    // What a user gets who presses the tabulator key.
    let ask = format!(
        "source {}; COMP_WORDS=(mailseal ke); COMP_CWORD=1; _mailseal mailseal ke mailseal; echo \"${{COMPREPLY[@]}}\"",
        dir.path().join("bash").display()
    );
    let offered = run(Command::new("bash").args(["-c", &ask])).stdout;
    assert_eq!(String::from_utf8(offered).unwrap().trim(), "keys");
}
