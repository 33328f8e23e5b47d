//! `mailseal config`: check, show, default.

use std::fmt;

use mailseal::config::Loaded;
use mailseal::config::sample::sample;
use mailseal::keys::readable_by_owner;
use mailseal::runtime::Runtime;
use mailseal::{serve, telemetry};

use super::failure::shown;
use super::print::{complain, print};
use super::{Outcome, UsageError, in_config, load};
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
    let Loaded { config, warnings, .. } = load(arg)?;
    let warn = |warning: &dyn fmt::Display| {
        complain(&format!("{}: warning: {warning}", path.display()));
    };
    for warning in &warnings {
        warn(warning);
    }
    let mut faults = Vec::new();
    // What a start meets, in its order.
    let logged = telemetry::check(&config.telemetry, &config.sign.keys);
    faults.extend(in_config(arg, logged).err());
    faults.extend(in_config(arg, serve::check(&config.milter)).err());
    if config.publish.server.is_some()
        && let Some(key_file) = &config.publish.key_file
        && let Err(error) = readable_by_owner(key_file, &config.sign.keys)
    {
        warn(&format!("publish.key_file: {error}"));
    }
    match in_config(arg, Runtime::build(config)) {
        Ok(runtime) => runtime.remarks.iter().for_each(|remark| warn(remark)),
        Err(error) => faults.push(error),
    }
    // The last is told by whoever ends the command.
    if let Some(last) = faults.pop() {
        for fault in faults {
            complain(&shown(&fault));
        }
        return Err(last);
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
