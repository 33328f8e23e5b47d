//! `mailseal rules`.

use super::Outcome;
use crate::cli::Rules;

pub(crate) fn run(command: &Rules) -> anyhow::Result<Outcome> {
    anyhow::bail!("rules is not wired yet: {command:?}")
}
