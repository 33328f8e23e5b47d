//! The delimiters of a multipart (RFC 2046 §5.1.1), in the readings that they allow.
//!
//! The reading of most is the exact one: a line of nothing but the delimiter. RFC 2046 §5.1.1 asks
//! only that a line begins with it, and some readers take a bare CR for the end of a line: where such
//! lines stand, they are a second reading. What follows the last delimiter is another.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem::Finder;

use super::ambiguity::Ambiguity;

/// A delimiter line.
#[derive(Clone, Copy, Debug)]
struct Delimiter {
    /// Where the line begins.
    start: usize,
    /// Where the next one does.
    end: usize,
    is_last: bool,
    is_exact: bool,
}

/// A multipart's parts, in each reading.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// Each reading's parts; none where no delimiter was found.
    pub readings: Vec<Vec<Range<usize>>>,
    pub ambiguities: BTreeSet<Ambiguity>,
}

/// Parts the text at its delimiters. At most `parts_max` and one more are found.
pub(super) fn split(text: &[u8], boundary: &[u8], is_cut: bool, parts_max: usize) -> Split {
    let all = delimiters(text, boundary, parts_max);
    let exact: Vec<Delimiter> = all.iter().copied().filter(|found| found.is_exact).collect();
    let mut split = Split::default();
    let mut note = |ambiguity, is: bool| is && split.ambiguities.insert(ambiguity);
    note(Ambiguity::LongerBoundary, exact.len() < all.len());
    note(Ambiguity::UnusedBoundary, all.is_empty() && !is_cut);
    let end = exact.iter().position(|found| found.is_last);
    note(
        Ambiguity::NoEnd,
        end.is_none() && !exact.is_empty() && !is_cut && exact.len() <= parts_max,
    );
    let is_after = end.is_some_and(|end| end + 1 < exact.len());
    note(Ambiguity::AfterEnd, is_after);
    let to_end = &exact[..end.map_or(exact.len(), |end| end + 1)];
    // To readers for whom the end was none, what follows it is a part, too.
    let mut readings = vec![(to_end, false)];
    if is_after {
        readings.push((&exact, true));
    }
    if exact.len() < all.len() {
        readings.push((&all, true));
    }
    readings.retain(|(reading, _)| !reading.is_empty());
    let parts = readings.into_iter().map(|(reading, goes_on)| parts(text, reading, goes_on));
    split.readings = parts.collect();
    split
}

fn delimiters(text: &[u8], boundary: &[u8], parts_max: usize) -> Vec<Delimiter> {
    let delimiter = [b"--", boundary].concat();
    let finder = Finder::new(&delimiter);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| finder.find(rest)) {
        let start = from + at;
        let before = start.checked_sub(1).map(|before| text[before]);
        let line_end =
            memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |end| start + end + 1);
        from = start + delimiter.len();
        if !matches!(before, None | Some(b'\n' | b'\r')) {
            continue;
        }
        let rest = text[from..line_end].trim_ascii_end();
        let is_last = rest.starts_with(b"--");
        let is_exact = before != Some(b'\r') && (rest.is_empty() || rest == b"--");
        found.push(Delimiter { start, end: line_end, is_last, is_exact });
        from = line_end.max(from);
        if found.len() > parts_max {
            break;
        }
    }
    found
}

/// What stands between the delimiters; the line end before one belongs to it (RFC 2046 §5.1.1). Where
/// the reading `goes_on`, a part begins after an end that is not the last delimiter.
fn parts(text: &[u8], delimiters: &[Delimiter], goes_on: bool) -> Vec<Range<usize>> {
    let count = delimiters.len();
    let ends = delimiters.iter().skip(1).map(|next| next.start).chain([text.len()]);
    let parts = delimiters
        .iter()
        .zip(ends)
        .enumerate()
        .filter(|(index, (delimiter, _))| !delimiter.is_last || (goes_on && index + 1 < count));
    parts
        .map(|(index, (delimiter, end))| {
            let start = delimiter.end.min(end);
            let line_end = match &text[start..end] {
                [.., b'\r', b'\n'] => 2,
                [.., b'\n' | b'\r'] => 1,
                _ => 0,
            };
            start..end - if index + 1 < count { line_end } else { 0 }
        })
        .collect()
}
