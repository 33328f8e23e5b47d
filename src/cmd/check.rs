//! `mailseal check`.

use super::Outcome;
use crate::cli::Check;

#[expect(clippy::unused_async, reason = "awaits once the stages are wired")]
pub(crate) async fn run(args: Check) -> anyhow::Result<Outcome> {
    super::load_config(&args.config)?;
    anyhow::bail!("check is not wired yet: {args:?}")
}
