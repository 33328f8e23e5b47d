//! The `mailseal` command: parses its arguments, runs a subcommand, prints what went wrong and
//! says it with the exit code: 0 done, 1 the check or verification found a fault, 2 usage or
//! config error, 3 the system failed (DNS, files, sockets).

mod cli;
mod cmd;

use std::process::ExitCode;

use clap::Parser as _;
use cmd::failure;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::tell_usage(&error),
    };
    let wants_json = failure::wants_json(&cli.command);
    match cmd::run(cli) {
        Ok(cmd::Outcome::Done) => ExitCode::SUCCESS,
        Ok(cmd::Outcome::FaultFound) => ExitCode::from(1),
        Err(error) => failure::tell(&error, wants_json),
    }
}
