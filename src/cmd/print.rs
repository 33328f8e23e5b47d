//! Standard output and standard error.
//!
//! Failure: a reader that went away (`mailseal ... | head`) has seen enough and is no error;
//! anything else that stops standard output, such as a full disk, is.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

/// Whether anything was printed to standard output.
static HAS_PRINTED: AtomicBool = AtomicBool::new(false);

/// Whether anything was printed to standard output, or was to be.
pub(crate) fn has_printed() -> bool {
    HAS_PRINTED.load(Ordering::Relaxed)
}

/// Prints a text and a final newline, where it lacks one, to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    print_bytes(&[text.as_bytes(), line_end.as_bytes()].concat())
}

/// Prints octets as they are to standard output.
pub(crate) fn print_bytes(octets: &[u8]) -> anyhow::Result<()> {
    HAS_PRINTED.fetch_or(!octets.is_empty(), Ordering::Relaxed);
    let mut out = io::stdout().lock();
    match out.write_all(octets).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints a line to standard error; nobody can be told where that fails.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
