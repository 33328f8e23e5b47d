//! `mailseal keys`: generate, activate, list. Private keys are never printed.

use anyhow::bail;
use mailseal::dkim::signing_key::{generate_ed25519, generate_rsa};
use mailseal::keys::state::{Algorithm, rfc3339};
use mailseal::keys::{DomainName, Selector, Store};
use mailseal::runtime::system_clock;

use super::dns::key_lines;
use super::print::{complain, print};
use super::{Outcome, UsageError, keys_import, load};
use crate::cli::{Activate, Algorithms, ConfigArg, Generate, Keys};

pub(crate) fn run(command: &Keys) -> anyhow::Result<Outcome> {
    match command {
        Keys::Generate(args) => generate(args),
        Keys::Activate(args) => activate(args),
        Keys::List { config } => list(config),
        Keys::Import(args) => keys_import::import(args),
        Keys::Export(args) => keys_import::export(args),
    }
}

fn generate(args: &Generate) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let selector = parse_selector(args.selector.as_deref())?;
    let algorithms: &[Algorithm] = match args.algorithm {
        Algorithms::Rsa => &[Algorithm::Rsa],
        Algorithms::Ed25519 => &[Algorithm::Ed25519],
        Algorithms::Both => &[Algorithm::Rsa, Algorithm::Ed25519],
    };
    if algorithms.len() > 1 && selector.is_some() {
        let reason = "two keys need two selectors: leave --selector away, or make one by one";
        return Err(UsageError(reason.to_owned()).into());
    }
    let store = open_store(&args.config)?;
    let mut made = Vec::new();
    for &algorithm in algorithms {
        let pem = match algorithm {
            Algorithm::Rsa => generate_rsa(args.bits)?,
            Algorithm::Ed25519 => generate_ed25519()?,
        };
        made.push(store.add(&domain, selector.clone(), algorithm, &pem, system_clock())?);
    }
    let mut lines = vec![
        format!("; publish this in the zone of {domain}; when every name server shows it, run:"),
        format!(";     mailseal keys activate {domain} --force{}", config_option(&args.config)),
    ];
    lines.extend(key_lines(&store, &domain, |selector| made.contains(selector))?);
    print(&lines.join("\n"))?;
    Ok(Outcome::Done)
}

fn activate(args: &Activate) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let selector = parse_selector(args.selector.as_deref())?;
    if !args.force {
        let reason = "this version does not look whether the record of the key is in DNS; when \
                      every name server shows it (mailseal dns records prints it), repeat with \
                      --force: mail signed before that fails verification";
        return Err(UsageError(reason.to_owned()).into());
    }
    for active in open_store(&args.config)?.activate(&domain, selector.as_ref(), system_clock())? {
        print(&format!("{domain}: {active} signs; a running mailseal serve must be restarted"))?;
    }
    Ok(Outcome::Done)
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
    if problems.is_empty() {
        return Ok(Outcome::Done);
    }
    bail!("the key store has faults: {}", problems.len())
}

/// The store of the configuration, whose warnings belong to `serve` and `config check`.
pub(super) fn open_store(config: &ConfigArg) -> anyhow::Result<Store> {
    Ok(Store::new(load(config)?.config.sign.keys))
}

pub(super) fn parse_domain(text: &str) -> Result<DomainName, UsageError> {
    DomainName::parse(text).map_err(|error| UsageError(format!("domain {error}")))
}

fn parse_selector(text: Option<&str>) -> Result<Option<Selector>, UsageError> {
    let parsed = text.map(Selector::parse).transpose();
    parsed.map_err(|error| UsageError(format!("selector {error}")))
}

/// The option to repeat in a command that is suggested.
pub(super) fn config_option(config: &ConfigArg) -> String {
    config.path.as_ref().map_or_else(String::new, |path| format!(" --config {}", path.display()))
}
