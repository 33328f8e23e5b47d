//! Body canonicalization and digests: any chunking says what the plain definition says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::canonical::body::BodyCanonicalizer;
use mailseal::dkim::digest::{BodyHasher, BodyWant};
use message::base64;
use proptest::prelude::*;
use ring::digest::{SHA256, digest};

/// RFC 6376 §3.4.3 and §3.4.4 over a whole body, word by word.
fn plain(body: &[u8], canonicalization: Canonicalization) -> Vec<u8> {
    let mut lines = split_lines(body);
    if canonicalization == Relaxed {
        lines = lines.iter().map(|line| reduce(line)).collect();
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    if lines.is_empty() && canonicalization == Simple {
        lines.push(Vec::new());
    }
    lines.iter().flat_map(|line| [line, b"\r\n".as_slice()].concat()).collect()
}

/// The lines between CRLFs.
fn split_lines(body: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut rest = body.iter().copied().peekable();
    while let Some(octet) = rest.next() {
        if octet == b'\r' && rest.next_if_eq(&b'\n').is_some() {
            lines.push(Vec::new());
        } else if let Some(line) = lines.last_mut() {
            line.push(octet);
        }
    }
    lines
}

fn reduce(line: &[u8]) -> Vec<u8> {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let end = line.iter().rposition(|octet| !is_blank(octet)).map_or(0, |at| at + 1);
    let mut reduced = Vec::new();
    for (at, octet) in line[..end].iter().enumerate() {
        if !is_blank(octet) {
            reduced.push(*octet);
        } else if at == 0 || !is_blank(&line[at - 1]) {
            reduced.push(b' ');
        }
    }
    reduced
}

fn streamed<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    canonicalization: Canonicalization,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut canonicalizer = BodyCanonicalizer::new(canonicalization);
    for chunk in chunks {
        canonicalizer.update(chunk, &mut |slice| out.extend_from_slice(slice));
    }
    canonicalizer.finish(&mut |slice| out.extend_from_slice(slice));
    out
}

/// Bodies made of what canonicalization looks at, and chunks of any size, empty ones too.
fn chunked_body() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        8 => Just(b"\r\n".to_vec()),
        4 => Just(b" ".to_vec()),
        2 => Just(b"  ".to_vec()),
        2 => Just(b"\t".to_vec()),
        2 => Just(b"\r".to_vec()),
        2 => Just(b"\n".to_vec()),
        4 => Just(b"a".to_vec()),
        2 => Just(b"word and word".to_vec()),
        1 => Just(vec![0x0c]),
        1 => Just(vec![0, 0xff]),
    ];
    let chunk = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    prop::collection::vec(chunk, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_chunking_is_the_plain_definition(chunks in chunked_body()) {
        let body = chunks.concat();
        for canonicalization in [Simple, Relaxed] {
            let expected = plain(&body, canonicalization);
            let slices = chunks.iter().map(Vec::as_slice);
            prop_assert_eq!(&streamed(slices, canonicalization), &expected);
            prop_assert_eq!(&streamed(body.chunks(1), canonicalization), &expected);
            prop_assert_eq!(&streamed([body.as_slice()], canonicalization), &expected);
        }
    }

    #[test]
    fn long_bodies_too(chunks in chunked_body(), times in 1_usize..100, size in 1_usize..2000) {
        let body = chunks.concat().repeat(times);
        for canonicalization in [Simple, Relaxed] {
            let expected = plain(&body, canonicalization);
            prop_assert_eq!(&streamed(body.chunks(size), canonicalization), &expected);
            prop_assert_eq!(&streamed([body.as_slice()], canonicalization), &expected);
        }
    }

    #[test]
    fn digests_of_beginnings(chunks in chunked_body(), lengths in prop::collection::vec(0_u64..60, 0..5)) {
        let body = chunks.concat();
        let all = [Simple, Relaxed].into_iter().flat_map(|canonicalization| {
            let lengths = lengths.iter().copied().map(Some).chain([None]);
            lengths.map(move |length| BodyWant { canonicalization, length })
        });
        // Twice, since equal wants share.
        let wants: Vec<_> = all.clone().chain(all).collect();
        let mut hasher = BodyHasher::new(wants.iter().copied());
        for chunk in &chunks {
            hasher.update(chunk);
        }
        let hashes = hasher.finish();
        for want in &wants {
            let canonical = plain(&body, want.canonicalization);
            let length = want.length.map_or(canonical.len(), |length| canonical.len().min(length as usize));
            let hash = hashes.get(want).unwrap();
            prop_assert_eq!(hash.octets, canonical.len() as u64);
            let expected = digest(&SHA256, &canonical[..length]);
            prop_assert_eq!(&hash.sha256, expected.as_ref());
        }
    }
}

#[test]
fn wants_that_were_not_asked_for_have_no_digest() {
    let want = BodyWant { canonicalization: Simple, length: None };
    let hashes = BodyHasher::new([want]).finish();
    assert!(hashes.get(&want).is_some());
    assert!(hashes.get(&BodyWant { canonicalization: Relaxed, ..want }).is_none());
    assert!(hashes.get(&BodyWant { length: Some(0), ..want }).is_none());
}

/// Bodies as mail has them and as it should not have them.
#[test]
fn chosen_bodies() {
    for (body, simple, relaxed) in [
        ("", "\r\n", ""),
        ("\r\n", "\r\n", ""),
        ("\r\n\r\n", "\r\n", ""),
        (" \t", " \t\r\n", ""),
        (" \r\n\t\r\n", " \r\n\t\r\n", ""),
        ("a", "a\r\n", "a\r\n"),
        ("a \r\n \r\n\t\r\n", "a \r\n \r\n\t\r\n", "a\r\n"),
        ("a\r\n\r\n\r\nb\r\n\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"),
        ("a\n\n", "a\n\n\r\n", "a\n\n\r\n"),
        ("a \n b", "a \n b\r\n", "a \n b\r\n"),
        ("a\r", "a\r\r\n", "a\r\r\n"),
        ("a \r \r\n", "a \r \r\n", "a \r\r\n"),
        ("a\r\r\n", "a\r\r\n", "a\r\r\n"),
        ("\u{c}\r\n", "\u{c}\r\n", "\u{c}\r\n"),
    ] {
        for (canonicalization, expected) in [(Simple, simple), (Relaxed, relaxed)] {
            let streamed = streamed([body.as_bytes()], canonicalization);
            assert_eq!(String::from_utf8(streamed).unwrap(), expected, "{body:?}");
            assert_eq!(plain(body.as_bytes(), canonicalization), expected.as_bytes(), "{body:?}");
        }
    }
}

/// What is undecided between chunks is counted, not kept: lines and blank ends of any length cost
/// no memory.
#[test]
fn no_state_grows_with_the_body() {
    assert!(size_of::<BodyCanonicalizer>() <= 32);
    assert!(!std::mem::needs_drop::<BodyCanonicalizer>(), "it owns nothing on the heap");
}

/// Long runs of one kind take one pass.
#[test]
fn long_runs() {
    let millions = |piece: &str| piece.repeat(1_000_000);
    for piece in ["\r\n", " ", "\t", "\r", "\n", "a", "a ", " \r", "\t\r\n", "a\t"] {
        let body = format!("x{}y", millions(piece));
        for canonicalization in [Simple, Relaxed] {
            let streamed = streamed(body.as_bytes().chunks(65_535), canonicalization);
            let expected = plain(body.as_bytes(), canonicalization);
            let hash = |octets: &[u8]| base64(digest(&SHA256, octets).as_ref());
            assert_eq!(hash(&streamed), hash(&expected), "{piece:?} {canonicalization:?}");
        }
    }
}
