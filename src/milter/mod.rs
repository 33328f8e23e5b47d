//! The milter protocol: the only place that knows indymilter.
//!
//! `listener` accepts connections on each `socket` for the `threads` that serve them, `stream` watches
//! them, `callbacks` turns protocol events into calls of one `session`, `occupancy` counts what they
//! hold together, and `apply` carries out a verdict. What an event finds is remembered and answered at
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
pub(crate) mod threads;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::listener::Sockets;
use self::occupancy::Occupancy;
use self::threads::Threads;
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
    sockets: Sockets,
    threads: Threads,
    runtime: Arc<ArcSwap<Runtime>>,
    observe: bool,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (transactions, stopping) = (TaskTracker::new(), sockets.stopping());
    let (in_force, occupancy) = (Arc::clone(&runtime), sockets.occupancy());
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
    let stop = CancellationToken::new();
    // The threads end with this future, too.
    let _end = stop.clone().drop_guard();
    let service = Arc::new(service);
    tokio::select! {
        served = threads.serve(sockets, &service, &stop) => served,
        () = async {
            drained.await;
            stop.cancel();
            // Sessions at work on the end of a message do not hear of it.
            tokio::time::sleep(CLOSING).await;
        } => Ok(()),
    }
}
