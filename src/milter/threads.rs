//! The threads that serve connections: each connection stays on one.
//!
//! A message is many small events, each handed from the task that reads to the one that judges. Where
//! both are on one thread, no other has to be woken for each.
//!
//! Failure: a thread that ends before it is told to ends the daemon, and a service manager starts it
//! anew. What a connection's own task does wrong ends that connection alone.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread::available_parallelism;

use futures_util::future::try_join_all;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::listener::{Accepted, Sockets};
use super::stream::WatchedStream;
use super::{Service, callbacks};

/// The threads' runtimes, before they serve.
pub(crate) struct Threads(Vec<Runtime>);

/// A thread that serves, seen from the one that accepts.
struct Worker {
    connections: mpsc::UnboundedSender<Accepted>,
    /// Shared by each of its connections.
    counted: Arc<()>,
}

/// What a thread serves: the connections that are handed to it.
struct Handed {
    connections: mpsc::UnboundedReceiver<Accepted>,
    counted: Arc<()>,
}

impl Threads {
    /// As many as the machine lets us run at once.
    pub(crate) fn build() -> io::Result<Self> {
        let mut threads = Self(Vec::new());
        for _ in 0..available_parallelism().map_or(1, NonZero::get) {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            threads.0.push(runtime.enable_all().build()?);
        }
        Ok(threads)
    }

    /// To see whether each has its turn.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.0.iter().map(|runtime| runtime.handle().clone()).collect()
    }

    /// Serves the sockets until told to stop, and returns when all threads have ended.
    pub(super) async fn serve(
        mut self,
        mut sockets: Sockets,
        service: &Arc<Service>,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let (mut workers, mut ends) = (Vec::new(), Vec::new());
        for (number, runtime) in std::mem::take(&mut self.0).into_iter().enumerate() {
            let (worker, ended) = Worker::start(number, runtime, service, stop.clone())?;
            workers.push(worker);
            ends.push(async {
                let failed = || Err(io::Error::other("a thread that serves connections failed"));
                ended.await.unwrap_or_else(|_| failed())
            });
        }
        let accept = async {
            loop {
                let accepted = sockets.accept().await;
                if let Some(worker) = workers.iter().min_by_key(|worker| worker.open()) {
                    worker.serve(accepted);
                }
            }
        };
        tokio::select! {
            () = accept => Ok(()),
            ended = try_join_all(ends) => ended.map(|_| ()),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Where they don't come to serve: a runtime may not wait for its end inside another.
        self.0.drain(..).for_each(Runtime::shutdown_background);
    }
}

impl Worker {
    /// Starts a thread, and returns with it what tells how it ended.
    fn start(
        number: usize,
        runtime: Runtime,
        service: &Arc<Service>,
        stop: CancellationToken,
    ) -> io::Result<(Self, oneshot::Receiver<io::Result<()>>)> {
        let (sender, connections) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let counted = Arc::new(());
        let handed = Handed { connections, counted: Arc::clone(&counted) };
        let callbacks = callbacks::callbacks(service);
        // No more are handed over than there may be.
        let config =
            indymilter::Config { max_connections: Semaphore::MAX_PERMITS, ..Default::default() };
        std::thread::Builder::new().name(format!("milter-{number}")).spawn(move || {
            let served = indymilter::run(handed, callbacks, config, stop.cancelled_owned());
            let _ = end.send(runtime.block_on(served));
            runtime.shutdown_background();
        })?;
        Ok((Self { connections: sender, counted }, ended))
    }

    /// How many connections it has.
    fn open(&self) -> usize {
        Arc::strong_count(&self.counted)
    }

    fn serve(&self, accepted: Accepted) {
        // Where the thread has ended, so does the daemon.
        let _ = self.connections.send(accepted);
    }
}

impl indymilter::Listener for Handed {
    type Io = WatchedStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<WatchedStream>> {
        loop {
            // Nobody accepts any more where there is none; the thread is told by other means to stop.
            let Some(accepted) = ready!(self.connections.poll_recv(cx)) else {
                return Poll::Pending;
            };
            match accepted.watched(Arc::clone(&self.counted)) {
                Ok(stream) => return Poll::Ready(Ok(stream)),
                Err(error) => tracing::error!(%error, "a connection could not be served"),
            }
        }
    }
}
