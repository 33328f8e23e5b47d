//! `mailseal keys`: the keys that sign, and their life. Private keys are never printed.

mod make;
mod rotate;
mod status;
pub(crate) mod transfer;

use anyhow::bail;
use mailseal::config::Config;
use mailseal::dns::{Authority, Resolver};
use mailseal::keys::order::LifecycleError;
use mailseal::keys::state::rfc3339;
use mailseal::keys::{Selector, Store, StoreError};
use mailseal::rotation::Rotation;

use super::print::{complain, print};
use super::{Outcome, UsageError, load};
use crate::cli::{ConfigArg, Keys};

pub(crate) async fn run(command: &Keys) -> anyhow::Result<Outcome> {
    match command {
        Keys::Generate(args) => make::generate(args),
        Keys::Status(args) => status::status(args).await,
        Keys::Rotate(args) => rotate::rotate(args).await,
        Keys::Activate(args) => rotate::activate(args).await,
        Keys::Retire(args) => rotate::retire(args).await,
        Keys::Revoke(args) => rotate::revoke(args).await,
        Keys::List(args) if args.json => status::list(&args.config).await,
        Keys::List(args) => list(&args.config),
        Keys::Import(args) => transfer::import(args),
        Keys::Export(args) => transfer::export(args),
    }
}

/// What is wrong with a part of the store does not hide the rest of it.
fn list(config: &ConfigArg) -> anyhow::Result<Outcome> {
    let store = open_store(config)?;
    let (domains, mut problems) = store.domains()?;
    let mut lines = Vec::new();
    for domain in &domains {
        lines.push(domain.to_string());
        match store.state(domain) {
            Ok(state) => lines.extend(state.keys.iter().map(|key| {
                let since = rfc3339(key.since);
                format!("    {:<16} {:<8} {:<9} {since}", key.selector, key.algorithm, key.state)
            })),
            Err(problem) => problems.push(problem),
        }
        problems.extend(store.keys(domain).map(|(_, more)| more).unwrap_or_default());
    }
    if domains.is_empty() {
        lines.push("no keys; mailseal keys generate DOMAIN makes one".to_owned());
    }
    print(&lines.join("\n"))?;
    for problem in &problems {
        complain(&problem.to_string());
    }
    listed(problems.len())
}

fn listed(faults: usize) -> anyhow::Result<Outcome> {
    match faults {
        0 => Ok(Outcome::Done),
        faults => bail!("the key store has faults: {faults}"),
    }
}

/// What rotating needs, as the configuration has it.
pub(in crate::cmd) fn rotation(config: Config, via_resolver: bool) -> anyhow::Result<Rotation> {
    Ok(Rotation {
        store: Store::new(config.sign.keys),
        policy: config.rotation,
        publish: config.publish,
        authority: Authority::new(Resolver::new(&config.dns)?),
        via_resolver: via_resolver || config.watch.via_resolver,
    })
}

/// On a machine that only reads, what is made is lost with the next copy of the store.
fn refuse_reader(config: &Config) -> Result<(), StoreError> {
    if config.rotation.primary { Ok(()) } else { Err(LifecycleError::NotPrimary.into()) }
}

/// The store of the configuration, whose warnings belong to `serve` and `config check`.
pub(super) fn open_store(config: &ConfigArg) -> anyhow::Result<Store> {
    Ok(Store::new(load(config)?.config.sign.keys))
}

fn parse_selector(text: Option<&str>) -> Result<Option<Selector>, UsageError> {
    let parsed = text.map(Selector::parse).transpose();
    parsed.map_err(|error| UsageError(format!("selector {error}")))
}

/// The option to repeat in a command that is suggested.
fn config_option(config: &ConfigArg) -> String {
    config.path.as_ref().map_or_else(String::new, |path| format!(" --config {}", path.display()))
}
