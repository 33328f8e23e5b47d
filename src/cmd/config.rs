//! `mailseal config`: check, show, default.

use mailseal::checks::logins::Logins;
use mailseal::config::sample::sample;
use mailseal::runtime::load_rules;

use super::print::{complain, print};
use super::{Outcome, UsageError, load};
use crate::cli::{ConfigArg, ConfigCommand};

pub(crate) fn run(command: ConfigCommand) -> anyhow::Result<Outcome> {
    match command {
        ConfigCommand::Check { file, config } => check(&ConfigArg { path: file.or(config.path) }),
        ConfigCommand::Show { config } => show(&config),
        ConfigCommand::Default => print(&sample()).map(|()| Outcome::Done),
    }
}

fn check(arg: &ConfigArg) -> anyhow::Result<Outcome> {
    let Some(path) = &arg.path else {
        return Err(UsageError("name the file: mailseal config check FILE".to_owned()).into());
    };
    let loaded = load(arg)?;
    for warning in &loaded.warnings {
        complain(&format!("{}: warning: {warning}", path.display()));
    }
    for warning in load_rules(&loaded.config.rules)?.warnings() {
        complain(&format!("warning: {warning}"));
    }
    if let Some(map) = loaded.config.identity_gate.map_in_force() {
        for warning in Logins::load(map)?.warnings() {
            complain(&format!("{}: warning: identity_gate.map: {warning}", path.display()));
        }
    }
    print(&format!("{}: no faults", path.display()))?;
    Ok(Outcome::Done)
}

fn show(arg: &ConfigArg) -> anyhow::Result<Outcome> {
    let loaded = load(arg)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    print(&loaded.shown)?;
    Ok(Outcome::Done)
}
