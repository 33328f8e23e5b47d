//! `mailseal check --scan`: asks each clamd of the configuration how it does, and has it scan a message.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use mailseal::config::{Clamav, Config};
use mailseal::scan::{Condition, ScanResult, Scanner, Unscanned};
use tokio::time::Instant;

use super::{Outcome, UsageError, print};

pub(crate) async fn run(config: &Config, message: Vec<u8>) -> anyhow::Result<Outcome> {
    if config.clamav.servers.is_empty() {
        return Err(UsageError("clamav.servers names no clamd; name one in --config".into()).into());
    }
    let message = Bytes::from(message);
    let mut results = Vec::new();
    for server in &config.clamav.servers {
        // Alone, so that none stands in for it.
        let servers = vec![server.clone()];
        let scanner = Scanner::new(&Clamav { servers, ..config.clamav.clone() });
        let scanner = scanner.context("a scanner has servers")?;
        for condition in scanner.conditions().await {
            print::print(&told(&condition))?;
        }
        let mut scan = scanner.open(config.clamav.treatment.on_oversize.scans_prefix);
        scan.write(message.clone()).await;
        let result = scan.finish(Instant::now() + config.limits.message).await.result;
        print::print(&format!("scan {}", result.in_full()))?;
        results.push(result);
    }
    let failed = |result: &&ScanResult| {
        matches!(result, ScanResult::Unscanned { cause: Unscanned::Failed, .. })
    };
    match results.iter().filter(failed).count() {
        0 if results.iter().all(|result| *result == ScanResult::Clean) => Ok(Outcome::Done),
        0 => Ok(Outcome::FaultFound),
        failures => bail!("{failures} of {} clamds failed", results.len()),
    }
}

/// A line a fact, its kind first.
fn told(condition: &Condition) -> String {
    let Condition { server, version, stream_bytes_max, .. } = condition;
    let mut lines = vec![match version {
        Ok(version) => format!("server {server} {version}"),
        Err(fault) => format!("server {server} does not answer: {fault}"),
    }];
    lines.extend(stream_bytes_max.map(|bytes| format!("stream-bytes-max {bytes}")));
    lines.extend(condition.cautions().iter().map(|caution| format!("warning {caution}")));
    lines.join("\n")
}
