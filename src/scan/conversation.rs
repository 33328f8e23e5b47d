//! One connection to clamd, in the shape that `clamav_client` drives: it writes the command and all
//! chunks first and reads afterwards.
//!
//! What that leaves out is done here: an answer that comes while the message is still being written
//! ("size limit exceeded", after which clamd closes) is read before a reset can destroy it; the
//! answer has a limit; small writes are gathered.
//!
//! Failure: an error says what is wrong with the talk; the caller knows with which server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use clamav_client::tokio::TransportProtocol;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;

use super::reply::REPLY_BYTES_MAX;
use crate::config::Endpoint;

/// How long one server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long it is left alone where too many wait there.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// How much of the message goes to clamd as one chunk of INSTREAM.
pub(super) const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Each chunk follows its length.
const LENGTH_BYTES: usize = 4;

/// A chunk and its length go out in one write.
const WRITE_BUFFER_BYTES: usize = CHUNK_BYTES_MAX + LENGTH_BYTES;

/// Where a clamd listens, in the shape in which `clamav_client` connects to it.
pub(super) struct Address<'a> {
    server: &'a Endpoint,
    more_is_there: Arc<AtomicBool>,
}

impl<'a> Address<'a> {
    pub(super) fn new(server: &'a Endpoint) -> Self {
        Self::with_more(server, Arc::default())
    }

    /// For a message of which more may be there already when some of it is written.
    pub(super) fn with_more(server: &'a Endpoint, more_is_there: Arc<AtomicBool>) -> Self {
        Self { server, more_is_there }
    }
}

impl TransportProtocol for Address<'_> {
    type Stream = Conversation;

    async fn connect(&self) -> io::Result<Conversation> {
        let socket = connect(self.server).await?;
        Ok(Conversation::new(socket, self.more_is_there.clone()))
    }
}

type Socket = Either<TcpStream, UnixStream>;

async fn connect(server: &Endpoint) -> io::Result<Socket> {
    let connected = async {
        match server {
            Endpoint::Inet(address) => {
                let socket = TcpStream::connect(address).await?;
                // What is written is a whole chunk, or the end: nothing is worth waiting for.
                socket.set_nodelay(true)?;
                Ok(Either::Left(socket))
            }
            Endpoint::Unix(path) => loop {
                match UnixStream::connect(path).await {
                    // A full backlog of a Unix socket says so, where TCP's waits.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        sleep(BACKLOG_PAUSE).await;
                    }
                    connected => break connected.map(Either::Right),
                }
            },
        }
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "did not accept a connection in time");
    timeout(CONNECT_TIMEOUT, connected).await.unwrap_or_else(|_| Err(late()))
}

/// clamd answered before it had the whole message.
#[derive(Debug, thiserror::Error)]
#[error("answered before the end of the message")]
pub(super) struct EarlyReply(pub(super) Vec<u8>);

/// A connection that listens while it speaks.
pub(super) struct Conversation {
    socket: BufWriter<Socket>,
    reply: Vec<u8>,
    reply_is_whole: bool,
    reply_bytes_read: usize,
    /// Why clamd can no longer be written to; it may still have something to say.
    deaf: Option<io::Error>,
    more_is_there: Arc<AtomicBool>,
}

impl Conversation {
    fn new(socket: Socket, more_is_there: Arc<AtomicBool>) -> Self {
        Self {
            socket: BufWriter::with_capacity(WRITE_BUFFER_BYTES, socket),
            reply: Vec::new(),
            reply_is_whole: false,
            reply_bytes_read: 0,
            deaf: None,
            more_is_there,
        }
    }

    /// Ready once clamd has said all that it says: up to the NUL, or until it closes.
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.reply_is_whole {
            let mut chunk = [0; 512];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(self.socket.get_mut()).poll_read(cx, &mut chunk))?;
            let said = chunk.filled();
            let nul = said.iter().position(|&octet| octet == 0);
            self.reply.extend_from_slice(nul.map_or(said, |nul| &said[..=nul]));
            self.reply_is_whole = said.is_empty() || nul.is_some();
            if self.reply.len() > REPLY_BYTES_MAX {
                let fault = format!("answered with more than {REPLY_BYTES_MAX} octets");
                return Poll::Ready(Err(io::Error::other(fault)));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Pending while clamd says nothing, which is how it is while it is spoken to.
    fn poll_early_reply(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let heard = ready!(self.poll_reply(cx));
        let early = || io::Error::other(EarlyReply(self.reply.clone()));
        Poll::Ready(match (heard, self.deaf.take()) {
            (Ok(()), Some(deaf)) if self.reply.is_empty() => deaf,
            (Ok(()), _) => early(),
            (Err(fault), _) => fault,
        })
    }

    fn poll_speaking<T>(
        &mut self,
        cx: &mut Context<'_>,
        speak: impl FnOnce(Pin<&mut BufWriter<Socket>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(early) = self.poll_early_reply(cx) {
            return Poll::Ready(Err(early));
        }
        // At its size limit clamd stops listening first and says why afterwards. The wait for that
        // ends with the scan's own.
        if self.deaf.is_some() || !self.reply.is_empty() {
            return Poll::Pending;
        }
        match speak(Pin::new(&mut self.socket), cx) {
            Poll::Ready(Err(fault)) => {
                self.deaf = Some(fault);
                self.poll_early_reply(cx).map(Err)
            }
            spoken => spoken,
        }
    }
}

impl AsyncWrite for Conversation {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.poll_speaking(cx, |socket, cx| socket.poll_write(cx, octets));
        let is_all_there_is = !self.more_is_there.load(Ordering::Relaxed);
        if is_all_there_is && octets.len() > LENGTH_BYTES && matches!(written, Poll::Ready(Ok(_))) {
            // While more is awaited, clamd gets what there is. If the socket is full or broken, the
            // next write meets that again.
            let _ = self.poll_speaking(cx, AsyncWrite::poll_flush);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_speaking(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl AsyncRead for Conversation {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_reply(cx))?;
        let rest = self.reply.get(self.reply_bytes_read..).unwrap_or_default();
        let taken = rest.len().min(out.remaining());
        out.put_slice(&rest[..taken]);
        self.reply_bytes_read += taken;
        Poll::Ready(Ok(()))
    }
}
