//! Logs, with one line a message at level info, and metrics.

pub mod endpoint;
pub mod metrics;

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};
use crate::scan::ScanResult;
use crate::text;
use crate::verdict::Verdict;

/// Sends the process's log lines to standard error, as the configuration says.
pub fn init(config: &Telemetry) {
    // indymilter warns of nothing that an operator could mend, and hickory of every broken zone.
    let filter = format!(
        "{},indymilter=error,hickory_net=error,hickory_proto=error,hickory_resolver=error",
        config.level
    );
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::new(filter))
        // Standard error may be a file on a full disk: a line that cannot be written is lost, and no
        // message with it.
        .log_internal_errors(false)
        .with_target(false)
        .with_ansi(false);
    // A second initialization can only come from a test, and the first one stands.
    let _ = match config.log {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}

/// Writes the one line that says what became of a message and why.
pub fn summary(verdict: &Verdict, elapsed: Duration, observe: bool) {
    let list = |items: Vec<String>| if items.is_empty() { "-".to_owned() } else { items.join(",") };
    let auth = &verdict.auth;
    tracing::info!(
        queue_id = %text::visible(verdict.queue_id.as_deref().unwrap_or("-")),
        origin = %verdict.origin.as_str(),
        role = %verdict.role.as_str(),
        iprev = %auth.iprev.as_ref().map_or("-", |iprev| iprev.result.as_str()),
        spf = %list(auth.spf.iter().map(|spf| format!("{}({})", spf.result, text::visible(&spf.domain))).collect()),
        dkim = %list(auth.dkim.iter().map(|dkim| format!("{}({})", dkim.result, text::visible(&dkim.domain))).collect()),
        arc = %auth.arc.as_ref().map_or("-", |arc| arc.result.as_str()),
        dmarc = %auth.dmarc.as_ref().map_or("-", |dmarc| dmarc.result.as_str()),
        hits = %list(verdict.hits.iter().map(|hit| hit.rule.clone()).collect()),
        scan = %verdict.scan.as_ref().map_or("-".to_owned(), ScanResult::in_full),
        not_signed = %list(verdict.not_signed.iter().map(|reason| reason.label().to_owned()).collect()),
        limits = %list(verdict.limits.iter().map(ToString::to_string).collect()),
        disposition = %verdict.disposition.as_str(),
        reply = %verdict.reply.as_ref().map_or("-".to_owned(), ToString::to_string),
        observe,
        ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        reasons = %verdict.reasons.join("; "),
        "message"
    );
}
