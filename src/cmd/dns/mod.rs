//! `mailseal dns`: the records of a domain, a file a verb.

pub(crate) mod args;
mod lint;
mod publish;
mod records;
mod verify;
mod wanted;

use std::time::Duration;

use anyhow::Context as _;
use mailseal::config::Config;
use mailseal::dns::{Authority, Resolver};
use tokio::time::Instant;

use super::Outcome;
pub(super) use records::key_lines;

/// All look-ups of one command end by then.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) async fn run(command: args::Dns) -> anyhow::Result<Outcome> {
    match command {
        args::Dns::Records(args) => records::run(&args),
        args::Dns::Verify(args) => verify::run(&args).await,
        args::Dns::Publish(args) => publish::run(&args).await,
        args::Dns::Lint(args) => lint::run(&args).await,
    }
}

fn authority(config: &Config, port: args::Port) -> anyhow::Result<Authority> {
    Ok(Authority::new(resolver(config)?).with_port(port.authority_port))
}

fn resolver(config: &Config) -> anyhow::Result<Resolver> {
    Resolver::new(&config.dns).context("no resolver")
}

fn deadline() -> Instant {
    Instant::now() + COMMAND_TIMEOUT
}
