//! The log with its one line a message and, where it is wanted, a message's whole story; metrics.
//!
//! Failure: without the journal the log goes to standard error, and says so.

pub mod endpoint;
mod journald;
mod line;
pub mod metrics;
mod personal;
mod standard;
pub mod story;
mod summary;

use std::path::Path;
use std::sync::OnceLock;
use std::{io, panic};

use tracing_subscriber::layer::{Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use self::journald::Journal;
use self::line::Lines;
pub use self::personal::PersonalError;
use self::standard::Form;
pub use self::summary::summary;
use crate::config::{LogFormat, Telemetry};
use crate::keys::readable_by_owner;

/// What a reload replaces.
static IN_FORCE: OnceLock<InForce> = OnceLock::new();

struct InForce {
    filter: reload::Handle<EnvFilter, Registry>,
    format: reload::Handle<Format, Filtered>,
}

type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;
type Format = Box<dyn Layer<Filtered> + Send + Sync>;

/// Whether there can be a log as the configuration says; `store` is the key store, whose owner is to
/// write it.
pub fn check(config: &Telemetry, store: &Path) -> Result<(), PersonalError> {
    if personal::hasher(config)?.is_some()
        && let Some(path) = &config.personal_data_key
    {
        readable_by_owner(path, store).map_err(PersonalError::File)?;
    }
    Ok(())
}

/// Sends the process's log lines where the configuration says, and panics among them.
pub fn init(config: &Telemetry) -> Result<(), PersonalError> {
    personal::apply(config)?;
    let (filter, filter_handle) = reload::Layer::new(filter(config));
    let (format, journal) = format(config.log);
    let (format, format_handle) = reload::Layer::new(format);
    // A second initialization can only come from a test, and the first one stands.
    if tracing_subscriber::registry().with(filter).with(format).try_init().is_ok() {
        let _ = IN_FORCE.set(InForce { filter: filter_handle, format: format_handle });
        panic::set_hook(Box::new(log_panic));
    }
    said(journal);
    Ok(())
}

/// Takes over what a reload may change: form and levels, and how personal data is logged.
pub fn adjust(config: &Telemetry) -> Result<(), PersonalError> {
    personal::apply(config)?;
    if let Some(in_force) = IN_FORCE.get() {
        let (format, journal) = format(config.log);
        // They fail only where the subscriber is gone, and the process with it.
        let _ = in_force.format.reload(format);
        let _ = in_force.filter.reload(filter(config));
        said(journal);
    }
    Ok(())
}

/// The form of the lines, and why they do not go to the journal that was asked for.
fn format(log: LogFormat) -> (Format, io::Result<()>) {
    let journal = (log == LogFormat::Journald).then(Lines::journal).transpose();
    let (journal, outcome) = match journal {
        Ok(journal) => (journal, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let is_journal = journal.is_some();
    let form = if log == LogFormat::Json { Form::Json } else { Form::Text };
    let layer = fmt::layer()
        .with_writer(journal.unwrap_or(Lines::Standard(form)))
        .with_target(false)
        .with_ansi(false)
        // Standard error may be a file on a full disk: a line that cannot be written is lost, and no
        // message with it.
        .log_internal_errors(false);
    let format = match log {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Journald if is_journal => layer.event_format(Journal).boxed(),
        _ => layer.boxed(),
    };
    (format, outcome)
}

fn said(journal: io::Result<()>) {
    if let Err(error) = journal {
        tracing::warn!(%error, "no journal to log to: the log goes to standard error");
    }
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
