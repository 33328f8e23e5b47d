//! The log with its one line a message and, where it is wanted, a message's whole story; metrics.
//!
//! Failure: without the journal the log goes to standard error, and says so.

pub mod endpoint;
mod journald;
mod line;
pub mod metrics;
mod personal;
pub mod story;
mod summary;

use std::panic;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use self::journald::Journal;
use self::line::Lines;
pub use self::personal::PersonalError;
pub use self::summary::summary;
use crate::config::{LogFormat, Telemetry};

/// The filter in force, which a reload replaces.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Sends the process's log lines where the configuration says, and panics among them.
pub fn init(config: &Telemetry) -> Result<(), PersonalError> {
    personal::apply(config)?;
    let (filter, handle) = reload::Layer::new(filter(config));
    let journal = (config.log == LogFormat::Journald).then(Lines::journal);
    let lines = match &journal {
        Some(Ok(journal)) => journal.clone(),
        _ => Lines::Standard,
    };
    let layer = fmt::layer().with_writer(lines).with_target(false).with_ansi(false);
    // Standard error may be a file on a full disk: a line that cannot be written is lost, and no
    // message with it.
    let layer = layer.log_internal_errors(false);
    let layer = match (config.log, &journal) {
        (LogFormat::Json, _) => layer.json().flatten_event(true).boxed(),
        (LogFormat::Journald, Some(Ok(_))) => layer.event_format(Journal).boxed(),
        _ => layer.boxed(),
    };
    // A second initialization can only come from a test, and the first one stands.
    if tracing_subscriber::registry().with(filter).with(layer).try_init().is_ok() {
        let _ = FILTER.set(handle);
        panic::set_hook(Box::new(log_panic));
    }
    if let Some(Err(error)) = journal {
        tracing::warn!(%error, "no journal to log to: the log goes to standard error");
    }
    Ok(())
}

/// Takes over what a reload may change: levels, and how personal data is logged.
pub fn adjust(config: &Telemetry) -> Result<(), PersonalError> {
    personal::apply(config)?;
    if let Some(handle) = FILTER.get() {
        // It fails only where the subscriber is gone, and the process with it.
        let _ = handle.reload(filter(config));
    }
    Ok(())
}

fn filter(config: &Telemetry) -> EnvFilter {
    // indymilter warns of nothing that an operator could mend, and hickory of every broken zone.
    let mut filter = format!(
        "{},indymilter=error,hickory_net=error,hickory_proto=error,hickory_resolver=error",
        config.level
    );
    for part in &config.filter {
        filter.push_str(",mailseal::");
        filter.push_str(part);
    }
    EnvFilter::new(filter)
}

/// A fault of ours. What it says may quote a message, so it is one line, and told only where personal
/// data is.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let said = panic.payload_as_str().filter(|_| !personal::is_hashed()).unwrap_or("not told");
    let place = panic.location().map_or_else(String::new, ToString::to_string);
    tracing::error!(%place, said = %crate::text::visible(said), "panic: this is a fault of mailseal");
}
