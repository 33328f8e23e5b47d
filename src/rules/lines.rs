//! A message line by line, as Postfix's cleanup server shows it to `header_checks` and
//! `body_checks`: a header field is one line, with a line feed at each fold; MIME parts and attached
//! messages have header lines, too; all else is the body's.
//!
//! Bounded: boundaries nest 100 deep (Postfix's `mime_nesting_limit`) and count 2,048 octets; a line
//! of the body is seen in pieces of 2,048 octets (`line_length_limit`), a header line to its 102,400th
//! (`header_size_limit`).

mod tokens;

use std::borrow::Cow;

use tokens::Tokens;

use crate::message::header::HeaderBlock;

const NESTING_MAX: usize = 100;
const BOUNDARY_BYTES_MAX: usize = 2048;
const LINE_BYTES_MAX: usize = 2048;
const HEADER_BYTES_MAX: usize = 102_400;

/// What a line belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The header of the message, without its MIME fields.
    Header,
    /// MIME fields of the header, and headers of parts.
    Mime,
    /// The header of an attached message, without its MIME fields.
    Nested,
    /// All else, boundaries included.
    Body,
}

/// One line, without its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) kind: Kind,
    pub(super) text: Cow<'a, [u8]>,
    /// The field of the message's header that it is.
    pub(super) field: Option<usize>,
    /// Where it begins in the body; of a header field, 0.
    pub(super) offset: usize,
}

/// Calls for each line, until the call says `false`. Empty lines match nothing in Postfix, and are
/// left out.
pub(super) fn each(headers: &HeaderBlock, body: &[u8], call: &mut impl FnMut(&Line<'_>) -> bool) {
    let mut state = State::default();
    for (index, field) in headers.iter().enumerate() {
        let mut text = [field.name.trim_ascii_end(), b":"].concat();
        append(&mut text, field.value);
        let kind = state.field(&text, Kind::Header);
        let line = Line { kind, text: text.into(), field: Some(index), offset: 0 };
        if !call(&line) {
            return;
        }
    }
    state.end_of_header();
    let mut rest = Lines { octets: body, at: 0 };
    while let Some((offset, text)) = rest.next() {
        if let Some(kind) = state.inside_header
            && let Some(colon) = name_len(text)
        {
            let mut field = text[..colon].to_vec();
            field.truncate(field.trim_ascii_end().len());
            append(&mut field, &text[colon..]);
            while matches!(rest.peek(), Some(b' ' | b'\t')) {
                let Some((_, more)) = rest.next() else { break };
                append(&mut field, b"\n");
                append(&mut field, more);
            }
            let kind = state.field(&field, kind);
            if !call(&Line { kind, text: field.into(), field: None, offset }) {
                return;
            }
            continue;
        }
        if state.inside_header.take().is_some() && text.is_empty() {
            state.end_of_header();
        }
        state.boundary(text);
        for piece in text.chunks(LINE_BYTES_MAX) {
            let line = Line { kind: Kind::Body, text: piece.into(), field: None, offset };
            if !call(&line) {
                return;
            }
        }
    }
}

/// Appends what fits, with folds as Postfix has them.
fn append(text: &mut Vec<u8>, more: &[u8]) {
    let mut previous = None;
    for &octet in more {
        if text.len() >= HEADER_BYTES_MAX {
            return;
        }
        if octet == b'\n' && previous == Some(b'\r') {
            text.pop();
        }
        text.push(octet);
        previous = Some(octet);
    }
}

/// The lines of a body.
struct Lines<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    /// The next line without its end, and where it begins.
    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let (start, rest) = (self.at, self.octets.get(self.at..)?);
        if rest.is_empty() {
            return None;
        }
        let len = memchr::memchr(b'\n', rest);
        self.at += len.map_or(rest.len(), |len| len + 1);
        let line = rest.get(..len.unwrap_or(rest.len()))?;
        Some((start, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// Where the name of a header field ends, if one begins this line: printable ASCII, then a colon,
/// between them perhaps blanks.
fn name_len(text: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', text)?;
    let name = text.get(..colon)?.trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(colon)
}

/// What the structure of the message is so far.
#[derive(Debug)]
struct State {
    /// The boundaries that can come, outermost first, and whether their parts are messages.
    boundaries: Vec<(Vec<u8>, bool)>,
    content: Content,
    /// The kind of the header lines that can come here.
    inside_header: Option<Kind>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content {
    Message,
    Multipart,
    Other,
}

impl Default for State {
    fn default() -> Self {
        Self { boundaries: Vec::new(), content: Content::Other, inside_header: None }
    }
}

impl State {
    /// Takes note of a field, and says what kind of line it is among lines of that kind.
    fn field(&mut self, text: &[u8], kind: Kind) -> Kind {
        const MIME: &[&[u8]] = &[
            b"content-description",
            b"content-disposition",
            b"content-id",
            b"content-transfer-encoding",
            b"content-type",
            b"mime-version",
        ];
        let colon = memchr::memchr(b':', text).unwrap_or(text.len());
        let (name, value) = text.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type(value.get(1..).unwrap_or_default());
        }
        let is_mime = MIME.iter().any(|known| name.eq_ignore_ascii_case(known));
        if is_mime { Kind::Mime } else { kind }
    }

    fn content_type(&mut self, value: &[u8]) {
        let mut tokens = Tokens { rest: value };
        let main = tokens.next_token();
        let has_subtype = tokens.peek() == Some(b'/');
        let sub = if has_subtype { tokens.after_special() } else { Vec::new() };
        self.content = Content::Other;
        if main.eq_ignore_ascii_case(b"message") && sub.eq_ignore_ascii_case(b"rfc822") {
            self.content = Content::Message;
        }
        if !main.eq_ignore_ascii_case(b"multipart") {
            return;
        }
        self.content = Content::Multipart;
        let is_digest = sub.eq_ignore_ascii_case(b"digest");
        // All boundaries that are given: a sender may use any one of several.
        while tokens.next_parameter() {
            let name = tokens.next_token();
            if name.eq_ignore_ascii_case(b"boundary") && tokens.peek() == Some(b'=') {
                let mut boundary = tokens.after_special();
                boundary.truncate(BOUNDARY_BYTES_MAX);
                if self.boundaries.len() <= NESTING_MAX {
                    self.boundaries.push((boundary, is_digest));
                }
            }
        }
    }

    /// An empty line after a header.
    fn end_of_header(&mut self) {
        self.inside_header = (self.content == Content::Message).then_some(Kind::Nested);
        self.content = Content::Other;
    }

    /// What a line of the body is, if it is a boundary.
    fn boundary(&mut self, text: &[u8]) {
        let Some(rest) = text.strip_prefix(b"--") else { return };
        let is_it = |(boundary, _): &(Vec<u8>, bool)| rest.starts_with(boundary);
        let Some(at) = self.boundaries.iter().rposition(is_it) else { return };
        self.boundaries.truncate(at + 1);
        let Some((boundary, is_digest)) = self.boundaries.last() else { return };
        if rest.get(boundary.len()..).is_some_and(|after| after.starts_with(b"--")) {
            self.boundaries.pop();
            self.inside_header = None;
            self.content = Content::Other;
            return;
        }
        self.content = if *is_digest { Content::Message } else { Content::Other };
        self.inside_header = Some(Kind::Mime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(message: &str) -> Vec<String> {
        let (header, body) = message.split_once("\n\n").unwrap_or((message, ""));
        let mut headers = HeaderBlock::default();
        for field in header.replace("\n ", "\x01").lines() {
            let (name, value) = field.split_once(':').unwrap();
            headers.push(name.as_bytes(), value.replace('\x01', "\n ").as_bytes());
        }
        let mut lines = Vec::new();
        each(&headers, body.replace('\n', "\r\n").as_bytes(), &mut |line| {
            let kind = match line.kind {
                Kind::Header => "H",
                Kind::Mime => "M",
                Kind::Nested => "N",
                Kind::Body => "B",
            };
            lines.push(format!("{kind} {}", String::from_utf8_lossy(&line.text)));
            true
        });
        lines
    }

    #[test]
    fn parts_and_attached_messages_have_headers() {
        let message = "Subject : a\n b\nContent-Type: multipart/mixed; (x) boundary=\"o\\\"1\"\n\n\
            preamble\n--o\"1\nX-Part: p\ncontent-id:  <a>\n\nText: b\n--o\"1\nContent-Type: message/rfc822\n\n\
            From: n\nContent-Type: text/plain\n\nTo: c\n--o\"1--\nepi: logue";
        assert_eq!(
            lines(message),
            [
                "H Subject: a\n b",
                "M Content-Type: multipart/mixed; (x) boundary=\"o\\\"1\"",
                "B preamble",
                "B --o\"1",
                "M X-Part: p",
                "M content-id:  <a>",
                "B Text: b",
                "B --o\"1",
                "M Content-Type: message/rfc822",
                "N From: n",
                "M Content-Type: text/plain",
                "B To: c",
                "B --o\"1--",
                "B epi: logue",
            ]
        );
    }

    #[test]
    fn what_is_no_field_ends_a_header() {
        let message = "Content-Type: multipart/digest; boundary=a\n\n--a\n\nFrom: x\nno field\nTo: y\n\
            --a\nContent-Type: text/html\nagain: m\nno field\nFrom: y";
        assert_eq!(
            lines(message)[2..],
            [
                "N From: x",
                "B no field",
                "B To: y",
                "B --a",
                "M Content-Type: text/html",
                "M again: m",
                "B no field",
                "B From: y"
            ]
        );
    }

    #[test]
    fn lines_are_bounded() {
        let long = lines(&format!("A: {}\n\n{}", "x".repeat(200_000), "y".repeat(5000)));
        let lens: Vec<usize> = long.iter().map(String::len).collect();
        assert_eq!(lens, [HEADER_BYTES_MAX + 2, 2050, 2050, 906]);
        let mut deep = String::from("A: b\n\n");
        for depth in 0..300 {
            let next = depth + 1;
            deep += &[
                "--",
                &depth.to_string(),
                "\nContent-Type: multipart/x; boundary=",
                &next.to_string(),
                "\n\n",
            ]
            .concat();
        }
        assert!(lines(&deep).len() >= 300);
    }
}
