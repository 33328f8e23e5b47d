//! A body canonicalized in chunks of any size, and its digests with and without `l=`, against RFC 6376
//! §3.4.3, §3.4.4 and §3.4.5 taken word by word. The first octet says how the rest is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::canonical::body::BodyCanonicalizer;
use mailseal::dkim::digest::{BodyHash, BodyHasher, BodyWant};
use ring::digest::{SHA256, digest};

fuzz_target!(|data: &[u8]| {
    let Some((&cut, body)) = data.split_first() else { return };
    let wanted = [Simple, Relaxed].map(|wanted| (wanted, naive(wanted, body)));
    for (canonicalization, wanted) in &wanted {
        let mut octets = Vec::new();
        let mut canonicalizer = BodyCanonicalizer::new(*canonicalization);
        for chunk in chunks(body, cut) {
            canonicalizer.update(chunk, &mut |slice| octets.extend_from_slice(slice));
        }
        canonicalizer.finish(&mut |slice| octets.extend_from_slice(slice));
        assert_eq!(octets.escape_ascii().to_string(), wanted.escape_ascii().to_string());
    }

    let expected: Vec<(BodyWant, BodyHash)> =
        wanted.iter().flat_map(|(wanted, octets)| hashes(*wanted, octets, cut)).collect();
    let wants = || expected.iter().map(|(want, _)| *want);
    let (mut whole, mut cut_up) = (BodyHasher::new(wants()), BodyHasher::new(wants()));
    whole.update(body);
    chunks(body, cut).for_each(|chunk| cut_up.update(chunk));
    let (whole, cut_up) = (whole.finish(), cut_up.finish());
    for (want, hash) in &expected {
        assert_eq!(whole.get(want), Some(hash), "{want:?}");
        assert_eq!(cut_up.get(want), Some(hash), "{want:?}, cut");
    }
});

/// The digests of all of a canonicalized body, and of its beginnings (RFC 6376 §3.4.5).
fn hashes(
    canonicalization: Canonicalization,
    octets: &[u8],
    cut: u8,
) -> impl Iterator<Item = (BodyWant, BodyHash)> {
    let len = octets.len();
    let lengths = [None, Some(0), Some(usize::from(cut)), Some(len / 2), Some(len), Some(len + 1)];
    lengths.into_iter().map(move |length| {
        let beginning = &octets[..length.unwrap_or(len).min(len)];
        let sha256 = digest(&SHA256, beginning).as_ref().try_into().expect("32 octets");
        let want = BodyWant { canonicalization, length: length.map(|length| length as u64) };
        (want, BodyHash { sha256, octets: len as u64 })
    })
}

/// Chunks of 1 to 16 octets by turns; one alone where `cut` is 0.
fn chunks(body: &[u8], cut: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        let nibble = if turn { cut & 15 } else { cut >> 4 };
        let size = if cut == 0 { rest.len() } else { rest.len().min(usize::from(nibble) + 1) };
        let (chunk, after) = rest.split_at(size);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn naive(canonicalization: Canonicalization, body: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(line(canonicalization, &rest[..at]));
        rest = &rest[at + 2..];
    }
    lines.push(line(canonicalization, rest));
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    if lines.is_empty() && canonicalization == Simple {
        lines.push(Vec::new());
    }
    lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect()
}

fn line(canonicalization: Canonicalization, line: &[u8]) -> Vec<u8> {
    if canonicalization == Simple {
        return line.to_vec();
    }
    let is_wsp = |octet: &u8| matches!(octet, b' ' | b'\t');
    let mut reduced: Vec<u8> = Vec::new();
    for octet in line {
        if !is_wsp(octet) {
            reduced.push(*octet);
        } else if reduced.last() != Some(&b' ') {
            reduced.push(b' ');
        }
    }
    if reduced.last() == Some(&b' ') {
        reduced.pop();
    }
    reduced
}
