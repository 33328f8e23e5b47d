//! The supervisor: opens the sockets, serves until a signal, drains, leaves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::config::Endpoint;
use crate::keys::Refreshed;
use crate::milter;
use crate::milter::listener::{BindError, Sockets};
use crate::runtime::Runtime;
use crate::telemetry;
use crate::telemetry::endpoint::EndpointError;

/// How often the key store is looked at for what the command line, or another machine, changed.
const KEYS_LOOK: Duration = Duration::from_secs(2);

/// A daemon whose sockets are open and that does not serve yet.
pub struct Daemon {
    runtime: Arc<Runtime>,
    sockets: Sockets,
    endpoints: Vec<Endpoint>,
    /// Where metrics and health are told, and whether new mail is taken.
    told: Option<telemetry::endpoint::Endpoint>,
    ready: Arc<AtomicBool>,
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
            Some(addr) => {
                let (metrics, ready) = (runtime.metrics.clone(), Arc::clone(&ready));
                Some(telemetry::endpoint::Endpoint::bind(addr, metrics, ready).await?)
            }
            None => None,
        };
        let sockets = Sockets::bind(&runtime.config.milter).await?;
        let endpoints = sockets.endpoints();
        Ok(Self { runtime: Arc::new(runtime), sockets, endpoints, told, ready })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Serves until `shutdown` resolves; then open transactions may end. With `observe`, messages
    /// are judged and logged, and neither changed nor refused.
    pub async fn run(self, observe: bool, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        // Dropped when serving ends, and the tasks with it.
        let mut tasks = JoinSet::new();
        tasks.spawn(follow_keys(Arc::clone(&self.runtime)));
        if let Some(told) = self.told {
            tasks.spawn(told.run());
        }
        let ready = self.ready;
        let shutdown = async move {
            shutdown.await;
            ready.store(false, Ordering::Relaxed);
        };
        milter::run(self.sockets, self.runtime, observe, shutdown).await
    }
}

/// Keeps the key ring true to the store.
async fn follow_keys(runtime: Arc<Runtime>) {
    let mut ticks = tokio::time::interval(KEYS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked = Arc::clone(&runtime);
        let Ok(refreshed) = tokio::task::spawn_blocking(move || looked.keys.refresh()).await else {
            tracing::error!("the key store could not be looked at; the keys stay as they are");
            continue;
        };
        tell(&runtime, &refreshed);
    }
}

/// Says what changed in the key store.
fn tell(runtime: &Runtime, refreshed: &Refreshed) {
    for problem in &refreshed.problems {
        tracing::error!("key store: {problem}");
    }
    for problem in &refreshed.mended {
        tracing::info!("key store: mended: {problem}");
    }
    let ring = runtime.keys.current();
    for domain in &refreshed.changed {
        let selectors: Vec<_> =
            ring.for_domain(domain.as_str()).iter().map(|key| key.selector().as_str()).collect();
        let selectors = if selectors.is_empty() { "none".to_owned() } else { selectors.join(",") };
        tracing::info!(%domain, %selectors, "the keys that sign have changed");
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
