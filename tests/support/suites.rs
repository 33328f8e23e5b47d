//! Where the standards' test suites are: they are not part of the source.
//!
//! `$MAILSEAL_SUITES`, or `../shared/suites` beside the crate. A missing suite leaves its cases out
//! with one line, unless `MAILSEAL_SUITES_REQUIRED=1` makes that a failure.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The directory of the suite of that name; `None` where it is missing and may be.
///
/// # Panics
/// Where it is missing and `MAILSEAL_SUITES_REQUIRED=1`.
pub(crate) fn suite(name: &str) -> Option<PathBuf> {
    let root = env::var_os("MAILSEAL_SUITES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/suites"),
        PathBuf::from,
    );
    let dir = root.join(name);
    if dir.is_dir() {
        return Some(dir);
    }
    let is_required = env::var_os("MAILSEAL_SUITES_REQUIRED").is_some_and(|value| value == "1");
    assert!(!is_required, "{name}: suite cases required, but there is no {}", dir.display());
    println!("{name}: suite cases left out: there is no {}", dir.display());
    None
}

/// Says how many of a suite's cases hold, where a test runner keeps what is printed to itself, too.
#[allow(dead_code, reason = "each test crate uses a part")]
pub(crate) fn report(suite: &str, held: usize, count: usize) {
    // Who closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{suite}: {held} of {count} cases hold");
}
