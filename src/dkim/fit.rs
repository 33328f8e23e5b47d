//! What was done to a body on its way, where `bh=` can tell: which form of the body it fits
//! (RFC 6376 §3.7, §6.1.3 step 3). For a message that is all there, and a reader who asks why.
//!
//! The last CRLFs of a body are in no digest, in either canonicalization, so that there is nothing
//! to try about them.

use ring::digest::{Context, SHA256};

use super::canonical::Canonicalization;
use super::canonical::body::BodyCanonicalizer;
use super::digest::octets_of;
use super::signature::Signature;

/// The longest footer that is looked for, in lines.
const FOOTER_LINES_MAX: usize = 1_000;
/// The longest banner at the top that is looked for, in lines; each costs a digest of the body.
const BANNER_LINES_MAX: usize = 16;
/// In a longer body no banner is looked for.
const BANNER_BODY_BYTES_MAX: usize = 8 << 20;

/// A change that takes back what is done to bodies on their way.
type Change = fn(&[u8]) -> Vec<u8>;

/// The form of the body that the signature fits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fit {
    /// Without this many lines at its end.
    WithoutFooter(usize),
    /// Without this many lines at its top.
    WithoutBanner(usize),
    /// Canonicalized the other way.
    As(Canonicalization),
    /// With CRLF for its bare line feeds.
    WithCrlf,
    /// Without the `>` before lines that begin with `From `.
    WithFromLines,
    /// With the dots at the start of its lines halved.
    WithoutStuffing,
    /// Empty.
    Empty,
}

/// Finds what the body is apart from. `None` where nothing that is tried fits, or where the
/// signature covers only a part of the body. Costs a few passes over the body.
pub fn fit(signature: &Signature, body: &[u8]) -> Option<Fit> {
    if signature.length.is_some() {
        return None;
    }
    let claimed = signature.body_hash.as_slice();
    let c = signature.body_canonicalization;
    let other = match c {
        Canonicalization::Simple => Canonicalization::Relaxed,
        Canonicalization::Relaxed => Canonicalization::Simple,
    };
    let fits = |body: &[u8]| digest(body, c) == claimed;
    if fits(b"") {
        return Some(Fit::Empty);
    }
    if let Some(lines) = footer(claimed, body, c) {
        return Some(Fit::WithoutFooter(lines));
    }
    if digest(body, other) == claimed {
        return Some(Fit::As(other));
    }
    let changed: [(Fit, Change); 3] = [
        (Fit::WithCrlf, with_crlf),
        (Fit::WithFromLines, |body| at_line_starts(body, b">From ", b"From ")),
        (Fit::WithoutStuffing, |body| at_line_starts(body, b"..", b".")),
    ];
    let changed = changed.into_iter().find(|(_, change)| fits(&change(body)));
    changed.map(|(fit, _)| fit).or_else(|| banner(body, fits).map(Fit::WithoutBanner))
}

/// How many lines too many there are at the end. One pass: the digest's state at the end of each
/// line says what the body up to there comes to.
fn footer(claimed: &[u8], body: &[u8], canonicalization: Canonicalization) -> Option<usize> {
    let count = lines(body).count();
    let mut canonicalizer = BodyCanonicalizer::new(canonicalization);
    let mut context = Context::new(&SHA256);
    let mut fewest = None;
    for (index, line) in lines(body).enumerate() {
        canonicalizer.update(line, &mut |slice| context.update(slice));
        let left = count - index - 1;
        if !(1..=FOOTER_LINES_MAX).contains(&left) {
            continue;
        }
        let mut up_to_here = context.clone();
        canonicalizer.clone().finish(&mut |slice| up_to_here.update(slice));
        if octets_of(up_to_here) == claimed {
            fewest = Some(left);
        }
    }
    fewest
}

fn banner(body: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<usize> {
    if body.len() > BANNER_BODY_BYTES_MAX {
        return None;
    }
    let mut rest = body;
    for (index, line) in lines(body).take(BANNER_LINES_MAX).enumerate() {
        rest = &rest[line.len()..];
        if fits(rest) {
            return Some(index + 1);
        }
    }
    None
}

fn digest(body: &[u8], canonicalization: Canonicalization) -> [u8; 32] {
    let mut canonicalizer = BodyCanonicalizer::new(canonicalization);
    let mut context = Context::new(&SHA256);
    canonicalizer.update(body, &mut |slice| context.update(slice));
    canonicalizer.finish(&mut |slice| context.update(slice));
    octets_of(context)
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split_inclusive(|octet| *octet == b'\n')
}

fn with_crlf(body: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(body.len());
    for line in lines(body) {
        let content = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        mended.extend_from_slice(content.unwrap_or(line));
        mended.extend_from_slice(content.map_or(b"", |_| b"\r\n"));
    }
    mended
}

fn at_line_starts(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut changed = Vec::with_capacity(body.len());
    for line in lines(body) {
        let rest = line.strip_prefix(from);
        changed.extend_from_slice(rest.map_or(b"", |_| to));
        changed.extend_from_slice(rest.unwrap_or(line));
    }
    changed
}

impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WithoutFooter(lines) => {
                let lines = counted(*lines);
                write!(f, "bh= fits the body without its last {lines}: a footer was added")
            }
            Self::WithoutBanner(lines) => {
                let lines = counted(*lines);
                write!(f, "bh= fits the body without its first {lines}: a banner was added")
            }
            Self::As(canonicalization) => write!(
                f,
                "bh= fits the {} body: white space was changed, or the signer canonicalized it \
                 otherwise than c= says",
                canonicalization.as_str()
            ),
            Self::WithCrlf => f.write_str("bh= fits the body with CRLF for its bare line feeds"),
            Self::WithFromLines => f.write_str(
                "bh= fits the body without the > that was put before From at line starts",
            ),
            Self::WithoutStuffing => f.write_str(
                "bh= fits the body with the dots at line starts halved: it was stuffed twice",
            ),
            Self::Empty => f.write_str("bh= is the hash of an empty body"),
        }
    }
}

fn counted(lines: usize) -> String {
    if lines == 1 { "line".to_owned() } else { format!("{lines} lines") }
}
