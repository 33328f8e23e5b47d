//! What went wrong: in words, for machines that asked for JSON, and as the exit code.

use std::process::ExitCode;

use mailseal::config::ConfigErrors;
use mailseal::keys::StoreError;
use mailseal::keys::import::ExportError;
use mailseal::rotation::StepError;
use mailseal::rules::RuleErrors;
use mailseal::runtime::RuntimeError;
use mailseal::serve::StartError;
use mailseal::telemetry::PersonalError;

use super::dns::args::{Dns, Format};
use super::{UsageError, print};
use crate::cli::{Command, Keys};

/// Whether the command is to print JSON.
pub(crate) fn wants_json(command: &Command) -> bool {
    match command {
        Command::Check(args) => args.json,
        Command::Keys(Keys::Status(args)) => args.json,
        Command::Keys(Keys::List(args)) => args.json,
        Command::Doctor(args) => args.json,
        Command::Dns(Dns::Records(args)) => args.format == Format::Json,
        _ => false,
    }
}

/// Tells what ended a command.
pub(crate) fn tell(error: &anyhow::Error, wants_json: bool) -> ExitCode {
    print::complain(&shown(error));
    if wants_json {
        tell_machine(&format!("{error:#}"));
    }
    ExitCode::from(exit_code(error))
}

/// Tells what is wrong with the arguments, or prints the help that they ask for.
pub(crate) fn tell_usage(error: &clap::Error) -> ExitCode {
    // Nobody can be told where that fails.
    let _ = error.print();
    let args: Vec<String> =
        std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let wants_json = args.iter().any(|arg| arg == "--json" || arg == "--format=json")
        || args.windows(2).any(|pair| pair == ["--format", "json"]);
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        let cause = text.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = cause.trim_start_matches("error:").split_whitespace().collect();
        tell_machine(&words.join(" "));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// One object on standard output, where nothing of the command's own is.
fn tell_machine(error: &str) {
    if !print::has_printed() {
        // Standard output may be what failed, which the exit code says.
        let _ = print::print(&serde_json::json!({ "error": error }).to_string());
    }
}

/// What went wrong, in a line; faults of files with the lines that have them.
pub(super) fn shown(error: &anyhow::Error) -> String {
    let with_carets = |cause: &(dyn std::error::Error + 'static)| {
        let rules = cause.downcast_ref().or(match cause.downcast_ref() {
            Some(RuntimeError::Rules(errors)) => Some(errors),
            _ => None,
        });
        let rules = rules.filter(|errors| matches!(errors, RuleErrors::Files(_)));
        let config = cause.downcast_ref().or(match cause.downcast_ref() {
            Some(RuntimeError::Logins(errors)) => Some(errors),
            _ => None,
        });
        let config = config.filter(|errors| matches!(errors, ConfigErrors::Faulty { .. }));
        config.map(ConfigErrors::with_carets).or(rules.map(RuleErrors::with_carets))
    };
    error.chain().find_map(with_carets).unwrap_or_else(|| format!("{error:#}"))
}

/// 2 for errors of the command line and the configuration, 3 for those of the system.
fn exit_code(error: &anyhow::Error) -> u8 {
    let is_users = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<UsageError>()
            || cause.is::<ConfigErrors>()
            || cause.is::<RuleErrors>()
            || cause.is::<PersonalError>()
            || matches!(
                cause.downcast_ref(),
                Some(RuntimeError::Rules(_) | RuntimeError::Logins(_))
            )
            || cause.downcast_ref().is_some_and(StartError::is_usage)
            || cause.downcast_ref().is_some_and(ExportError::is_usage)
            || cause.downcast_ref().is_some_and(StoreError::is_usage)
            || cause.downcast_ref().is_some_and(StepError::is_usage)
    };
    if error.chain().any(is_users) { 2 } else { 3 }
}
