//! Header fields as text: unfolded (RFC 5322 §2.2.3), encoded words decoded (RFC 2047, RFC 2231 §5).
//!
//! Encoded words are decoded wherever they stand, in quoted strings too: RFC 2047 §5 forbids it, and
//! most readers do it. Octets of neighbouring words in one charset are put together before they are
//! decoded, as a character may be split between them. A word that is cut in half is decoded as far
//! as it goes.

use std::borrow::Cow;

use memchr::memmem;

use super::charset;
use super::guessed;
use crate::message::mime::transfer;

/// The longest name of a charset with its language.
const CHARSET_OCTETS_MAX: usize = 64;

/// A header field's value as a reader sees it.
pub fn decoded(value: &[u8]) -> Cow<'_, str> {
    decode(value).0
}

/// Whether an encoded word in the value is cut, or in no charset or encoding that is known.
pub fn is_broken(value: &[u8]) -> bool {
    decode(value).1
}

/// The text, and whether an encoded word is broken.
fn decode(value: &[u8]) -> (Cow<'_, str>, bool) {
    let value = value.trim_ascii();
    if memmem::find(value, b"=?").is_none() {
        return (unfolded(value), false);
    }
    let value: Vec<u8> = value.iter().copied().filter(|octet| !is_line_end(*octet)).collect();
    let mut words = Words::default();
    let mut at = 0;
    let mut ends = memmem::find_iter(&value, b"?=").peekable();
    for start in memmem::find_iter(&value, b"=?") {
        if start < at {
            continue;
        }
        let Some((head, data)) = head(&value, start) else { continue };
        while ends.peek().is_some_and(|end| *end < data) {
            ends.next();
        }
        let end = ends.peek().copied();
        words.plain(&value[at..start]);
        words.word(&head, &value[data..end.unwrap_or(value.len())], end.is_some());
        at = end.map_or(value.len(), |end| end + 2);
    }
    words.plain(&value[at..]);
    words.flush();
    (Cow::Owned(words.text), words.is_broken)
}

fn is_line_end(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n')
}

fn unfolded(value: &[u8]) -> Cow<'_, str> {
    if value.iter().any(|octet| is_line_end(*octet)) {
        let value: Vec<u8> = value.iter().copied().filter(|octet| !is_line_end(*octet)).collect();
        return Cow::Owned(guessed(&value).into_owned());
    }
    guessed(value)
}

/// What an encoded word says of its text.
struct Head {
    charset: String,
    encoding: u8,
}

/// The head of the encoded word at `start`, and where its text begins.
fn head(value: &[u8], start: usize) -> Option<(Head, usize)> {
    let rest = value.get(start + 2..)?;
    let shown = &rest[..rest.len().min(CHARSET_OCTETS_MAX)];
    let charset_end = shown.iter().position(|octet| *octet == b'?')?;
    let charset = str::from_utf8(&rest[..charset_end]).ok().filter(|name| !name.is_empty())?;
    let [encoding, b'?', ..] = rest.get(charset_end + 1..)? else { return None };
    // RFC 2231 §5: the language stands after an asterisk.
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    let head = Head { charset, encoding: encoding.to_ascii_lowercase() };
    Some((head, start + 2 + charset_end + 3))
}

/// The text so far, and the octets of encoded words that are not decoded yet.
#[derive(Default)]
struct Words {
    text: String,
    charset: String,
    octets: Vec<u8>,
    is_after_word: bool,
    is_broken: bool,
}

impl Words {
    /// What stands between words: nothing where it is white space (RFC 2047 §6.2).
    fn plain(&mut self, octets: &[u8]) {
        if octets.is_empty() || (self.is_after_word && is_space(octets)) {
            return;
        }
        self.flush();
        self.text.push_str(&guessed(octets));
        self.is_after_word = false;
    }

    fn word(&mut self, head: &Head, data: &[u8], is_whole: bool) {
        if head.charset != self.charset {
            self.flush();
            self.charset.clone_from(&head.charset);
        }
        let (octets, is_clean) = match head.encoding {
            b'b' => transfer::base64(data),
            b'q' => (q(data), true),
            _ => (data.to_vec(), false),
        };
        self.octets.extend_from_slice(&octets);
        self.is_broken |= !is_whole || !is_clean;
        self.is_after_word = true;
    }

    fn flush(&mut self) {
        let (text, is_known) = charset::decode(&self.octets, Some(&self.charset));
        self.text.push_str(&text);
        self.is_broken |= !is_known && !self.octets.is_empty();
        self.octets.clear();
    }
}

fn is_space(octets: &[u8]) -> bool {
    octets.iter().all(u8::is_ascii_whitespace)
}

/// RFC 2047 §4.2: quoted-printable in which an underscore is a space.
fn q(data: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> =
        data.iter().map(|octet| if *octet == b'_' { b' ' } else { *octet }).collect();
    transfer::quoted_printable_word(&spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded() {
        for (value, text) in [
            (" plain\r\n text ", "plain text"),
            ("=?utf-8?B?VmlhZ3Jh?=", "Viagra"),
            ("=?UTF-8*en?q?a_b=21?= c", "a b! c"),
            ("=?utf-8?q?a?= \r\n =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
            ("=?utf-8?b?w6Q=?= =?utf-8?b?w7Y=?=", "äö"),
            // A character that is split between two words.
            ("=?utf-8?b?w6TD?= =?utf-8?b?tg==?=", "äö"),
            ("=?iso-8859-1?q?=E4?= =?utf-8?q?=C3=B6?=", "äö"),
            ("\"=?utf-8?q?a_b?=\" <a@example.org>", "\"a b\" <a@example.org>"),
            ("=?utf-8?q?with spaces?=", "with spaces"),
            ("=? =?? =?x =?=", "=? =?? =?x =?="),
        ] {
            assert_eq!(decode(value.as_bytes()), (text.into(), false), "{value}");
        }
    }

    #[test]
    fn broken_words_are_read_as_far_as_they_go() {
        for (value, text) in [
            ("=?utf-8?b?VmlhZ3Jh", "Viagra"),
            ("=?utf-8?b?Vmlh", "Via"),
            ("=?utf-8?q?Viagra", "Viagra"),
            ("=?x-nonsense?q?Viagra?=", "Viagra"),
            ("=?utf-8?x?Viagra?=", "Viagra"),
            ("=?utf-8?b?Vml*hZ3Jh?=", "Viagra"),
        ] {
            assert_eq!(decode(value.as_bytes()), (text.into(), true), "{value}");
        }
    }

    #[test]
    fn many_openings_are_linear() {
        let openings = b"=?a?q?".repeat(200_000);
        assert!(decode(&openings).1);
        let starts = b"=?a?q".repeat(200_000);
        assert_eq!(decode(&starts).0.len(), starts.len());
    }
}
