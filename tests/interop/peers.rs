//! Whether the peers' programs are there.

use std::env;
use std::path::Path;

/// Whether all these programs are there; a missing one leaves a test out with one line, unless
/// `MAILSEAL_PEERS_REQUIRED=1` makes that a failure.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let missing = format!("there is no {program}, which tests/install installs");
        Path::new(program).exists() || left_out(&missing)
    })
}

/// Whether this process may change what its children see of the file system.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root() || left_out("it takes root")
}

fn left_out(why: &str) -> bool {
    let is_required = env::var_os("MAILSEAL_PEERS_REQUIRED").is_some_and(|value| value == "1");
    assert!(!is_required, "interoperation is required, but {why}");
    println!("interoperation left out: {why}");
    false
}
