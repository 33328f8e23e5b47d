//! The milter protocol: the only place that knows indymilter.
//!
//! `listener` accepts and watches connections, `callbacks` turns protocol events into calls of one
//! `session`, and `apply` carries out a verdict. What an event finds is remembered and answered at
//! the end of the message, so that a whole message costs the MTA one wait.
//!
//! Failure: whatever a peer sends, only its own connection ends. A panic while handling a message
//! is a 451 4.3.0 for that message. When the MTA goes away, the message's look-ups and scan end.
//! What is cut off at the end of a drain may say `connection stream closed` as the process ends: the
//! library's task for a connection went before the one that wrote to it, and nothing depends on it.

mod apply;
mod callbacks;
mod frames;
pub(crate) mod listener;
mod session;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::runtime::Runtime;

/// How long open transactions may take to end once the daemon is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// What a connection needs to know of the daemon.
pub(crate) struct Service {
    /// What messages are judged with: each takes it at MAIL and keeps it.
    pub(crate) runtime: Arc<ArcSwap<Runtime>>,
    /// Judge and log, change and refuse nothing.
    pub(crate) observe: bool,
    /// The open transactions: each holds a token until it ends.
    pub(crate) transactions: TaskTracker,
}

/// Serves the sockets until `shutdown` resolves, then lets open transactions end.
pub(crate) async fn run(
    mut sockets: listener::Sockets,
    runtime: Arc<ArcSwap<Runtime>>,
    observe: bool,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let transactions = TaskTracker::new();
    let (stop, stopped) = watch::channel(false);
    sockets.stop_accepting_on(stopped);
    sockets.count_in(runtime.load().metrics.serving.clone());
    let config = indymilter::Config {
        max_connections: runtime.load().config.milter.connections_max,
        ..indymilter::Config::default()
    };
    let service = Arc::new(Service { runtime, observe, transactions: transactions.clone() });
    let drained = async move {
        shutdown.await;
        // Sending fails only where the listener is gone, and then nothing is accepted any more.
        let _ = stop.send(true);
        transactions.close();
        let open = transactions.len();
        tracing::info!(open, "stopping: no new connections, open transactions may end");
        if tokio::time::timeout(DRAIN, transactions.wait()).await.is_err() {
            tracing::warn!(open = transactions.len(), "transactions cut off: they did not end");
        }
    };
    indymilter::run(sockets, callbacks::callbacks(&service), config, drained).await
}
