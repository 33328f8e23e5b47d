//! How large a stream a clamd takes, its `StreamMaxLength`. It tells nobody, but it answers to the
//! mere announcement of a chunk that is too large, before any octet of it: so the limit is found
//! between the announcements that it takes and those that it refuses.
//!
//! Failure: a clamd that answers anything else has no limit that we know of.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clamav_client::tokio::TransportProtocol as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::conversation::Address;
use super::reply::SIZE_LIMIT_EXCEEDED;
use crate::config::Endpoint;

/// How long all announcements together may take; there are 32 at most.
const MEASURING_TIMEOUT: Duration = Duration::from_secs(5);

/// What was learned so long ago may have changed since.
const LEARNED_FOR: Duration = Duration::from_hours(1);

/// What is known of one server's limit.
#[derive(Debug, Default)]
pub(super) struct StreamLimit {
    known: Mutex<Option<Known>>,
    /// Several messages may be refused at once, and one measurement is enough for them.
    is_measuring: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    bytes: u64,
    until: Option<Instant>,
}

impl StreamLimit {
    /// The limit that `clamd.conf` names, if it is known.
    pub(super) fn configured(bytes: Option<u64>) -> Self {
        let known = bytes.map(|bytes| Known { bytes, until: None });
        Self { known: Mutex::new(known), is_measuring: AtomicBool::new(false) }
    }

    /// The limit, as far as it is known now.
    pub(super) fn bytes(&self) -> Option<u64> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |known: &Known| known.until.is_none_or(|until| Instant::now() < until);
        known.filter(is_fresh).map(|known| known.bytes)
    }

    /// Finds it out at the server, and gives it back where it is news.
    pub(super) async fn learn(&self, server: &Endpoint) -> io::Result<Option<u64>> {
        if self.is_measuring.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "did not answer in time"));
        let measured = timeout(MEASURING_TIMEOUT, measure(server)).await.unwrap_or_else(late);
        self.is_measuring.store(false, Ordering::Relaxed);
        let measured = measured?;
        let known_before = self.bytes();
        let until = Some(Instant::now() + LEARNED_FOR);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = measured.map(|bytes| Known { bytes, until });
        Ok(measured.filter(|_| measured != known_before))
    }
}

/// The longest stream that the server takes; `None` where it takes any.
async fn measure(server: &Endpoint) -> io::Result<Option<u64>> {
    let (mut taken, mut refused) = (0, u32::MAX);
    if !refuses(server, refused).await? {
        return Ok(None);
    }
    while refused - taken > 1 {
        let between = taken + (refused - taken) / 2;
        if refuses(server, between).await? {
            refused = between;
        } else {
            taken = between;
        }
    }
    Ok(Some(u64::from(taken)))
}

/// Announces a chunk and hangs up: a server that would take it says nothing.
async fn refuses(server: &Endpoint, chunk_bytes: u32) -> io::Result<bool> {
    let mut talk = Address::new(server).connect().await?;
    talk.write_all(&[b"zINSTREAM\0".as_slice(), &chunk_bytes.to_be_bytes()].concat()).await?;
    // A server that has refused already may be gone.
    let _ = talk.shutdown().await;
    let mut reply = Vec::new();
    talk.read_to_end(&mut reply).await?;
    if reply.starts_with(SIZE_LIMIT_EXCEEDED) {
        return Ok(true);
    }
    if reply.is_empty() {
        return Ok(false);
    }
    Err(io::Error::other("makes no sense of INSTREAM"))
}
