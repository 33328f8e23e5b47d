//! The threads that serve connections: each connection stays on one.
//!
//! A message is many small events, each handed from the task that reads to the one that judges. Where
//! both are on one thread, no other has to be woken for each.
//!
//! Failure: a thread that ends before it is told to ends the daemon, and a service manager starts it
//! anew. What a connection's own task does wrong ends that connection alone.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::try_join_all;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::listener::{Accepted, Sockets};
use super::stream::WatchedStream;
use super::{Service, callbacks};
use crate::background::BackgroundRuntime;
use crate::work::processors;

/// The threads' runtimes, before they serve.
pub(crate) struct Threads(Vec<BackgroundRuntime>);

/// A thread that serves, seen from the one that accepts.
struct Worker {
    connections: mpsc::UnboundedSender<(Accepted, Arc<()>)>,
    /// Held by each of its connections.
    counted: Arc<()>,
}

/// What a thread serves: the connections that are handed to it.
struct Handed(mpsc::UnboundedReceiver<(Accepted, Arc<()>)>);

impl Threads {
    /// As many as the machine lets us run at once.
    pub(crate) fn build() -> io::Result<Self> {
        let build = || tokio::runtime::Builder::new_current_thread().enable_all().build();
        (0..processors()).map(|_| build().map(Into::into)).collect::<io::Result<_>>().map(Self)
    }

    /// To see whether each has its turn.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.0.iter().map(|runtime| runtime.handle().clone()).collect()
    }

    /// Serves the sockets until told to stop, and returns when all threads have ended.
    pub(super) async fn serve(
        self,
        mut sockets: Sockets,
        service: &Arc<Service>,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let (mut workers, mut ends) = (Vec::new(), Vec::new());
        for (number, runtime) in self.0.into_iter().enumerate() {
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

impl Worker {
    /// Starts a thread, and returns with it what tells how it ended.
    fn start(
        number: usize,
        runtime: BackgroundRuntime,
        service: &Arc<Service>,
        stop: CancellationToken,
    ) -> io::Result<(Self, oneshot::Receiver<io::Result<()>>)> {
        let (sender, connections) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let callbacks = callbacks::callbacks(service);
        // `Sockets` holds the limit, which is one for all threads.
        let config =
            indymilter::Config { max_connections: Semaphore::MAX_PERMITS, ..Default::default() };
        std::thread::Builder::new().name(format!("milter-{number}")).spawn(move || {
            let served =
                indymilter::run(Handed(connections), callbacks, config, stop.cancelled_owned());
            let served = runtime.block_on(served);
            // What still runs ends first.
            drop(runtime);
            let _ = end.send(served);
        })?;
        Ok((Self { connections: sender, counted: Arc::new(()) }, ended))
    }

    /// How many connections it has, those on their way to it among them.
    fn open(&self) -> usize {
        Arc::strong_count(&self.counted)
    }

    fn serve(&self, accepted: Accepted) {
        // Where the thread has ended, so does the daemon.
        let _ = self.connections.send((accepted, Arc::clone(&self.counted)));
    }
}

impl indymilter::Listener for Handed {
    type Io = WatchedStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<WatchedStream>> {
        loop {
            // Nobody accepts any more where there is none; the thread is told by other means to stop.
            let Some((accepted, counted)) = ready!(self.0.poll_recv(cx)) else {
                return Poll::Pending;
            };
            if let Some(stream) = accepted.watched(counted) {
                return Poll::Ready(Ok(stream));
            }
        }
    }
}
