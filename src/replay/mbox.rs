//! An mbox (RFC 4155), read message by message: `From ` at the start of a line after an empty one
//! begins the next, and one `>` is taken from lines that begin with `>From ` or more of these
//! (mboxrd).

use std::io::{self, BufRead, Read as _};

use super::MESSAGE_BYTES_MAX;

/// The messages of an mbox.
pub(super) struct Mbox<R> {
    input: R,
    /// Whether the separator of the next message has been read.
    has_begun: bool,
}

/// What stands between two separators.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Read {
    /// A message.
    Message(Vec<u8>),
    /// One that is too large; it was skipped.
    TooLarge,
    /// The file does not begin with a separator.
    NoMbox,
}

impl<R: BufRead> Mbox<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, has_begun: false }
    }

    /// The next message; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Read>> {
        if !self.has_begun {
            let mut line = Vec::new();
            if read_line(&mut self.input, &mut line)? == 0 {
                return Ok(None);
            }
            if !line.starts_with(b"From ") {
                io::copy(&mut self.input, &mut io::sink())?;
                return Ok(Some(Read::NoMbox));
            }
        }
        self.has_begun = false;
        self.message().map(Some)
    }

    fn message(&mut self) -> io::Result<Read> {
        let mut message = Vec::new();
        let (mut line, mut is_after_empty, mut is_at_start) = (Vec::new(), false, true);
        let mut is_too_large = false;
        loop {
            line.clear();
            if read_line(&mut self.input, &mut line)? == 0 {
                break;
            }
            if is_at_start && is_after_empty && line.starts_with(b"From ") {
                self.has_begun = true;
                break;
            }
            is_after_empty = is_at_start && matches!(line.as_slice(), b"\n" | b"\r\n");
            is_too_large |= message.len() + line.len() > MESSAGE_BYTES_MAX;
            if !is_too_large {
                message.extend_from_slice(if is_at_start { unquoted(&line) } else { &line });
            }
            is_at_start = line.ends_with(b"\n");
        }
        if is_too_large {
            return Ok(Read::TooLarge);
        }
        if is_after_empty {
            // The empty line belongs to the separator.
            let end = message.strip_suffix(b"\r\n").or_else(|| message.strip_suffix(b"\n"));
            message.truncate(end.map_or(message.len(), <[u8]>::len));
        }
        Ok(Read::Message(message))
    }
}

/// A line, or a piece of one that is very long.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    const PIECE_BYTES_MAX: u64 = 1024 * 1024;
    input.take(PIECE_BYTES_MAX).read_until(b'\n', line)
}

fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|octet| **octet == b'>').count();
    if quotes > 0 && line[quotes..].starts_with(b"From ") { &line[1..] } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Read> {
        let mut mbox = Mbox::new(text);
        std::iter::from_fn(|| mbox.next().unwrap()).collect()
    }

    #[test]
    fn messages_begin_after_an_empty_line_and_lose_one_quote() {
        let text = b"From joe Mon\nA: 1\n\n>From x\n>>From y\n> From\nFrom the middle\n\nFrom ann Tue\nB: 2\n\nz\n";
        let expected: [&[u8]; 2] =
            [b"A: 1\n\nFrom x\n>From y\n> From\nFrom the middle\n", b"B: 2\n\nz\n"];
        assert_eq!(read(text), expected.map(|message| Read::Message(message.to_vec())));
        let crlf = b"From joe\r\nA: 1\r\n\r\nx\r\n\r\nFrom ann\r\n\r\n";
        let expected: [&[u8]; 2] = [b"A: 1\r\n\r\nx\r\n", b""];
        assert_eq!(read(crlf), expected.map(|message| Read::Message(message.to_vec())));
    }

    #[test]
    fn what_is_no_mbox_and_what_is_too_large_is_said() {
        assert_eq!(read(b""), []);
        assert_eq!(read(b"A: 1\n\nx\n\nFrom joe\n"), [Read::NoMbox]);
        let large = [b"From a\n", &vec![b'x'; MESSAGE_BYTES_MAX + 1][..], b"\n\nFrom b\nC: 3\n"];
        assert_eq!(read(&large.concat()), [Read::TooLarge, Read::Message(b"C: 3\n".to_vec())]);
    }
}
