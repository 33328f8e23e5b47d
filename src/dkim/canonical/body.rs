//! Body canonicalization (RFC 6376 §3.4.3, §3.4.4), streamed: any chunking, bounded memory.
//!
//! Only CRLF ends a line. A bare CR or LF is hashed as the octet that it is.

use super::Canonicalization;
use super::relax::Reducer;

/// What empty lines that proved to be inside the body are handed on as, many at a time.
static CRLFS: [[u8; 2]; 128] = [*b"\r\n"; 128];

/// Canonicalizes a body and hands it on in slices.
#[derive(Clone, Debug)]
pub struct BodyCanonicalizer {
    reducer: Option<Reducer>,
    trimmer: Trimmer,
}

impl BodyCanonicalizer {
    /// Starts a body.
    pub fn new(canonicalization: Canonicalization) -> Self {
        let relaxed = canonicalization == Canonicalization::Relaxed;
        Self { reducer: relaxed.then(Reducer::default), trimmer: Trimmer::default() }
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        let Self { reducer, trimmer } = self;
        match reducer {
            Some(reducer) => reducer.update(chunk, &mut |slice| trimmer.update(slice, sink)),
            None => trimmer.update(chunk, sink),
        }
    }

    /// Ends the body.
    pub fn finish(self, sink: &mut impl FnMut(&[u8])) {
        let Self { reducer, mut trimmer } = self;
        let relaxed = reducer.is_some();
        if let Some(reducer) = reducer {
            reducer.finish(&mut |slice| trimmer.update(slice, sink));
        }
        trimmer.finish(relaxed, sink);
    }
}

/// Drops empty lines at the end of a body; the CRLFs that may yet prove to be such are counted.
#[derive(Clone, Debug, Default)]
struct Trimmer {
    crlfs: u64,
    cr: bool,
    any: bool,
}

impl Trimmer {
    fn update(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        let Some(&first) = chunk.first() else { return };
        let mut rest = chunk;
        if std::mem::take(&mut self.cr) {
            if first == b'\n' {
                self.crlfs += 1;
                rest = &chunk[1..];
            } else {
                self.content(b"\r", sink);
            }
        }
        let (content, crlfs, cr) = split_line_ends(rest);
        if !content.is_empty() {
            self.content(content, sink);
        }
        self.crlfs += crlfs;
        self.cr = cr;
    }

    fn content(&mut self, octets: &[u8], sink: &mut impl FnMut(&[u8])) {
        while self.crlfs > 0 {
            let count = self.crlfs.min(CRLFS.len() as u64);
            sink(CRLFS[..count as usize].as_flattened());
            self.crlfs -= count;
        }
        self.any = true;
        sink(octets);
    }

    /// A body that does not end in CRLF gets one; an empty one only where it is simple (§3.4.3).
    fn finish(mut self, relaxed: bool, sink: &mut impl FnMut(&[u8])) {
        if self.cr {
            self.content(b"\r", sink);
        }
        if self.any || !relaxed {
            sink(b"\r\n");
        }
    }
}

/// Splits a slice before the CRLFs (and a last CR, whose LF may follow) that end it.
fn split_line_ends(slice: &[u8]) -> (&[u8], u64, bool) {
    let cr = slice.ends_with(b"\r");
    let mut content = &slice[..slice.len() - usize::from(cr)];
    let mut crlfs = 0;
    while let Some(shorter) = content.strip_suffix(b"\r\n") {
        content = shorter;
        crlfs += 1;
    }
    (content, crlfs, cr)
}
