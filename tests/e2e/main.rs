//! End to end: mailseal between a real MTA, a real clamd and real verifiers, on loopback ports.
//!
//! All is started once (see `mailroom`), shared by the tests below and ended with them. It takes root, and the
//! Debian packages that `tests/install` installs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actions;
mod doctor;
mod faults;
mod mailroom;
mod messages;
mod mta;
mod package;
mod postfix;
mod restart;
mod rotation;
mod sendmail;
mod signatures;
#[path = "../support/mod.rs"]
mod support;
mod unit;
mod variants;
mod verifiers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use mailroom::Mailroom;

type Test = (&'static str, fn(&Mailroom));
type Shared = Arc<OnceLock<Mailroom>>;

fn main() -> ExitCode {
    let mailroom = Shared::default();
    let tests = [
        postfix::TESTS,
        sendmail::TESTS,
        variants::TESTS,
        actions::TESTS,
        doctor::TESTS,
        mta::TESTS,
        rotation::TESTS,
        restart::TESTS,
        package::TESTS,
        unit::TESTS,
        faults::TESTS,
    ]
    .concat();
    let trials = tests.into_iter().map(|test| trial(test, &mailroom)).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // The last of its owners: this ends all that was started.
    drop(mailroom);
    conclusion.exit_code()
}

fn trial((name, test): Test, mailroom: &Shared) -> Trial {
    let mailroom = Arc::clone(mailroom);
    Trial::test(name, move || {
        let mailroom = mailroom.get_or_init(Mailroom::open);
        // The panic itself has been printed.
        catch_unwind(AssertUnwindSafe(|| test(mailroom))).map_err(|_| Failed::from(mailroom.logs()))
    })
}
