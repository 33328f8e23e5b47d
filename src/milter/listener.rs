//! The sockets: several of both kinds behind one accept, with the limit on connections.
//!
//! Failure: a failed accept (no descriptors left) is logged and tried again after a pause; nothing
//! that a peer does ends the accept loop. A peer that `allow_peers` does not name is closed at once:
//! whoever speaks milter can ask for signatures.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};
use tokio_util::sync::{CancellationToken, PollSemaphore, WaitForCancellationFutureOwned};

use super::occupancy::{Connected, Occupancy};
pub(crate) use super::socket::BindError;
use super::socket::{self, Socket, inherited};
use super::stream::{Peer, Stream, WatchedStream};
use crate::config::{Endpoint, Milter};
use crate::message::limit::Limit;
use crate::telemetry::metrics::{Open, ServingMetrics};

/// How long accepting pauses after a failure: long enough that descriptors may come free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);
/// How often it is seen whether the Unix sockets are still there.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is told at most that connections wait.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// All sockets of the daemon.
pub(crate) struct Sockets {
    listening: Vec<Socket>,
    config: Milter,
    next: usize,
    pause: Option<Pin<Box<Sleep>>>,
    look: Interval,
    /// What kept a socket that vanished from being opened anew; told when it changes.
    trouble: Option<String>,
    /// `milter.connections_max` of them.
    permits: PollSemaphore,
    occupancy: Occupancy,
    metrics: ServingMetrics,
    told_full: Option<Instant>,
    stopping: CancellationToken,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Whether the configured sockets can be opened, as far as that shows before they are.
pub(crate) fn check(config: &Milter) -> Result<(), BindError> {
    socket::group(config).map(drop)
}

impl Sockets {
    /// Takes over the sockets that the service manager opened, or else opens the configured ones,
    /// inside a tokio runtime.
    pub(crate) fn open(
        config: &Milter,
        occupancy: Occupancy,
        metrics: ServingMetrics,
    ) -> Result<Self, BindError> {
        let mut listening = inherited()?;
        if listening.is_empty() {
            let open = config.listen.iter().map(|endpoint| Socket::open(endpoint, config));
            listening = open.collect::<Result<_, _>>()?;
        } else {
            tracing::info!("the service manager's sockets are served, not those of milter.listen");
        }
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopping = CancellationToken::new();
        Ok(Self {
            listening,
            config: config.clone(),
            next: 0,
            pause: None,
            look,
            trouble: None,
            permits: PollSemaphore::new(Arc::new(Semaphore::new(config.connections_max))),
            occupancy,
            metrics,
            told_full: None,
            stopped: Box::pin(stopping.clone().cancelled_owned()),
            stopping,
        })
    }

    /// Where the sockets listen, with the port that the system chose where 0 was asked for.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.listening.iter().map(Socket::endpoint).collect()
    }

    /// What counts the connections.
    pub(super) fn occupancy(&self) -> Occupancy {
        self.occupancy.clone()
    }

    /// Once cancelled, nothing more is accepted, and connections between messages are closed.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// The next connection; none while `milter.connections_max` are open, or once told to stop.
    pub(super) async fn accept(&mut self) -> Accepted {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Accepted> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            // Whoever comes now is refused at once, and does not wait for us to be gone. A service
            // manager's own copy keeps its socket open for who comes after us.
            self.listening.clear();
            return Poll::Pending;
        }
        while self.look.poll_tick(cx).is_ready() {
            self.reopen();
        }
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            // The semaphore is never closed; where nobody comes now, the permit is given back.
            let Some(permit) = ready!(self.permits.poll_acquire(cx)) else { return Poll::Pending };
            match ready!(self.poll_sockets(cx)) {
                Ok((stream, peer)) if self.allows(&peer) => {
                    return Poll::Ready(self.accepted(stream, peer, permit));
                }
                Ok((_, peer)) => {
                    self.metrics.not_connected("refused");
                    tracing::warn!(%peer, "connection refused: milter.allow_peers does not name it");
                }
                Err(error) => {
                    self.metrics.not_connected("failed");
                    tracing::error!(%error, "no connection could be accepted, trying again");
                    self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
                }
            }
        }
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        for _ in 0..self.listening.len() {
            // Each socket has its turn, so that a busy one can't starve the others.
            let socket = &self.listening[self.next];
            self.next = (self.next + 1) % self.listening.len();
            let accepted = match socket {
                Socket::Tcp(listener, _) => listener
                    .poll_accept(cx)
                    .map_ok(|(stream, addr)| (Stream::Tcp(stream), Peer::Inet(addr))),
                Socket::Unix(listener, path, _) => listener
                    .poll_accept(cx)
                    .map_ok(|(stream, _)| (Stream::Unix(stream), Peer::Unix(path.clone()))),
            };
            if accepted.is_ready() {
                return accepted;
            }
        }
        Poll::Pending
    }

    fn allows(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Inet(addr) => {
                let ip = addr.ip().to_canonical();
                self.config.allow_peers.iter().any(|net: &IpNet| net.contains(&ip))
            }
            // The socket's mode and group say who may connect.
            Peer::Unix(_) => true,
        }
    }

    /// Opens Unix sockets anew whose files are gone: an MTA would find nobody for ever.
    fn reopen(&mut self) {
        let mut trouble = None;
        for socket in self.listening.iter_mut().filter(|socket| socket.has_vanished()) {
            let endpoint = socket.endpoint();
            match Socket::open(&endpoint, &self.config) {
                Ok(opened) => {
                    socket.forget_file();
                    *socket = opened;
                    tracing::warn!(%endpoint, "the socket's file was gone: opened anew");
                }
                Err(error) => trouble = Some(error.to_string()),
            }
        }
        if trouble != self.trouble {
            if let Some(trouble) = &trouble {
                tracing::error!("the socket's file is gone, and no MTA can connect: {trouble}");
            }
            self.trouble = trouble;
        }
    }

    fn accepted(&mut self, stream: Stream, peer: Peer, permit: OwnedSemaphorePermit) -> Accepted {
        let connected = self.occupancy.connect(permit, self.config.connections_max);
        let is_last = connected.is_last();
        let connected = (connected, self.metrics.connected());
        if is_last {
            self.metrics.limit_reached(Limit::Connections);
            self.tell_full();
        }
        Accepted { stream, peer, stopping: self.stopping.clone(), connected }
    }

    fn tell_full(&mut self) {
        if self.told_full.is_none_or(|told| told.elapsed() > TELL_AGAIN) {
            let max = self.config.connections_max;
            tracing::warn!(max, "milter.connections_max is reached: more connections wait");
            self.told_full = Some(Instant::now());
        }
    }
}

/// A connection on its way to the thread that serves it.
pub(super) struct Accepted {
    stream: Stream,
    peer: Peer,
    stopping: CancellationToken,
    connected: (Connected, Open),
}

impl Accepted {
    /// The stream, on the runtime of the thread that calls; `thread` counts what that has.
    pub(super) fn watched(self, thread: Arc<()>) -> Option<WatchedStream> {
        let Self { stream, peer, stopping, connected: (connected, open) } = self;
        match stream.moved() {
            Ok(stream) => {
                Some(WatchedStream::new(stream, peer, stopping, (connected, open, thread)))
            }
            Err(error) => {
                tracing::error!(%peer, %error, "closed: the connection could not be served");
                None
            }
        }
    }
}
