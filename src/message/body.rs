//! The body on its way through: each chunk is digested, scanned and, where a rule wants it, kept up
//! to a limit. Nothing else of it stays in memory.

use bytes::Bytes;

use crate::dkim::digest::{BodyHasher, BodyHashes};
use crate::scan::Scan;

/// Where the chunks of a body go.
pub struct BodySink {
    hasher: BodyHasher,
    kept: Vec<u8>,
    kept_bytes_max: usize,
    octets: u64,
    scan: Option<Scan>,
}

/// What is known of a body once it is through.
#[derive(Debug)]
pub struct Body {
    /// The hashes that signatures need.
    pub hashes: BodyHashes,
    /// The beginning, where a rule wants it.
    pub kept: Vec<u8>,
    /// The octets of all of it.
    pub octets: u64,
    /// The scan, whose verdict is still to come.
    pub scan: Option<Scan>,
}

impl BodySink {
    /// A sink for the hashes that are wanted; `kept_bytes_max` is 0 where no rule reads bodies.
    pub fn new(hasher: BodyHasher, kept_bytes_max: usize, scan: Option<Scan>) -> Self {
        Self { hasher, kept: Vec::new(), kept_bytes_max, octets: 0, scan }
    }

    /// Takes the next chunk. Waits only for a slow scanner, and for that not long.
    pub async fn write(&mut self, chunk: Bytes) {
        self.hasher.update(&chunk);
        self.octets += chunk.len() as u64;
        let room = self.kept_bytes_max - self.kept.len();
        self.kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if let Some(scan) = &mut self.scan {
            scan.write(chunk).await;
        }
    }

    /// The memory that it fills, with what is kept for another scanner.
    pub(crate) fn held_bytes(&self) -> usize {
        self.kept.capacity() + self.scan.as_ref().map_or(0, Scan::held_bytes)
    }

    /// Ends the body; the scanner may still be at work.
    pub fn finish(self) -> Body {
        let Self { hasher, kept, octets, scan, .. } = self;
        Body { hashes: hasher.finish(), kept, octets, scan }
    }
}
