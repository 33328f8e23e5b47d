//! One accepted connection, its frames followed on their way.
//!
//! Failure: an abnormal end leaves a line in the log. While the daemon stops, a connection between
//! two messages is seen as ended by its peer, whatever the peer has in mind. A peer that connects and
//! says nothing is not waited for: it would keep a place from an MTA for hours.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::frames::Frames;
use super::occupancy::Connected;
use crate::telemetry::metrics::Open;

/// How long a peer may take until its first command is there. An MTA sends it at once.
const FIRST_COMMAND: Duration = Duration::from_secs(30);
/// The same while most of the places are taken. Not only while all are: of a thousand silent peers
/// the first would leave, and the others stay.
const FIRST_COMMAND_CROWDED: Duration = Duration::from_secs(1);

/// The socket of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// The same connection, on the runtime of the thread that calls.
    pub(super) fn moved(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream.into_std()?)?),
            Self::Unix(stream) => Self::Unix(UnixStream::from_std(stream.into_std()?)?),
        })
    }
}

/// Who is at the other end.
#[derive(Debug)]
pub(super) enum Peer {
    Inet(SocketAddr),
    Unix(PathBuf),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inet(addr) => match addr.ip() {
                IpAddr::V4(ip) => write!(f, "inet:{ip}:{}", addr.port()),
                IpAddr::V6(ip) => write!(f, "inet:[{ip}]:{}", addr.port()),
            },
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A connection whose frames are followed, so that an abnormal end leaves a line in the log and an
/// idle one can be told from one in the midst of a message.
pub(crate) struct WatchedStream {
    stream: Stream,
    peer: Peer,
    frames: Frames,
    /// Resolves when the daemon stops.
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    was_idle_at_stop: bool,
    /// Until the first command is there.
    patience: Option<Box<Patience>>,
    was_late: bool,
    /// Counts as open until dropped.
    connected: Counted,
}

/// What counts a connection until dropped: the limit, the metrics, and the thread that serves it.
type Counted = (Connected, Open, Arc<()>);

/// The wait for the first command.
struct Patience {
    ticks: Interval,
    until: Instant,
}

impl Patience {
    fn new() -> Self {
        let now = Instant::now();
        let mut ticks = interval_at(now + FIRST_COMMAND_CROWDED, FIRST_COMMAND_CROWDED);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, until: now + FIRST_COMMAND }
    }
}

impl WatchedStream {
    pub(super) fn new(
        stream: Stream,
        peer: Peer,
        stopping: CancellationToken,
        connected: Counted,
    ) -> Self {
        tracing::debug!(%peer, "connected");
        if let Stream::Tcp(stream) = &stream {
            // Replies are small and waited for; a failure costs only time.
            let _ = stream.set_nodelay(true);
        }
        Self {
            stream,
            peer,
            frames: Frames::default(),
            stopping: Box::pin(stopping.cancelled_owned()),
            was_idle_at_stop: false,
            patience: Some(Box::new(Patience::new())),
            was_late: false,
            connected,
        }
    }

    /// Whether the daemon stops and this connection keeps it from nothing.
    fn may_end(&mut self, cx: &mut Context<'_>) -> bool {
        // Polled in any case, so that the end wakes whoever waits for the peer here.
        let is_stopping = self.stopping.as_mut().poll(cx).is_ready();
        self.was_idle_at_stop |= is_stopping && self.frames.is_idle();
        self.was_idle_at_stop
    }

    /// Whether the peer has had its time for the first command.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(patience) = &mut self.patience else { return false };
        if self.frames.has_begun() {
            self.patience = None;
            return false;
        }
        while let Poll::Ready(now) = patience.ticks.poll_tick(cx) {
            self.was_late |= now >= patience.until || self.connected.0.is_crowded();
        }
        self.was_late
    }
}

impl Drop for WatchedStream {
    fn drop(&mut self) {
        if self.was_idle_at_stop {
            tracing::debug!(peer = %self.peer, "closed: the daemon stops");
        } else if self.was_late {
            tracing::warn!(peer = %self.peer, "closed: the peer does not begin to speak milter");
        } else if let Some(fault) = self.frames.fault() {
            tracing::warn!(peer = %self.peer, "milter connection ended abnormally: {fault}");
        }
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.may_end(cx) {
            return Poll::Ready(Ok(()));
        }
        let filled = buf.filled().len();
        let result = match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        // A peer whose words lie there was not silent: this thread was busy.
        if result.is_pending() && this.is_late(cx) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        this.frames.read(&buf.filled()[filled..]);
        if this.frames.is_broken() {
            buf.set_filled(filled);
            return Poll::Ready(Err(ErrorKind::InvalidData.into()));
        }
        result
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream as Blocking;

    use futures_util::FutureExt as _;
    use tokio::io::AsyncReadExt as _;
    use tokio::sync::Semaphore;
    use tokio::time::advance;

    use super::super::occupancy::Occupancy;
    use super::*;
    use crate::telemetry::metrics::ServingMetrics;

    /// An end of message, by its frame.
    const COMMAND: &[u8] = b"\0\0\0\x01E";

    /// A connection while most of the places are taken, and its peer.
    fn crowded() -> (WatchedStream, Blocking) {
        let (ours, theirs) = Blocking::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = Stream::Unix(UnixStream::from_std(ours).unwrap());
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let connected = Occupancy::default().connect(permit, 1);
        let counted = (connected, ServingMetrics::default().connected(), Arc::new(()));
        let peer = Peer::Unix(PathBuf::new());
        (WatchedStream::new(stream, peer, CancellationToken::new(), counted), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_speaks_while_its_thread_is_busy_is_served() {
        let (mut stream, mut peer) = crowded();
        let mut octets = [0; 64];
        assert!(stream.read(&mut octets).now_or_never().is_none());
        peer.write_all(COMMAND).unwrap();
        advance(FIRST_COMMAND_CROWDED * 2).await;
        let count = stream.read(&mut octets).await.unwrap();
        assert_eq!(&octets[..count], COMMAND);
        // It has begun, and may take its time for the next.
        advance(FIRST_COMMAND).await;
        assert!(stream.read(&mut octets).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_not_waited_for_where_it_is_crowded() {
        let (mut stream, _peer) = crowded();
        let begun = Instant::now();
        let error = stream.read(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < FIRST_COMMAND);
    }
}
