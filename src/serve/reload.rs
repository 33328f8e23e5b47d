//! Reload: on SIGHUP, configuration, rules and keys are read again and swapped whole.
//!
//! A message is judged with what was in force at its MAIL. The caches of DNS and the counts stay.
//!
//! Failure: whatever is wrong with the new configuration is logged, path:line:col, and the old one
//! stays in force.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::{self, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::notify;
use crate::background::BackgroundRuntime;
use crate::config::{Config, ConfigErrors, Loaded};
use crate::remarks::Remark;
use crate::runtime::{Runtime, RuntimeError};
use crate::telemetry::{self, PersonalError};

/// SIGHUP, and the file that it has read again.
pub struct Reloads {
    signal: Signal,
    file: Option<PathBuf>,
    /// One thread for all reloads: each that had one would keep in memory what it took.
    thread: BackgroundRuntime,
}

/// A reload may be long after another.
const THREAD_KEPT: Duration = Duration::from_hours(24);

#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Personal(#[from] PersonalError),
    /// At start one may go on without keys; here mail would leave unsigned that was signed before.
    #[error("sign.keys: no key can be read there, and now there are some: {0}")]
    Keys(String),
}

impl Reloads {
    /// Takes over SIGHUP. Without a file, the built-in defaults stay and the rest is read again.
    pub fn of(file: Option<PathBuf>) -> io::Result<Self> {
        let mut thread = runtime::Builder::new_current_thread();
        let thread = thread.max_blocking_threads(1).thread_keep_alive(THREAD_KEPT);
        let thread = thread.thread_name("reload").build()?.into();
        Ok(Self { signal: signal(SignalKind::hangup())?, file, thread })
    }

    /// Reloads whenever the signal comes, for as long as it is polled.
    pub(super) async fn run(mut self, runtime: Arc<ArcSwap<Runtime>>) {
        let file = self.file.map(Arc::new);
        while self.signal.recv().await.is_some() {
            let (file, shared) = (file.clone(), Arc::clone(&runtime));
            notify::reloading();
            // What is built there is to run here.
            let here = Handle::current();
            let reload = move || {
                let _here = here.enter();
                reload(file.as_deref().map(PathBuf::as_path), &shared)
            };
            // Reading blocks. A panic leaves the old in force, like any other fault.
            let outcome = self.thread.spawn_blocking(reload).await;
            runtime.load().metrics.serving.reloaded(matches!(outcome, Ok(Ok(()))));
            match outcome {
                Ok(Ok(())) => notify::ready("serving, reloaded"),
                Ok(Err(error)) => refused(&error),
                Err(_) => {
                    tracing::error!("reload failed: what was in force stays");
                    notify::ready("serving; the reload failed, what was in force stays");
                }
            }
        }
    }
}

fn reload(file: Option<&Path>, runtime: &ArcSwap<Runtime>) -> Result<(), ReloadError> {
    let loaded = file.map_or_else(|| Ok(Loaded::built_in()), Loaded::from_file)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let before = runtime.load_full();
    let after = before.rebuild(loaded.config)?;
    if after.keys.current().is_empty() && !before.keys.current().is_empty() {
        return Err(ReloadError::Keys(after.key_problems.join("; ")));
    }
    after.remarks.iter().filter(|remark| !before.remarks.contains(remark)).for_each(Remark::log);
    for name in wants_restart(&before.config, &after.config) {
        tracing::warn!("{name} has changed: this takes a restart");
    }
    if before.config.milter != after.config.milter
        && let Err(error) = super::check(&after.config.milter)
    {
        tracing::error!("a restart will fail: {error}");
    }
    telemetry::adjust(&after.config.telemetry)?;
    tracing::info!(rules = after.rules.len(), "reloaded");
    runtime.store(Arc::new(after));
    Ok(())
}

/// What is looked at only at start.
fn wants_restart(before: &Config, after: &Config) -> impl Iterator<Item = &'static str> {
    let metrics = |config: &Config| config.telemetry.metrics;
    let changed = [
        ("[milter]", before.milter != after.milter),
        ("telemetry.metrics", metrics(before) != metrics(after)),
    ];
    changed.into_iter().filter_map(|(name, has_changed)| has_changed.then_some(name))
}

/// A line for each fault.
fn refused(error: &ReloadError) {
    tracing::error!("reload refused: what was in force stays");
    for line in error.to_string().lines() {
        tracing::error!("{line}");
    }
    notify::ready("serving; the reload was refused, what was in force stays: see the log");
}
