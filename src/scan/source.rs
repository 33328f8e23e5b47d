//! The message as a scan reads it: fed chunk by chunk, its beginning kept for the next server, cut
//! where it is too large.
//!
//! Failure: a feed that closes before it was told of the message's end is a message cut short, an
//! error, and never an end of the stream that could come back clean.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What a scan is fed. Only the explicit end is an end.
#[derive(Debug)]
pub(super) enum Fed {
    Chunk(Bytes),
    End,
}

/// The message is larger than the server takes, and its beginning alone is not wanted.
#[derive(Debug, thiserror::Error)]
#[error("too large")]
pub(super) struct TooLarge;

/// A message on its way to clamd.
pub(super) struct Source {
    fed: mpsc::Receiver<Fed>,
    /// All that was fed so far; `None` once that is too much.
    kept: Option<Vec<u8>>,
    kept_bytes_max: usize,
    end: Option<End>,
    cuts: bool,
    /// What this server takes, and what of it is still to come.
    bytes_left: u64,
    replay: Option<Bytes>,
    busy: Busy,
    /// Whether more was fed already than was read.
    more_is_there: Arc<AtomicBool>,
}

/// Since when the server has something to do; for as long as the message is awaited, it has not.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<Mutex<Option<Instant>>>);

impl Busy {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(super) fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum End {
    Whole,
    Cut,
}

impl Source {
    /// A message that is kept up to `kept_bytes_max`. Where it is too large, `cuts` says whether as
    /// much of it as the server takes is all of it.
    pub(super) fn new(fed: mpsc::Receiver<Fed>, kept_bytes_max: usize, cuts: bool) -> Self {
        Self {
            fed,
            kept: Some(Vec::new()),
            kept_bytes_max,
            end: None,
            cuts,
            bytes_left: 0,
            replay: None,
            busy: Busy::default(),
            more_is_there: Arc::default(),
        }
    }

    /// Begins anew for a server that takes `bytes_max`.
    pub(super) fn begin(&mut self, bytes_max: u64) {
        self.bytes_left = bytes_max;
        // The command goes out with what follows it.
        self.more_is_there.store(true, Ordering::Relaxed);
        self.replay = self.kept.clone().filter(|kept| !kept.is_empty()).map(Bytes::from);
        self.busy.set(Some(Instant::now()));
    }

    /// Whether all that was fed can be sent again.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether the end that the server was told is not that of the message.
    pub(super) fn is_cut(&self) -> bool {
        self.end == Some(End::Cut)
    }

    pub(super) fn busy(&self) -> Busy {
        self.busy.clone()
    }

    pub(super) fn more_is_there(&self) -> Arc<AtomicBool> {
        self.more_is_there.clone()
    }

    /// The message from where it stands.
    pub(super) fn stream(&mut self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(self, |source| async {
            let octets = source.next().await?;
            source.busy.set(Some(Instant::now()));
            source.more_is_there.store(!source.fed.is_empty(), Ordering::Relaxed);
            Some((octets, source))
        })
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(replay) = self.replay.take() {
            return self.fit(replay);
        }
        if self.end.is_some() {
            return None;
        }
        self.busy.set(None);
        match self.fed.recv().await {
            Some(Fed::Chunk(octets)) => {
                self.keep(&octets);
                self.fit(octets)
            }
            Some(Fed::End) => {
                self.end = Some(End::Whole);
                self.busy.set(Some(Instant::now()));
                None
            }
            None => Some(Err(io::Error::other("the message was cut short"))),
        }
    }

    fn keep(&mut self, octets: &[u8]) {
        let Some(kept) = &mut self.kept else { return };
        if kept.len() + octets.len() > self.kept_bytes_max {
            self.kept = None;
        } else {
            kept.extend_from_slice(octets);
        }
    }

    /// What of the octets the server still takes.
    fn fit(&mut self, mut octets: Bytes) -> Option<io::Result<Bytes>> {
        if let Some(bytes_left) = self.bytes_left.checked_sub(octets.len() as u64) {
            self.bytes_left = bytes_left;
            return Some(Ok(octets));
        }
        if !self.cuts {
            return Some(Err(io::Error::other(TooLarge)));
        }
        self.end = Some(End::Cut);
        // Whoever feeds us need not wait any more.
        self.fed.close();
        octets.truncate(self.bytes_left as usize);
        self.bytes_left = 0;
        self.busy.set(Some(Instant::now()));
        (!octets.is_empty()).then_some(Ok(octets))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    /// A source that was fed these chunks, and its end where they are followed by one.
    async fn source(chunks: &[&'static str], is_ended: bool, kept: usize, cuts: bool) -> Source {
        let (feed, message) = mpsc::channel(10);
        for chunk in chunks {
            feed.send(Fed::Chunk(Bytes::from_static(chunk.as_bytes()))).await.unwrap();
        }
        if is_ended {
            feed.send(Fed::End).await.unwrap();
        }
        Source::new(message, kept, cuts)
    }

    /// What a server reads: `!` for an error.
    async fn read(source: &mut Source, bytes_max: u64) -> String {
        source.begin(bytes_max);
        let stream = source.stream();
        let shown =
            stream.map(|item| item.map_or("!".into(), |octets| octets.escape_ascii().to_string()));
        shown.take(5).collect::<Vec<_>>().await.concat()
    }

    #[tokio::test]
    async fn only_an_explicit_end_is_an_end() {
        assert_eq!(read(&mut source(&["a", "b"], true, 9, true).await, 9).await, "ab");
        assert_eq!(read(&mut source(&["a", "b"], false, 9, true).await, 9).await, "ab!!!");
    }

    #[tokio::test]
    async fn what_is_kept_is_sent_again() {
        let mut kept = source(&["abc", "def"], true, 6, false).await;
        assert_eq!(read(&mut kept, 9).await, "abcdef");
        assert!(kept.is_kept() && !kept.is_cut());
        assert_eq!(read(&mut kept, 9).await, "abcdef");
        let mut past = source(&["abc", "def"], true, 5, false).await;
        assert_eq!(read(&mut past, 9).await, "abcdef");
        assert!(!past.is_kept());
    }

    #[tokio::test]
    async fn what_is_too_large_is_cut_or_an_error() {
        for (bytes_max, cut) in [(6, "abcdef"), (5, "abcde"), (3, "abc"), (2, "ab"), (0, "")] {
            let mut source = source(&["abc", "def"], true, 9, true).await;
            assert_eq!(read(&mut source, bytes_max).await, cut);
            assert_eq!(source.is_cut(), bytes_max < 6, "{bytes_max}");
            // A server that takes less gets less; one that takes more, what there still is.
            assert_eq!(read(&mut source, 1).await, "a");
            assert!(source.is_cut());
        }
        assert_eq!(read(&mut source(&["abc", "def"], true, 9, false).await, 5).await, "abc!");
    }
}
