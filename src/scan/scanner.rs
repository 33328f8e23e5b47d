//! Scans: one task a message, fed while the message arrives.
//!
//! Failure: a scan that clamd fails, refuses or slows settles early; the rest of the message is
//! then let go, and the result says why. Dropping a scan ends its connection before clamd was told
//! of an end of the stream, so that half a message is never judged.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::ScanResult;
use super::conversation::{CHUNK_BYTES_MAX, Clamds, EarlyReply};
use super::reply::parse_reply;
use crate::config::{Clamav, Endpoint};

/// How many chunks wait for clamd at most.
const CHUNKS_WAITING_MAX: usize = 4;

/// How long one message may wait for a slow clamd before its end: Sendmail gives up on a filter that
/// is silent for 10 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// The clamds that scan.
#[derive(Clone, Debug)]
pub struct Scanner {
    servers: Arc<[Endpoint]>,
    scan_bytes_max: u64,
    timeout: Duration,
}

impl Scanner {
    /// `None` where no server is named: nothing is scanned.
    pub fn new(config: &Clamav) -> Option<Self> {
        if config.servers.is_empty() {
            return None;
        }
        Some(Self {
            servers: config.servers.as_slice().into(),
            scan_bytes_max: config.scan_bytes_max,
            timeout: config.timeout,
        })
    }

    /// Opens the scan of one message, inside a tokio runtime. The whole raw message follows by
    /// [`Scan::write`]: the header block, the empty line, the body.
    pub fn open(&self) -> Scan {
        let (feed, messages) = mpsc::channel(CHUNKS_WAITING_MAX);
        let conversation = tokio::spawn(converse(self.servers.clone(), messages));
        Scan {
            progress: Progress::Streaming {
                feed,
                conversation: AbortOnDropHandle::new(conversation),
            },
            bytes_max: self.scan_bytes_max,
            bytes_left: self.scan_bytes_max,
            patience: PATIENCE,
            timeout: self.timeout,
        }
    }
}

/// The scan of one message.
#[derive(Debug)]
pub struct Scan {
    progress: Progress,
    bytes_max: u64,
    bytes_left: u64,
    patience: Duration,
    timeout: Duration,
}

#[derive(Debug)]
enum Progress {
    Streaming { feed: mpsc::Sender<Fed>, conversation: AbortOnDropHandle<ScanResult> },
    Settled(ScanResult),
}

/// What the task is fed. Only the explicit end is an end: a feed that merely closes is a message cut
/// short.
#[derive(Debug)]
enum Fed {
    Chunk(Bytes),
    End,
}

impl Scan {
    /// Hands on the next octets of the message. Waits while clamd is slow, 5 seconds a message at
    /// most; once the scan is settled, does nothing.
    pub async fn write(&mut self, mut octets: Bytes) {
        let Some(bytes_left) = self.bytes_left.checked_sub(octets.len() as u64) else {
            let reason = format!("larger than scan_bytes_max = {}", self.bytes_max);
            return self.settle(ScanResult::oversize(reason));
        };
        self.bytes_left = bytes_left;
        while !octets.is_empty() {
            self.feed(octets.split_to(octets.len().min(CHUNK_BYTES_MAX))).await;
        }
    }

    async fn feed(&mut self, chunk: Bytes) {
        let Progress::Streaming { feed, .. } = &self.progress else { return };
        let waiting_since = Instant::now();
        // A send that fails met a task that ended early: its result is read at the end.
        if timeout(self.patience, feed.send(Fed::Chunk(chunk))).await.is_ok() {
            self.patience = self.patience.saturating_sub(waiting_since.elapsed());
            return;
        }
        let secs = PATIENCE.as_secs();
        self.settle(ScanResult::failed(format!(
            "clamd took the message too slowly: {secs} s were spent waiting"
        )));
    }

    /// Ends the conversation, whatever it would still have come to.
    fn settle(&mut self, result: ScanResult) {
        if matches!(self.progress, Progress::Streaming { .. }) {
            self.progress = Progress::Settled(result);
        }
    }

    /// Ends the message and awaits the verdict, until `deadline` or for the configured time,
    /// whichever is over first.
    pub async fn finish(self, deadline: Instant) -> ScanResult {
        let (feed, conversation) = match self.progress {
            Progress::Settled(result) => return result,
            Progress::Streaming { feed, conversation } => (feed, conversation),
        };
        let waiting_since = Instant::now();
        let verdict = async {
            // A closed feed is a task that ended early, which the next line finds out.
            let _ = feed.send(Fed::End).await;
            conversation.await
        };
        match timeout_at(deadline.min(waiting_since + self.timeout), verdict).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => ScanResult::failed("internal error: the scan's task ended"),
            Err(_) => {
                let secs = waiting_since.elapsed().as_secs();
                ScanResult::failed(format!("clamd did not answer within {secs} s"))
            }
        }
    }
}

/// Talks to the first clamd that takes the connection.
async fn converse(servers: Arc<[Endpoint]>, fed: mpsc::Receiver<Fed>) -> ScanResult {
    let clamds = Clamds::new(&servers);
    let message = message(fed);
    match clamav_client::tokio::scan_stream(message, &clamds, Some(CHUNK_BYTES_MAX)).await {
        Ok(reply) => name_server(parse_reply(&reply), &clamds),
        Err(fault) => name_server(judge_fault(&fault), &clamds),
    }
}

/// The message as `clamav_client` reads it: its end is an end only where it was fed as one.
fn message(fed: mpsc::Receiver<Fed>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(fed, |mut fed| async {
        match fed.recv().await {
            Some(Fed::Chunk(octets)) => Some((Ok(octets), fed)),
            Some(Fed::End) => None,
            None => Some((Err(io::Error::other("the message was cut short")), fed)),
        }
    })
}

fn judge_fault(fault: &io::Error) -> ScanResult {
    let Some(EarlyReply(reply)) = fault.get_ref().and_then(|cause| cause.downcast_ref()) else {
        return ScanResult::failed(fault.to_string());
    };
    match parse_reply(reply) {
        // It cannot know.
        ScanResult::Clean => ScanResult::failed("answered before it had the whole message"),
        result => result,
    }
}

/// Says which clamd failed.
fn name_server(mut result: ScanResult, clamds: &Clamds<'_>) -> ScanResult {
    if let (ScanResult::Unscanned { reason, .. }, Some(server)) = (&mut result, clamds.taken_by()) {
        *reason = format!("clamd at {server}: {reason}");
    }
    result
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn read(items: Vec<Fed>) -> Vec<bool> {
        let (feed, messages) = mpsc::channel(CHUNKS_WAITING_MAX);
        for item in items {
            feed.send(item).await.unwrap();
        }
        drop(feed);
        message(messages).take(3).map(|item| item.is_ok()).collect().await
    }

    #[tokio::test]
    async fn only_an_explicit_end_is_an_end() {
        let chunk = || Fed::Chunk(Bytes::from_static(b"x"));
        assert_eq!(read(vec![chunk(), Fed::End]).await, [true]);
        assert_eq!(read(vec![chunk()]).await, [true, false, false]);
    }
}
