//! The milter protocol: the only place that knows indymilter.
//!
//! `listener` accepts connections on each `socket`, `stream` watches them, `callbacks` turns protocol
//! events into calls of one `session`, `occupancy` counts what they hold together, and `apply`
//! carries out a verdict. What an event finds is remembered and answered at
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
pub(crate) mod occupancy;
mod session;
mod socket;
mod stream;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio_util::task::TaskTracker;

use self::occupancy::Occupancy;
use crate::runtime::Runtime;

/// How long connections may take to close once no message is open, or none is waited for any more.
const CLOSING: Duration = Duration::from_secs(2);

/// What a connection needs to know of the daemon.
pub(crate) struct Service {
    /// What messages are judged with: each takes it at MAIL and keeps it.
    pub(crate) runtime: Arc<ArcSwap<Runtime>>,
    /// Judge and log, change and refuse nothing.
    pub(crate) observe: bool,
    /// The open transactions: each holds a token until it ends.
    pub(crate) transactions: TaskTracker,
    /// What they hold together.
    pub(crate) occupancy: Occupancy,
}

/// Serves the sockets until `shutdown` resolves, then lets open transactions end.
pub(crate) async fn run(
    sockets: listener::Sockets,
    runtime: Arc<ArcSwap<Runtime>>,
    observe: bool,
    occupancy: Occupancy,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (transactions, stopping) = (TaskTracker::new(), sockets.stopping());
    let config = indymilter::Config {
        max_connections: runtime.load().config.milter.connections_max,
        ..indymilter::Config::default()
    };
    let in_force = Arc::clone(&runtime);
    let service = Service { runtime, observe, transactions: transactions.clone(), occupancy };
    let drained = async move {
        shutdown.await;
        stopping.cancel();
        transactions.close();
        let open = transactions.len();
        let secs = in_force.load().config.limits.drain.as_secs();
        tracing::info!(open, "stopping: no new connections, open messages may end within {secs} s");
        if tokio::time::timeout(Duration::from_secs(secs), transactions.wait()).await.is_err() {
            let open = transactions.len();
            tracing::warn!(open, "messages cut off: they did not end within limits.drain_secs_max");
        }
    };
    let drained = drained.shared();
    let serving =
        indymilter::run(sockets, callbacks::callbacks(&Arc::new(service)), config, drained.clone());
    tokio::select! {
        served = serving => served,
        // Sessions at work on the end of a message do not hear of it.
        () = async { drained.await; tokio::time::sleep(CLOSING).await } => Ok(()),
    }
}
