//! Lines that are too long for mail: a relay breaks them, and a signature with them (RFC 5322
//! §2.1.1: "Each line of characters MUST be no more than 998 characters").
//!
//! Header lines are folded at white space that is there; of body lines a word is said. A line that
//! has to be broken is broken into lines of the length that RFC 5322 recommends.

use std::borrow::Cow;

use memchr::memchr;

use crate::message::header::{Field, HeaderBlock};
use crate::text;

/// The most octets of a line, without its CRLF.
const LINE_OCTETS_MAX: usize = 998;
/// What a line that is broken is broken to, where white space allows it.
const FOLDED_OCTETS: usize = 78;
/// A longer field is left as it is: the edit must fit a frame of the milter protocol.
const FIELD_OCTETS_MAX: usize = 512 * 1024;

/// A header block whose lines fit, as far as they can be made to.
#[derive(Debug)]
pub(crate) struct Refolded<'a> {
    /// The header as it is once the changes are applied.
    pub(crate) headers: Cow<'a, HeaderBlock>,
    /// The fields that were folded, by their indexes, and their values.
    pub(crate) folded: Vec<(usize, String)>,
    /// What was folded and what could not be, one sentence each.
    pub(crate) reasons: Vec<String>,
}

/// Folds the fields that have a line of over 998 octets.
pub(crate) fn refold(headers: &HeaderBlock) -> Refolded<'_> {
    let (mut refolded, mut reasons) = (Vec::new(), Vec::new());
    if headers.iter().all(|field| longest_line(field) <= LINE_OCTETS_MAX) {
        return Refolded { headers: Cow::Borrowed(headers), folded: refolded, reasons };
    }
    let mut block = HeaderBlock::default();
    for (index, field) in headers.iter().enumerate() {
        let octets = longest_line(field);
        let value = if octets > LINE_OCTETS_MAX { folded(field) } else { None };
        let name = text::visible(field.name);
        if let Some(value) = value {
            reasons.push(format!("{name} folded: it had a line of {octets} octets"));
            block.push(field.name, format!(" {value}").as_bytes());
            refolded.push((index, value));
            continue;
        }
        if octets > LINE_OCTETS_MAX {
            reasons.push(format!(
                "{name} has a line of {octets} octets that cannot be folded: a relay that breaks \
                 lines of over {LINE_OCTETS_MAX} breaks the signature"
            ));
        }
        block.push(field.name, field.value);
    }
    Refolded { headers: Cow::Owned(block), folded: refolded, reasons }
}

fn longest_line(field: Field<'_>) -> usize {
    let mut column = field.name.len() + ":".len();
    let mut longest = 0;
    for line in field.value.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        longest = longest.max(column + line.len());
        column = 0;
    }
    longest
}

/// The value to stand after the colon and one space; `None` where white space does not suffice, or
/// where an MTA may not keep the octets: those of another encoding than UTF-8, bare CRs, NULs, lines
/// that are no folds, and names that are none.
fn folded(field: Field<'_>) -> Option<String> {
    let value = std::str::from_utf8(field.value).ok()?;
    let is_name = !field.name.is_empty() && field.name.iter().all(u8::is_ascii_graphic);
    if !is_name || value.len() > FIELD_OCTETS_MAX {
        return None;
    }
    let mut column = field.name.len() + ": ".len();
    let mut folded = String::with_capacity(value.len() + value.len() / 16);
    for (number, line) in value.trim_start_matches([' ', '\t']).split("\r\n").enumerate() {
        let is_fold = number == 0 || line.starts_with([' ', '\t']);
        if !is_fold || line.contains(['\r', '\n', '\0']) {
            return None;
        }
        if column + line.len() <= LINE_OCTETS_MAX {
            folded.push_str(line);
        } else {
            fold_line(&mut folded, line, column)?;
        }
        folded.push_str("\r\n");
        column = 0;
    }
    folded.truncate(folded.len() - "\r\n".len());
    Some(folded)
}

/// Appends a line, broken before white space. RFC 5322 §3.2.2: no line is of white space alone.
fn fold_line(out: &mut String, line: &str, mut column: usize) -> Option<()> {
    let mut is_first = true;
    let mut rest = line;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(word_len(rest));
        let is_blank = word.trim_start_matches([' ', '\t']).is_empty();
        if !is_first && !is_blank && column + word.len() > FOLDED_OCTETS {
            out.push_str("\r\n");
            column = 0;
        }
        out.push_str(word);
        column += word.len();
        if column > LINE_OCTETS_MAX {
            return None;
        }
        (rest, is_first) = (after, false);
    }
    Some(())
}

/// The length of the white space at the start and of what is no white space after it.
fn word_len(text: &str) -> usize {
    let blank = text.len() - text.trim_start_matches([' ', '\t']).len();
    text[blank..].find([' ', '\t']).map_or(text.len(), |end| blank + end)
}

/// Measures the lines of a body that comes in chunks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BodyLines {
    /// The octets of the line under way.
    octets: usize,
    ends_with_cr: bool,
    too_long: usize,
    longest: usize,
}

impl BodyLines {
    /// Takes the next chunk.
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            self.extend(&rest[..end]);
            self.octets -= usize::from(self.ends_with_cr);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.extend(rest);
    }

    /// A sentence where lines are too long.
    pub(crate) fn finish(mut self) -> Option<String> {
        self.end_line();
        let Self { too_long, longest, .. } = self;
        let lines = if too_long == 1 { "a line".to_owned() } else { format!("{too_long} lines") };
        (too_long > 0).then(|| {
            format!(
                "the body has {lines} of over {LINE_OCTETS_MAX} octets, the longest of {longest}: \
                 a relay that breaks them breaks the signature"
            )
        })
    }

    fn extend(&mut self, octets: &[u8]) {
        self.octets = self.octets.saturating_add(octets.len());
        if let Some(last) = octets.last() {
            self.ends_with_cr = *last == b'\r';
        }
    }

    fn end_line(&mut self) {
        self.too_long += usize::from(self.octets > LINE_OCTETS_MAX);
        self.longest = self.longest.max(self.octets);
        (self.octets, self.ends_with_cr) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dkim::canonical::Canonicalization::Relaxed;
    use crate::dkim::canonical::header::append;

    fn block(name: &str, value: &str) -> HeaderBlock {
        let mut headers = HeaderBlock::default();
        headers.push(name.as_bytes(), value.as_bytes());
        headers
    }

    fn relaxed(headers: &HeaderBlock) -> Vec<u8> {
        let mut out = Vec::new();
        headers.iter().for_each(|field| append(&mut out, field.name, field.value, Relaxed));
        out
    }

    #[test]
    fn a_long_line_is_broken_and_short_ones_stay() {
        let long = format!(" {}\r\n\t{}", "<id@example.org> ".repeat(70), "x".repeat(100));
        let headers = block("References", &long);
        let Refolded { headers: after, folded, reasons } = refold(&headers);
        let field = after.iter().next().unwrap();
        assert!(field.value.split(|o| *o == b'\n').all(|line| line.len() <= 102));
        assert!(field.value.ends_with(&[b"\r\n\t", "x".repeat(100).as_bytes()].concat()));
        assert_eq!(relaxed(&after), relaxed(&headers));
        assert!(matches!(&folded[..], [(0, _)]));
        assert_eq!(reasons, ["References folded: it had a line of 1202 octets"]);
    }

    #[test]
    fn a_line_of_998_octets_stays() {
        for (octets, folded) in [(998, 0), (999, 1)] {
            let value = format!(" {} b", "a".repeat(octets - "Subject:".len() - 3));
            assert_eq!(refold(&block("Subject", &value)).folded.len(), folded, "{octets}");
        }
    }

    #[test]
    fn what_has_no_white_space_is_told_and_stays() {
        let many = "c ".repeat(600);
        let (cr, no_fold) = (format!(" a\rb {many}"), format!(" {many}\r\nB: c"));
        let (word, blank) = (format!(" {}", "x".repeat(1000)), format!(" a{}", " ".repeat(1000)));
        for value in [word, blank, cr, no_fold] {
            let headers = block("Subject", &value);
            let Refolded { headers: after, folded, reasons } = refold(&headers);
            assert_eq!((&*after, folded.len(), reasons.len()), (&headers, 0, 1));
            assert!(reasons[0].contains("cannot be folded"), "{reasons:?}");
        }
    }

    #[test]
    fn body_lines_are_measured_without_their_ends() {
        for (octets, chunk) in [(998, 1), (998, 7), (999, 3), (999, 5000)] {
            let body = format!("a\r\n{}\r\n\r\nlast", "x".repeat(octets));
            let mut lines = BodyLines::default();
            body.as_bytes().chunks(chunk).for_each(|chunk| lines.update(chunk));
            assert_eq!(lines.finish().is_some(), octets > 998, "{octets} {chunk}");
        }
        let mut lines = BodyLines::default();
        lines.update(&[b'x'; 999]);
        assert!(lines.finish().is_some_and(|reason| reason.contains("a line of over 998")));
    }

    proptest! {
        /// Unfolding (RFC 5322 §2.2.3) gives what was there, and so does relaxed canonicalization.
        #[test]
        fn nothing_but_line_ends_is_added(words in proptest::collection::vec("[ \t]{1,3}[!-~ä]{0,40}", 1..120)) {
            let text = words.concat();
            let headers = block("Subject", &text);
            let refolded = refold(&headers);
            let field = refolded.headers.iter().next().unwrap();
            let unfolded = String::from_utf8(field.value.to_vec()).unwrap().replace("\r\n", "");
            prop_assert_eq!(unfolded.trim_start(), text.trim_start());
            prop_assert_eq!(relaxed(&refolded.headers), relaxed(&headers));
            for line in field.value.split(|octet| *octet == b'\n').skip(1) {
                prop_assert!(!line.trim_ascii().is_empty());
            }
        }
    }
}
