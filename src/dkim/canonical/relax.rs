//! The reduction of white space in a relaxed body (RFC 6376 §3.4.4, step a), streamed.
//!
//! Single spaces inside a line stand for themselves, so most of a body passes through as long
//! slices; only a tab, two spaces, and a space before CR are looked at more closely.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

static TWO_SPACES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"  "));
static SPACE_CR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" \r"));

/// What a chunk may leave undecided.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Held {
    #[default]
    Nothing,
    /// White space that ends a line, or stands inside it.
    Blank,
    /// The same with a CR after it, that ends the line or is bare.
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
        let mut at = self.resume(chunk, sink);
        let mut events = Events::default();
        while at < chunk.len() {
            let blank = events.next_blank(chunk, at);
            if at < blank {
                sink(&chunk[at..blank]);
            }
            at = self.pass_blank(chunk, blank, sink);
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
    fn resume(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
        if chunk.is_empty() {
            return 0;
        }
        match std::mem::take(&mut self.held) {
            Held::Nothing => 0,
            Held::Blank => self.pass_blank(chunk, 0, sink),
            Held::BlankCr => {
                // A CR without LF is no line end: it is an octet like any other.
                sink(if chunk[0] == b'\n' { b"\r" } else { b" \r" });
                0
            }
        }
    }

    /// Passes the white space that starts at `from`; returns where to go on.
    fn pass_blank(&mut self, chunk: &[u8], from: usize, sink: &mut impl FnMut(&[u8])) -> usize {
        let rest = &chunk[from..];
        let blanks = rest.iter().take_while(|octet| is_blank(**octet)).count();
        match &rest[blanks..] {
            [] if from == chunk.len() => {}
            [] => self.held = Held::Blank,
            [b'\r'] => {
                self.held = Held::BlankCr;
                return chunk.len();
            }
            [b'\r', b'\n', ..] => {}
            _ => sink(b" "),
        }
        from + blanks
    }
}

/// Where the next white space is that does not stand for itself; what was found is kept until it
/// is passed, so that each search goes over a chunk once.
#[derive(Default)]
struct Events {
    tab: usize,
    two_spaces: usize,
    space_cr: usize,
}

impl Events {
    /// Where it starts, at or after `at`; the chunk's length where there is none.
    fn next_blank(&mut self, chunk: &[u8], at: usize) -> usize {
        let find = |known: &mut usize, search: &dyn Fn(&[u8]) -> Option<usize>| {
            if *known <= at {
                *known = search(&chunk[at..]).map_or(chunk.len() + 1, |found| at + found + 1);
            }
            *known - 1
        };
        let tab = find(&mut self.tab, &|rest| memchr(b'\t', rest));
        let two_spaces = find(&mut self.two_spaces, &|rest| TWO_SPACES.find(rest));
        let space_cr = find(&mut self.space_cr, &|rest| SPACE_CR.find(rest));
        let first = tab.min(two_spaces).min(space_cr);
        // The run may begin one space before its tab, and a chunk's last space is undecided.
        let starts_before = first > at && chunk[first - 1] == b' ';
        first - usize::from(starts_before)
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}
