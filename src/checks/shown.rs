//! What a reader sees of a field's value: encoded words decoded (RFC 2047), full-width forms as the
//! plain ones.

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

/// Where the full-width forms of ASCII begin, and how far they are from it.
const FULL_WIDTH: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ff5e}';
const FULL_WIDTH_SHIFT: u32 = 0xfee0;

/// The text.
pub(super) fn shown(value: &[u8]) -> String {
    let line = [value, b"\r\n"].concat();
    let decoded = match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => return String::new(),
    };
    decoded.chars().map(plain).collect()
}

fn plain(c: char) -> char {
    match c {
        _ if FULL_WIDTH.contains(&c) => {
            char::from_u32(u32::from(c) - FULL_WIDTH_SHIFT).unwrap_or(c)
        }
        '\u{3002}' | '\u{ff61}' => '.',
        _ => c.to_lowercase().next().unwrap_or(c),
    }
}
