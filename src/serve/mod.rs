//! The supervisor: opens the sockets, serves until a signal, reloads, drains, leaves.

mod keys;
mod reload;
mod rotation;

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use self::reload::Reloads;
use crate::config::Endpoint;
use crate::milter;
use crate::milter::listener::{BindError, Sockets};
use crate::runtime::Runtime;
use crate::scan::Scanner;
use crate::telemetry::endpoint::{self, EndpointError, Scrape};
use crate::telemetry::metrics::Moment;

/// How soon after a reload another scanner is watched.
const SCANNER_LOOK: Duration = Duration::from_secs(2);
/// How soon a task that failed begins again.
const AGAIN: Duration = Duration::from_secs(10);

/// A daemon whose sockets are open and that does not serve yet.
pub struct Daemon {
    runtime: Runtime,
    sockets: Sockets,
    endpoints: Vec<Endpoint>,
    /// Where metrics and health are told, and whether new mail is taken.
    told: Option<endpoint::Endpoint>,
    ready: Arc<AtomicBool>,
    reloads: Option<Reloads>,
}

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket for the MTA.
    #[error(transparent)]
    Milter(#[from] BindError),
    /// The socket of `telemetry.metrics`.
    #[error(transparent)]
    Metrics(#[from] EndpointError),
}

impl Daemon {
    /// Opens the configured sockets.
    pub async fn bind(runtime: Runtime) -> Result<Self, StartError> {
        let ready = Arc::new(AtomicBool::new(true));
        let told = match runtime.config.telemetry.metrics {
            Some(addr) => Some(endpoint::Endpoint::bind(addr, Arc::clone(&ready)).await?),
            None => None,
        };
        let sockets = Sockets::bind(&runtime.config.milter).await?;
        let endpoints = sockets.endpoints();
        Ok(Self { runtime, sockets, endpoints, told, ready, reloads: None })
    }

    /// The same, with reloads.
    #[must_use]
    pub fn reloading(self, reloads: Reloads) -> Self {
        Self { reloads: Some(reloads), ..self }
    }

    /// Where it listens, with the ports that the system chose.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Serves until `shutdown` resolves; then open transactions may end. With `observe`, messages
    /// are judged and logged, and neither changed nor refused.
    pub async fn run(self, observe: bool, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        self.runtime.metrics.serving.in_force(true);
        let runtime = Arc::new(ArcSwap::from_pointee(self.runtime));
        // Dropped when serving ends, and the tasks with it.
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&runtime);
        tasks.spawn(lasting("following the key store", move || keys::follow(shared.clone())));
        let shared = Arc::clone(&runtime);
        tasks.spawn(lasting("rotation", move || rotation::run(shared.clone(), observe)));
        let shared = Arc::clone(&runtime);
        tasks.spawn(lasting("watching clamd", move || watch_scanner(shared.clone())));
        if let Some(reloads) = self.reloads {
            tasks.spawn(reloads.run(Arc::clone(&runtime)));
        }
        if let Some(told) = self.told {
            tasks.spawn(told.run(scrape(Arc::clone(&runtime), Arc::clone(&self.ready))));
        }
        let ready = self.ready;
        let shutdown = async move {
            shutdown.await;
            ready.store(false, Ordering::Relaxed);
        };
        milter::run(self.sockets, runtime, observe, shutdown).await
    }
}

/// Begins a task again that a fault of ours has ended: mail would be served on, and keys grow old
/// and nobody know.
async fn lasting<F: Future<Output = ()>>(what: &'static str, task: impl Fn() -> F) {
    while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
        tracing::error!("{what} failed, and begins again: this is a fault of mailseal");
        sleep(AGAIN).await;
    }
}

/// Tells the metrics, with the load of whichever scanner is in force.
fn scrape(runtime: Arc<ArcSwap<Runtime>>, ready: Arc<AtomicBool>) -> Scrape {
    // A reload does not change it.
    let connections_max = runtime.load().config.milter.connections_max;
    Arc::new(move || {
        let runtime = runtime.load();
        runtime.metrics.to_text(&Moment {
            load: runtime.scanner.as_ref().map(Scanner::load),
            is_ready: ready.load(Ordering::Relaxed),
            connections_max,
            signing_domains: runtime.keys.current().domains().count(),
        })
    })
}

/// Watches the clamds of whichever scanner is in force.
async fn watch_scanner(runtime: Arc<ArcSwap<Runtime>>) {
    loop {
        let current = runtime.load_full();
        let replaced = async {
            while Arc::ptr_eq(&current, &runtime.load()) {
                sleep(SCANNER_LOOK).await;
            }
        };
        match &current.scanner {
            Some(scanner) => tokio::select! {
                () = scanner.watch() => {}
                () = replaced => {}
            },
            None => replaced.await,
        }
    }
}

/// Takes over SIGTERM and SIGINT; the future resolves when one of them comes.
pub fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_begins_again() {
        let begun = AtomicUsize::new(0);
        lasting("the test", || async {
            assert!(begun.fetch_add(1, Ordering::Relaxed) == 2, "on purpose");
        })
        .await;
        assert_eq!(begun.into_inner(), 3);
    }
}
