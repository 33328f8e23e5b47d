//! A body on its way through, however it is cut: the digests, the octets and the beginning that is
//! kept are those of the whole. The first octet says how the rest is cut, the second how much is kept.
#![no_main]

use std::pin::pin;
use std::task::{Context, Waker};

use libfuzzer_sys::fuzz_target;
use mailseal::dkim::canonical::Canonicalization::{Relaxed, Simple};
use mailseal::dkim::digest::{BodyHasher, BodyWant};
use mailseal::message::body::{Body, BodySink};

fuzz_target!(|data: &[u8]| {
    let [cut, kept, body @ ..] = data else { return };
    let wants = [
        BodyWant { canonicalization: Simple, length: None },
        BodyWant { canonicalization: Relaxed, length: None },
        BodyWant { canonicalization: Relaxed, length: Some((*kept).into()) },
    ];
    let mut hasher = BodyHasher::new(wants);
    hasher.update(body);
    let whole = hasher.finish();
    for kept_bytes_max in [0, usize::from(*kept), body.len(), body.len() + 1] {
        let mut sink = BodySink::new(BodyHasher::new(wants), kept_bytes_max, None);
        chunks(body, *cut).for_each(|chunk| write(&mut sink, chunk));
        let Body { hashes: cut_up, kept, octets, scan } = sink.finish();
        assert_eq!(octets, body.len() as u64);
        assert_eq!(
            kept.escape_ascii().to_string(),
            body[..body.len().min(kept_bytes_max)].escape_ascii().to_string()
        );
        for want in &wants {
            assert!(whole.get(want).is_some());
            assert_eq!(cut_up.get(want), whole.get(want), "{want:?}");
        }
        assert!(scan.is_none());
    }
});

/// Nothing is waited for where there is no scanner.
fn write(sink: &mut BodySink, chunk: &[u8]) {
    let written = pin!(sink.write(chunk.to_vec().into()));
    assert!(written.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// Chunks of 0 to 15 octets by turns; one alone where `cut` is 0.
fn chunks(body: &[u8], cut: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        let nibble = if turn { cut & 15 } else { cut >> 4 };
        let size = if cut == 0 { rest.len() } else { rest.len().min(usize::from(nibble)) };
        let is_through = rest.is_empty();
        let (chunk, after) = rest.split_at(size);
        rest = after;
        (!is_through).then_some(chunk)
    })
}
