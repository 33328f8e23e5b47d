//! The subcommands, a file each: the only place that prints.

mod check;
mod config;
mod counts;
pub(crate) mod dns;
mod docs;
pub(crate) mod doctor;
pub(crate) mod failure;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod print;
mod replay;
pub(crate) mod rules;
mod scan;
mod serve;

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use mailseal::config::{Config, ConfigErrors, Loaded};
use mailseal::file;
use mailseal::keys::DomainName;
use tokio::runtime;

use crate::cli::{Cli, Command, ConfigArg};

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// All is well.
    Done,
    /// The check or verification found a fault.
    FaultFound,
}

/// The configuration of the Debian package.
const INSTALLED_CONFIG: &str = "/etc/mailseal/mailseal.toml";

/// What the user asked for cannot be: exit code 2.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Runs the command; what `serve` supervises needs a thread beside it, the others none.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Serve(args) => {
            let mut supervisor = runtime::Builder::new_multi_thread();
            // Connections and reloads have threads of their own. What waits for the disk is a look at the
            // keys, and one at the stamps of domains or two that rotate; one more is for the watchdog.
            // tokio starts more at times, each of which keeps in memory what its largest work took.
            supervisor.worker_threads(1).max_blocking_threads(4);
            block_on(supervisor, serve::run(args))
        }
        Command::Check(args) => block_on(runtime::Builder::new_current_thread(), check::run(args)),
        Command::Keys(command) => {
            block_on(runtime::Builder::new_current_thread(), async { keys::run(&command).await })
        }
        Command::Dns(command) => {
            block_on(runtime::Builder::new_current_thread(), dns::run(command))
        }
        Command::Rules(command) => rules::run(command),
        Command::Config(command) => {
            block_on(runtime::Builder::new_current_thread(), async { config::run(command) })
        }
        Command::Import(args) => import::run(&args),
        Command::Doctor(args) => {
            block_on(runtime::Builder::new_current_thread(), doctor::run(&args))
        }
        Command::Man { dir } => docs::man(&dir),
        Command::Completions { shell } => docs::completions(shell),
    }
}

/// The configuration that an argument names, its warnings printed.
pub(crate) fn load_config(arg: &ConfigArg) -> anyhow::Result<Config> {
    let loaded = load(arg)?;
    for warning in &loaded.warnings {
        print::complain(&format!("warning: {warning}"));
    }
    Ok(loaded.config)
}

fn load(arg: &ConfigArg) -> Result<Loaded, ConfigErrors> {
    config_file(arg).map_or_else(|| Ok(Loaded::built_in()), |path| Loaded::from_file(&path))
}

/// The file that an argument names, or that of the Debian package, whose service reads it: what a
/// command does without an argument concerns the keys and rules of that service.
fn config_file(arg: &ConfigArg) -> Option<PathBuf> {
    let installed = || Some(PathBuf::from(INSTALLED_CONFIG)).filter(|path| path.exists());
    arg.path.clone().or_else(installed)
}

/// Names the config file of a fault that does not say it itself.
fn in_config<T>(arg: &ConfigArg, result: Result<T, impl Into<anyhow::Error>>) -> anyhow::Result<T> {
    result.map_err(|error| match config_file(arg) {
        Some(path) => error.into().context(file::plain(&path)),
        None => error.into(),
    })
}

/// The domain that an argument names.
fn parse_domain(text: &str) -> Result<DomainName, UsageError> {
    DomainName::parse(text).map_err(|error| UsageError(format!("domain {error}")))
}

fn block_on(
    mut builder: runtime::Builder,
    command: impl Future<Output = anyhow::Result<Outcome>>,
) -> anyhow::Result<Outcome> {
    let runtime = builder.enable_all().build().context("cannot start the async runtime")?;
    let outcome = runtime.block_on(command);
    // Threads that still block are at nothing that anybody waits for.
    runtime.shutdown_background();
    outcome
}
