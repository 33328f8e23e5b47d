//! The sockets: several of both kinds behind one accept, and a watched stream for each connection.
//!
//! Failure: a failed accept (no descriptors left) is logged and tried again after a pause; nothing
//! that a peer does ends the accept loop. A peer that `allow_peers` does not name is closed at once:
//! whoever speaks milter can ask for signatures.

use std::fs;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::frames::Frames;
use crate::config::{Endpoint, Milter};
use crate::telemetry::metrics::{Open, ServingMetrics};

/// How long accepting pauses after a failure: long enough that descriptors may come free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address can't be bound.
    #[error("milter.listen: {endpoint}: {error}{}", remedy(.error))]
    Bind {
        /// The socket as configured.
        endpoint: Endpoint,
        /// What the system said; part of the message, so not a source of its own.
        error: io::Error,
    },
    /// Another process serves the Unix socket.
    #[error("milter.listen: {0}: another process serves this socket; stop it or name another path")]
    InUse(Endpoint),
    /// A file that is no socket stands in the way.
    #[error("milter.listen: {0}: a file that is no socket stands there; move it away")]
    NoSocket(Endpoint),
    /// The group of `milter.socket_group` is unknown.
    #[error("milter.socket_group: no group {0:?} on this system")]
    Group(String),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "; another process listens there: stop it or choose another port",
        ErrorKind::PermissionDenied => "; the daemon's user may not: choose another place",
        ErrorKind::NotFound => "; make its directory first",
        _ => "",
    }
}

enum Socket {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

/// All sockets of the daemon.
pub(crate) struct Sockets {
    listening: Vec<Socket>,
    allow_peers: Vec<IpNet>,
    next: usize,
    pause: Option<Pin<Box<Sleep>>>,
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    stopping: bool,
    metrics: ServingMetrics,
}

impl Sockets {
    /// Opens the configured sockets.
    pub(crate) async fn bind(config: &Milter) -> Result<Self, BindError> {
        let mut listening = Vec::new();
        for endpoint in &config.listen {
            let failed = |error| BindError::Bind { endpoint: endpoint.clone(), error };
            listening.push(match endpoint {
                Endpoint::Inet(addr) => {
                    let listener = TcpListener::bind(addr).await.map_err(failed)?;
                    // With port 0 the system chose one.
                    let addr = listener.local_addr().map_err(failed)?;
                    Socket::Tcp(listener, addr)
                }
                Endpoint::Unix(path) => {
                    Socket::Unix(bind_unix(endpoint, path, config)?, path.clone())
                }
            });
        }
        let allow_peers = config.allow_peers.clone();
        Ok(Self {
            listening,
            allow_peers,
            next: 0,
            pause: None,
            stopped: None,
            stopping: false,
            metrics: ServingMetrics::default(),
        })
    }

    /// Where the sockets listen, with the port that the system chose where 0 was asked for.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |socket: &Socket| match socket {
            Socket::Tcp(_, addr) => Endpoint::Inet(*addr),
            Socket::Unix(_, path) => Endpoint::Unix(path.clone()),
        };
        self.listening.iter().map(endpoint).collect()
    }

    pub(super) fn count_in(&mut self, metrics: ServingMetrics) {
        self.metrics = metrics;
    }

    pub(super) fn stop_accepting_on(&mut self, mut stopped: watch::Receiver<bool>) {
        self.stopped = Some(Box::pin(async move {
            // An error means that the daemon itself is gone, which is a stop as well.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }));
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
                Socket::Unix(listener, path) => listener
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
                self.allow_peers.iter().any(|net| net.contains(&ip))
            }
            // The socket's mode and group say who may connect.
            Peer::Unix(_) => true,
        }
    }
}

impl indymilter::Listener for Sockets {
    type Io = WatchedStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<WatchedStream>> {
        if let Some(stopped) = &mut self.stopped
            && !self.stopping
        {
            self.stopping = stopped.as_mut().poll(cx).is_ready();
        }
        loop {
            if self.stopping {
                return Poll::Pending;
            }
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.poll_sockets(cx)) {
                Ok((stream, peer)) if self.allows(&peer) => {
                    return Poll::Ready(Ok(WatchedStream::new(
                        stream,
                        peer,
                        self.metrics.connected(),
                    )));
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
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for socket in &self.listening {
            if let Socket::Unix(_, path) = socket {
                // A socket that is left behind is replaced at the next start.
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn bind_unix(endpoint: &Endpoint, path: &Path, config: &Milter) -> Result<UnixListener, BindError> {
    let failed = |error| BindError::Bind { endpoint: endpoint.clone(), error };
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::NoSocket(endpoint.clone()));
        }
        // A socket of a daemon that is gone refuses connections.
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(BindError::InUse(endpoint.clone()));
        }
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    if let Some(name) = &config.socket_group {
        std::os::unix::fs::chown(path, None, Some(group_id(name)?)).map_err(failed)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(config.socket_mode)).map_err(failed)?;
    Ok(listener)
}

/// The group by its name or its number.
fn group_id(name: &str) -> Result<u32, BindError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let group = nix::unistd::Group::from_name(name).ok().flatten();
    group.map(|group| group.gid.as_raw()).ok_or_else(|| BindError::Group(name.to_owned()))
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Who is at the other end.
#[derive(Debug)]
enum Peer {
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

/// A connection whose frames are followed, so that an abnormal end leaves a line in the log.
#[derive(Debug)]
pub(crate) struct WatchedStream {
    stream: Stream,
    peer: Peer,
    frames: Frames,
    _open: Open,
}

impl WatchedStream {
    fn new(stream: Stream, peer: Peer, open: Open) -> Self {
        tracing::debug!(%peer, "connected");
        if let Stream::Tcp(stream) = &stream {
            // Replies are small and waited for; a failure costs only time.
            let _ = stream.set_nodelay(true);
        }
        Self { stream, peer, frames: Frames::default(), _open: open }
    }
}

impl Drop for WatchedStream {
    fn drop(&mut self) {
        if let Some(fault) = self.frames.fault() {
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
        let filled = buf.filled().len();
        let result = match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        };
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
