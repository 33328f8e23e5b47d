//! The reduction of white space in a relaxed body (RFC 6376 §3.4.4, step a), streamed.
//!
//! Whether an octet stays depends on the two after it alone: white space goes where more of it or
//! CRLF follows, and is a space otherwise. Most of a body passes through as long slices; from a
//! tab, two spaces or a space before CR on, a block is reduced octet by octet.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

static TWO_SPACES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"  "));
static SPACE_CR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" \r"));

/// Where white space abounds, searching for it again after each costs more than it saves.
const BLOCK_OCTETS: usize = 512;

/// What the end of a chunk leaves undecided.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Held {
    #[default]
    Nothing,
    /// White space.
    Blank,
    /// White space and a CR, which ends the line or is bare.
    BlankCr,
}

/// Reduces white space; what it keeps between chunks does not grow with their size.
#[derive(Clone, Debug, Default)]
pub(super) struct Reducer {
    held: Held,
}

impl Reducer {
    /// Hands the reduced form of `chunk` to `sink`, in slices.
    pub(super) fn update(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        if self.held == Held::Blank && chunk == b"\r" {
            self.held = Held::BlankCr;
            return;
        }
        let (decided, held) = split_undecided(chunk);
        if !decided.is_empty() {
            self.resume(chunk, sink);
            reduce(chunk, decided.len(), sink);
            self.held = held;
        } else if held != Held::Nothing {
            self.hold(chunk, held, sink);
        }
    }

    /// Says what was still undecided when the body ended: it does not end in CRLF, and white
    /// space at the end of its last line goes.
    pub(super) fn finish(self, sink: &mut impl FnMut(&[u8])) {
        if self.held == Held::BlankCr {
            sink(b" \r");
        }
    }

    /// Decides with the first octets of a chunk what the chunk before left open.
    fn resume(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        match (std::mem::take(&mut self.held), chunk) {
            (Held::Nothing, _) | (Held::Blank, [b' ' | b'\t', ..] | [b'\r', b'\n', ..]) => {}
            (Held::Blank, _) => sink(b" "),
            (Held::BlankCr, [b'\n', ..]) => sink(b"\r"),
            // A CR without LF is no line end: it is an octet like any other.
            (Held::BlankCr, _) => sink(b" \r"),
        }
    }

    /// Takes a chunk of which nothing is decided: white space, or white space and CR.
    fn hold(&mut self, chunk: &[u8], held: Held, sink: &mut impl FnMut(&[u8])) {
        if self.held == Held::BlankCr {
            self.resume(chunk, sink);
        }
        self.held = held;
    }
}

/// Splits a chunk before the white space (and the CR after it) that ends it.
fn split_undecided(chunk: &[u8]) -> (&[u8], Held) {
    let (before_cr, held) = match chunk.strip_suffix(b"\r") {
        Some(before_cr) => (before_cr, Held::BlankCr),
        None => (chunk, Held::Blank),
    };
    let end = before_cr.iter().rposition(|octet| !is_blank(*octet)).map_or(0, |at| at + 1);
    if end == before_cr.len() { (chunk, Held::Nothing) } else { (&chunk[..end], held) }
}

/// Reduces the first `end` octets of a chunk.
fn reduce(chunk: &[u8], end: usize, sink: &mut impl FnMut(&[u8])) {
    let mut search = Search::default();
    let mut block = [0; BLOCK_OCTETS];
    let mut at = 0;
    while at < end {
        let blank = search.next_blank(&chunk[..end], at);
        if at < blank {
            sink(&chunk[at..blank]);
        }
        at = end.min(blank + BLOCK_OCTETS);
        let kept = reduce_block(chunk, blank, at, &mut block);
        if kept > 0 {
            sink(&block[..kept]);
        }
    }
}

/// Reduces the octets `from..to` into `block`; returns how many stay. What stays is decided for the
/// whole block before anything moves: so the first loop becomes vector instructions, and neither
/// has a branch that white space could make hard to foretell.
fn reduce_block(chunk: &[u8], from: usize, to: usize, block: &mut [u8; BLOCK_OCTETS]) -> usize {
    let mut ahead = [0; BLOCK_OCTETS + 2];
    let seen = &chunk[from..chunk.len().min(to + 2)];
    ahead[..seen.len()].copy_from_slice(seen);
    let mut reduced = [0; BLOCK_OCTETS];
    let mut stays = [0; BLOCK_OCTETS];
    for at in 0..BLOCK_OCTETS {
        let (octet, next, after) = (ahead[at], ahead[at + 1], ahead[at + 2]);
        let ends_line = next == b'\r' && after == b'\n';
        stays[at] = u8::from(!(is_blank(octet) & (is_blank(next) | ends_line)));
        reduced[at] = if octet == b'\t' { b' ' } else { octet };
    }
    let mut kept = 0;
    for at in 0..to - from {
        block[kept] = reduced[at];
        kept += usize::from(stays[at]);
    }
    kept
}

/// The search for white space that does not stand for itself. What was found is kept until it is
/// passed, so that each pattern is searched for over a chunk once.
#[derive(Default)]
struct Search {
    tab: Found,
    two_spaces: Found,
    space_cr: Found,
}

/// Where a pattern was found, plus one; 0 where it was not yet searched for.
type Found = usize;

impl Search {
    /// Where such white space starts, at or after `at`; the end where there is none.
    fn next_blank(&mut self, octets: &[u8], at: usize) -> usize {
        let tab = find(&mut self.tab, octets, at, |rest| memchr(b'\t', rest));
        let two_spaces = find(&mut self.two_spaces, octets, at, |rest| TWO_SPACES.find(rest));
        let space_cr = find(&mut self.space_cr, octets, at, |rest| SPACE_CR.find(rest));
        let first = tab.min(two_spaces).min(space_cr);
        // A space before the tab goes too.
        first - usize::from(first > at && octets[first - 1] == b' ')
    }
}

fn find(
    known: &mut Found,
    octets: &[u8],
    at: usize,
    search: impl Fn(&[u8]) -> Option<usize>,
) -> usize {
    if *known <= at {
        *known = search(&octets[at..]).map_or(octets.len(), |found| at + found) + 1;
    }
    *known - 1
}

fn is_blank(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}
