//! What the peers need: their programs, and a list of public suffixes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The public suffixes of the tests' world. The real list has ten thousand, which take rspamd seconds.
const PUBLIC_SUFFIXES: &str = "example\nco.example\norg.example\npsd.example\nnet\norg\n";

/// Whether all these programs are there; a missing one leaves a test out with one line, unless
/// `MAILSEAL_PEERS_REQUIRED=1` makes that a failure.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let missing = format!("there is no {program}, which tests/install installs");
        Path::new(program).exists() || left_out(&missing)
    })
}

/// Whether this process may give its children another `/etc/resolv.conf`.
pub(crate) fn may_mount() -> bool {
    let tried = Command::new("/usr/bin/unshare").args(["--mount", "/bin/true"]).output();
    tried.is_ok_and(|tried| tried.status.success())
        || left_out("a mount namespace, which OpenDMARC runs in, takes root")
}

fn left_out(why: &str) -> bool {
    let is_required = env::var_os("MAILSEAL_PEERS_REQUIRED").is_some_and(|value| value == "1");
    assert!(!is_required, "interoperation is required, but {why}");
    println!("interoperation left out: {why}");
    false
}

/// The list of public suffixes, as a file of `dir`.
pub(crate) fn public_suffixes(dir: &Path) -> PathBuf {
    let path = dir.join("public-suffixes");
    fs::write(&path, PUBLIC_SUFFIXES).unwrap();
    path
}
