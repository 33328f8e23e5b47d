//! What a message is fed to while it arrives, and waits for at its end.
//!
//! Failure: a scan that clamd fails, refuses or slows settles early; the rest of the message is
//! then let go, and the result says why. Dropping a scan ends its connection before clamd was told
//! of an end of the stream, so that half a message is never judged.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join};
use futures_util::poll;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::conversation::CHUNK_BYTES_MAX;
use super::pool::Pool;
use super::signature::Signatures;
use super::source::{Fed, Source};
use super::task::{Asked, Shared, scan};
use super::{ScanResult, ScanTimes, Scanned};
use crate::config::Clamav;

/// How many chunks wait for clamd at most.
const CHUNKS_WAITING_MAX: usize = 4;

/// How long one message may wait for a slow clamd before its end: Sendmail gives up on a filter that
/// is silent for 10 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// The clamds that scan.
#[derive(Clone, Debug)]
pub struct Scanner {
    pub(super) shared: Arc<Shared>,
    pub(super) database_age_max: Option<Duration>,
    replay_bytes_max: usize,
    timeout: Duration,
}

impl Scanner {
    /// `None` where no server is named: nothing is scanned.
    pub fn new(config: &Clamav) -> Option<Self> {
        let shared = || Shared {
            pool: Pool::new(config),
            signatures: Signatures::new(config),
            scan_bytes_max: config.scan_bytes_max,
        };
        (!config.servers.is_empty()).then(|| Self {
            shared: Arc::new(shared()),
            database_age_max: config.database_age_max,
            replay_bytes_max: config.replay_bytes_max,
            timeout: config.timeout,
        })
    }

    /// Whether that `clamd.conf` says what it said when the scanner was made.
    pub fn knows(&self, clamd_conf: &Path) -> bool {
        self.shared.pool.knows(clamd_conf)
    }

    /// Opens the scan of one message, inside a tokio runtime. The whole raw message follows by
    /// [`Scan::write`]: the header block, the empty line, the body. `scans_prefix`: of a message
    /// that is too large, as much as clamd takes is scanned.
    pub fn open(&self, scans_prefix: bool) -> Scan {
        let (feed, message) = mpsc::channel(CHUNKS_WAITING_MAX);
        let source = Source::new(message, self.replay_bytes_max, scans_prefix);
        let asked = Asked::default();
        let talk = Box::pin(scan(self.shared.clone(), source, asked.clone()));
        Scan {
            progress: Progress::Streaming { feed, talk },
            asked,
            opened: Instant::now(),
            patience: PATIENCE,
            timeout: self.timeout,
            fed_bytes: 0,
            replay_bytes_max: self.replay_bytes_max,
        }
    }
}

/// The scan of one message. It goes on whenever it is written to, in the task that does: no other
/// thread needs to be woken for it.
pub struct Scan {
    progress: Progress,
    asked: Asked,
    opened: Instant,
    patience: Duration,
    timeout: Duration,
    fed_bytes: usize,
    replay_bytes_max: usize,
}

enum Progress {
    Streaming { feed: mpsc::Sender<Fed>, talk: BoxFuture<'static, ScanResult> },
    Settled { result: ScanResult, at: Instant },
}

impl Scan {
    /// Hands on the next octets of the message. Waits while clamd is slow, 5 seconds a message at
    /// most; once the scan is settled, does nothing.
    pub async fn write(&mut self, mut octets: Bytes) {
        self.fed_bytes += octets.len();
        while !octets.is_empty() {
            self.feed(octets.split_to(octets.len().min(CHUNK_BYTES_MAX))).await;
        }
        if let Progress::Streaming { talk, .. } = &mut self.progress
            && let Poll::Ready(result) = poll!(talk)
        {
            self.settle(result);
        }
    }

    /// The memory that it fills: what is kept for another server, until that is too much.
    pub(crate) fn held_bytes(&self) -> usize {
        match self.progress {
            Progress::Streaming { .. } if self.fed_bytes <= self.replay_bytes_max => self.fed_bytes,
            Progress::Streaming { .. } | Progress::Settled { .. } => 0,
        }
    }

    fn settle(&mut self, result: ScanResult) {
        self.progress = Progress::Settled { result, at: Instant::now() };
    }

    async fn feed(&mut self, chunk: Bytes) {
        let Progress::Streaming { feed, talk } = &mut self.progress else { return };
        let waiting_since = Instant::now();
        let fed = async {
            tokio::select! {
                biased;
                // Where nothing more is wanted, sending fails, and the result comes at the end.
                _ = feed.send(Fed::Chunk(chunk)) => None,
                result = talk => Some(result),
            }
        };
        match timeout(self.patience, fed).await {
            Ok(None) => self.patience = self.patience.saturating_sub(waiting_since.elapsed()),
            Ok(Some(result)) => self.settle(result),
            Err(_) => {
                let secs = PATIENCE.as_secs();
                let fault = format!("took the message too slowly: {secs} s were spent waiting");
                self.settle(self.blame(&fault));
            }
        }
    }

    /// Ends the message and awaits the verdict, until `deadline` or for the configured time,
    /// whichever is over first.
    pub async fn finish(mut self, deadline: Instant) -> Scanned {
        let waiting_since = Instant::now();
        let deadline = deadline.min(waiting_since + self.timeout);
        let result = match &mut self.progress {
            Progress::Settled { result, at } => {
                let times = ScanTimes { wait: Duration::ZERO, whole: *at - self.opened };
                return Scanned { result: result.clone(), times, is_late: false };
            }
            Progress::Streaming { feed, talk } => {
                // Where the end is not wanted, sending it fails.
                let verdict = async { join(feed.send(Fed::End), talk).await.1 };
                timeout_at(deadline, verdict).await
            }
        };
        let wait = waiting_since.elapsed();
        let is_late = result.is_err();
        let late = || self.blame(&format!("did not answer within {} s", wait.as_secs()));
        let result = result.unwrap_or_else(|_| late());
        self.log(&result, wait);
        let times = ScanTimes { wait, whole: self.opened.elapsed() };
        Scanned { result, times, is_late }
    }

    /// Holds it against the server that is asked that this scan ends without a verdict.
    fn blame(&self, fault: &str) -> ScanResult {
        let Some(server) = self.asked.server() else {
            return ScanResult::failed("no turn came: clamav.scans_max scans were under way");
        };
        server.failed(fault);
        ScanResult::failed(format!("clamd at {}: {fault}", server.endpoint))
    }

    fn log(&self, result: &ScanResult, wait: Duration) {
        let server = self.asked.server();
        tracing::debug!(
            server = server.as_ref().map_or_else(String::new, |server| server.endpoint.to_string()),
            breaker = server.as_ref().map_or("-", |server| server.breaker_state()),
            under_way = server.as_ref().map_or(0, |server| server.under_way()),
            wait_us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX),
            result = %result.in_full(),
            "scan"
        );
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("asked", &self.asked).finish_non_exhaustive()
    }
}
