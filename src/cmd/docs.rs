//! `mailseal man` and `mailseal completions`: what packages ship, made from the command line itself.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use super::print::print_bytes;
use crate::cli::Cli;

/// Writes a man page of each command into a directory that is there.
pub(crate) fn man(dir: &Path) -> anyhow::Result<Outcome> {
    let pages = clap_mangen::generate_to(Cli::command(), dir);
    pages.with_context(|| format!("cannot write man pages into {}", dir.display()))?;
    Ok(Outcome::Done)
}

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = io::Cursor::new(Vec::new());
    clap_complete::generate(shell, &mut Cli::command(), "mailseal", &mut script);
    print_bytes(&script.into_inner())?;
    Ok(Outcome::Done)
}
