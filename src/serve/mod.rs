//! The supervisor: opens the sockets, serves until a signal, reloads, drains, leaves.

mod descriptors;
mod keys;
mod notify;
mod reload;
mod rotation;
mod signals;

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use self::reload::Reloads;
pub use self::signals::asked_to_end;
use crate::config::{self, Endpoint};
use crate::milter;
use crate::milter::listener::{self, BindError, Sockets};
use crate::milter::occupancy::Occupancy;
use crate::milter::threads::Threads;
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
    occupancy: Occupancy,
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

impl StartError {
    /// Whether another configuration, and no other state of the system, would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Milter(BindError::Group(_)))
    }
}

/// Whether the sockets of a configuration can be opened, as far as that shows before they are.
pub fn check(config: &config::Milter) -> Result<(), StartError> {
    Ok(listener::check(config)?)
}

impl Daemon {
    /// Opens the configured sockets, or takes over those that the service manager opened.
    pub async fn bind(runtime: Runtime) -> Result<Self, StartError> {
        let ready = Arc::new(AtomicBool::new(true));
        let told = match runtime.config.telemetry.metrics {
            Some(addr) => Some(endpoint::Endpoint::bind(addr, Arc::clone(&ready)).await?),
            None => None,
        };
        let (milter, occupancy) = (&runtime.config.milter, Occupancy::default());
        descriptors::raise(milter.connections_max);
        let sockets = Sockets::open(milter, occupancy.clone(), runtime.metrics.serving.clone())?;
        let endpoints = sockets.endpoints();
        Ok(Self { runtime, sockets, endpoints, occupancy, told, ready, reloads: None })
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
        let threads = Threads::build()?;
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
            let ready = Arc::clone(&self.ready);
            tasks.spawn(told.run(scrape(Arc::clone(&runtime), ready, self.occupancy.clone())));
        }
        let serving = threads.handles();
        tasks.spawn(lasting("the watchdog", move || notify::watchdog(serving.clone())));
        notify::ready(&status(&self.endpoints));
        let (ready, in_force) = (self.ready, Arc::clone(&runtime));
        let shutdown = async move {
            shutdown.await;
            ready.store(false, Ordering::Relaxed);
            notify::stopping(in_force.load().config.limits.drain);
        };
        milter::run(self.sockets, threads, runtime, observe, shutdown).await
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

fn status(endpoints: &[Endpoint]) -> String {
    let endpoints: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
    format!("serving {}", endpoints.join(", "))
}

/// Tells the metrics, with the load of whichever scanner is in force.
fn scrape(runtime: Arc<ArcSwap<Runtime>>, ready: Arc<AtomicBool>, occupancy: Occupancy) -> Scrape {
    // A reload does not change it.
    let connections_max = runtime.load().config.milter.connections_max;
    Arc::new(move || {
        let runtime = runtime.load();
        runtime.metrics.to_text(&Moment {
            load: runtime.scanner.as_ref().map(Scanner::load),
            is_ready: ready.load(Ordering::Relaxed),
            connections_max,
            held_bytes: occupancy.bytes(),
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
