//! `mailseal rules lint`: what is most likely a mistake.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mailseal::config::Limits;
use mailseal::file::{FileError, octets, plain};
use mailseal::message::envelope::Envelope;
use mailseal::message::file;
use mailseal::rules::RuleSet;
use mailseal::rules::lint::Ham;

use crate::cli::ConfigArg;
use crate::cmd::print::print;
use crate::cmd::{Outcome, in_config, load_config};

/// No message of a sample is larger.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Args, Debug)]
pub(crate) struct Lint {
    /// The directory of rule files; by default the configuration's
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A directory of good messages, a file each, which no rule should match; may be given again
    #[arg(long, value_name = "DIR")]
    ham: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Exits with 1 where something was found.
pub(crate) fn run(args: &Lint) -> anyhow::Result<Outcome> {
    let config = load_config(&args.config)?;
    let rules = match &args.dir {
        Some(dir) => RuleSet::load(dir)?,
        None => in_config(&args.config, RuleSet::load(&config.rules.dir))?,
    };
    let mut paths = Vec::new();
    for dir in &args.ham {
        list(dir, &mut paths)?;
    }
    let (mut read, mut unread) = (0, None);
    // One message at a time: a sample may be larger than memory.
    let ham = paths.iter().filter_map(|path| match message(path, &config.limits) {
        Ok(message) => {
            read += 1;
            Some(message)
        }
        Err(error) => {
            unread.get_or_insert(error);
            None
        }
    });
    let findings = rules.lint(ham);
    if let Some(error) = unread {
        return Err(error.into());
    }
    if !findings.is_empty() {
        print(&findings.join("\n"))?;
    }
    print(&format!("{} rules, {read} good messages, {} findings", rules.len(), findings.len()))?;
    Ok(if findings.is_empty() { Outcome::Done } else { Outcome::FaultFound })
}

/// All files of a directory and those below it.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let listed = || format!("{}: cannot be listed", plain(dir));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(listed)? {
        paths.push(entry.with_context(listed)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn message(path: &Path, limits: &Limits) -> Result<Ham, FileError> {
    let octets = octets(path, MESSAGE_BYTES_MAX)?;
    let (draft, body) = file::parse(&octets, Envelope::default(), limits);
    Ok(Ham { name: plain(path), headers: draft.headers, body })
}
