//! `mailseal doctor`: gathers what the library judges, and prints what it found.

mod gather;
mod probe;

use std::path::PathBuf;

use clap::Args;
use mailseal::doctor::{Facts, examine};

use super::print::print;
use super::{Outcome, load};
use crate::cli::ConfigArg;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Postfix's configuration directory, where it is not the default one
    #[arg(long, value_name = "DIR", conflicts_with_all = ["postconf", "master", "sendmail_cf"])]
    pub(super) postfix: Option<PathBuf>,
    /// What `postconf -n` printed, or main.cf
    #[arg(long, value_name = "FILE", requires = "master")]
    pub(super) postconf: Option<PathBuf>,
    /// What `postconf -M` printed, or master.cf
    #[arg(long, value_name = "FILE", requires = "postconf")]
    pub(super) master: Option<PathBuf>,
    /// Sendmail's configuration
    #[arg(long, value_name = "FILE")]
    pub(super) sendmail_cf: Option<PathBuf>,
    /// These files are another host's: do not look at sockets and tables here
    #[arg(long)]
    pub(super) remote: bool,
    /// Ask neither DNS nor the relay
    #[arg(long)]
    pub(super) offline: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) async fn run(args: &Doctor) -> anyhow::Result<Outcome> {
    let loaded = load(&args.config)?;
    let mut facts =
        Facts { config: loaded.config, config_warnings: loaded.warnings, ..Facts::default() };
    gather::mtas(&mut facts, args)?;
    if !args.remote {
        gather::here(&mut facts, args.offline).await;
    }
    gather::keys(&mut facts, !args.offline).await?;
    let report = examine(&facts);
    if args.json {
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report.to_string())?;
    }
    Ok(if report.has_faults() { Outcome::FaultFound } else { Outcome::Done })
}
