//! The `mailseal` command: parses its arguments, runs a subcommand, prints what went wrong and
//! says it with the exit code: 0 done, 1 the check or verification found a fault, 2 usage or
//! config error, 3 the system failed (DNS, files, sockets).

mod cli;
mod cmd;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cmd::run(cli::Cli::parse()) {
        Ok(cmd::Outcome::Done) => ExitCode::SUCCESS,
        Ok(cmd::Outcome::FaultFound) => ExitCode::from(1),
        Err(error) => {
            cmd::print::complain(&cmd::shown(&error));
            ExitCode::from(cmd::exit_code(&error))
        }
    }
}
