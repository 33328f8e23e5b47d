//! `mailseal serve`.

use super::Outcome;
use crate::cli::Serve;

#[expect(clippy::unused_async, reason = "awaits once the stages are wired")]
pub(crate) async fn run(args: Serve) -> anyhow::Result<Outcome> {
    super::load_config(&args.config)?;
    anyhow::bail!("serve is not wired yet: {args:?}")
}
