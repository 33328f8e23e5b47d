//! Structured MIME fields: a value and its parameters (RFC 2045 §5.1, RFC 2231), read in two ways.
//!
//! One way is the grammar's: comments are nothing, an unquoted value ends at white space, a backslash
//! in quotes escapes. The other is that of many readers: comments are text, an unquoted value goes on
//! to the semicolon, a backslash is a character. Where they differ, both are kept.

use crate::message::text::{charset, decoded};

/// The most parameters of a field that are read.
const PARAMETERS_MAX: usize = 200;

/// The most numbered pieces of a parameter that are put together (RFC 2231 §3).
const PIECES_MAX: usize = 200;

/// How a field is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Grammar,
    Naive,
}

/// A field in one reading.
#[derive(Clone, Debug, Default)]
struct Reading {
    value: Vec<u8>,
    parameters: Vec<Parameter>,
    is_broken: bool,
}

#[derive(Clone, Debug)]
struct Parameter {
    /// In lower case, with the asterisks of RFC 2231.
    name: String,
    value: Vec<u8>,
}

/// A structured field in both readings.
#[derive(Clone, Debug)]
pub(super) struct Structured {
    readings: [Reading; 2],
}

impl Structured {
    pub(super) fn read(field: &[u8]) -> Self {
        let field: Vec<u8> =
            field.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
        Self { readings: [read(&field, Way::Grammar), read(&field, Way::Naive)] }
    }

    /// What stands before the first semicolon, in lower case; each reading once.
    pub(super) fn values(&self) -> Vec<String> {
        let values = self
            .readings
            .iter()
            .map(|reading| String::from_utf8_lossy(&reading.value).trim().to_ascii_lowercase());
        once(values)
    }

    /// Whether the grammar has no place for something in it.
    pub(super) fn is_broken(&self) -> bool {
        self.readings[0].is_broken
    }

    /// The octets of a parameter: each that differs, in the order of likelihood.
    pub(super) fn octets(&self, name: &str) -> Vec<Vec<u8>> {
        once(self.readings.iter().flat_map(|reading| {
            reading.plain(name).chain(reading.extended(name).map(|(octets, _)| octets))
        }))
    }

    /// The text of a parameter: each that differs. RFC 2231's forms come first, as readers that
    /// know them prefer them; RFC 2047's encoded words are decoded.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        once(self.readings.iter().flat_map(|reading| {
            let extended = reading.extended(name).map(|(octets, charset)| {
                charset::decode(&octets, charset.as_deref()).0.into_owned()
            });
            extended.chain(reading.plain(name).map(|octets| decoded(&octets).into_owned()))
        }))
    }
}

/// Each item once, in order.
pub(super) fn once<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

impl Reading {
    fn plain(&self, name: &str) -> impl Iterator<Item = Vec<u8>> {
        self.parameters.iter().filter(move |p| p.name == name).map(|p| p.value.clone())
    }

    /// RFC 2231: `name*=charset'language'text`, or in pieces: `name*0*=…; name*1=…`.
    fn extended(&self, name: &str) -> impl Iterator<Item = (Vec<u8>, Option<String>)> {
        let has_name = move |p: &&Parameter| p.name.strip_suffix('*') == Some(name);
        let whole = self.parameters.iter().filter(has_name).map(|p| extended_value(&p.value));
        whole.chain(self.pieces(name))
    }

    fn pieces(&self, name: &str) -> Option<(Vec<u8>, Option<String>)> {
        let (mut octets, mut charset) = (Vec::new(), None);
        for index in 0..PIECES_MAX {
            let piece = self.parameters.iter().find_map(|p| {
                let rest = p.name.strip_prefix(name)?.strip_prefix('*')?;
                let number = rest.strip_suffix('*').unwrap_or(rest);
                (number.parse() == Ok(index)).then_some((&p.value, number.len() < rest.len()))
            });
            match piece {
                None if index == 0 => return None,
                None => break,
                Some((value, true)) if index == 0 => (octets, charset) = extended_value(value),
                Some((value, true)) => octets.extend(percent_decoded(value)),
                Some((value, false)) => octets.extend_from_slice(value),
            }
        }
        Some((octets, charset))
    }
}

/// RFC 2231 §4.
fn extended_value(value: &[u8]) -> (Vec<u8>, Option<String>) {
    let mut parts = value.splitn(3, |octet| *octet == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(text)) => {
            let charset = String::from_utf8_lossy(charset).into_owned();
            (percent_decoded(text), Some(charset).filter(|name| !name.is_empty()))
        }
        _ => (percent_decoded(value), None),
    }
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let digit = |octet: Option<&u8>| char::from(*octet?).to_digit(16);
    let mut octets = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some(&octet) = value.get(at) {
        let escaped = (octet == b'%')
            .then(|| Some(digit(value.get(at + 1))? << 4 | digit(value.get(at + 2))?))
            .flatten();
        octets.push(escaped.map_or(octet, |escaped| escaped as u8));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    octets
}

fn read(field: &[u8], way: Way) -> Reading {
    let mut reading = Reading::default();
    let mut rest = Rest { field, at: 0, way, is_broken: false };
    reading.value = rest.word(b";");
    while rest.next_parameter() && reading.parameters.len() < PARAMETERS_MAX {
        let name = rest.word(b"=;");
        let name = String::from_utf8_lossy(&name).trim().to_ascii_lowercase();
        if rest.take(b'=') {
            let value = rest.word(b";");
            reading.parameters.push(Parameter { name, value });
        } else {
            rest.is_broken |= !name.is_empty();
        }
    }
    reading.is_broken = rest.is_broken;
    reading
}

/// What is left of a field.
struct Rest<'a> {
    field: &'a [u8],
    at: usize,
    way: Way,
    is_broken: bool,
}

impl Rest<'_> {
    fn peek(&self) -> Option<u8> {
        self.field.get(self.at).copied()
    }

    fn take(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes past the semicolons and white space before a parameter.
    fn next_parameter(&mut self) -> bool {
        while self.peek().is_some_and(|octet| octet == b';' || octet.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.peek().is_some()
    }

    /// A token or quoted string, up to one of `ends`, which is not taken.
    fn word(&mut self, ends: &[u8]) -> Vec<u8> {
        let mut word = Vec::new();
        let mut is_over = false;
        while let Some(octet) = self.peek().filter(|octet| !ends.contains(octet)) {
            match octet {
                b'(' if self.way == Way::Grammar => self.skip_comment(),
                b'"' if word.is_empty() && !is_over => {
                    self.quoted(&mut word);
                    is_over = true;
                }
                b' ' | b'\t' if self.way == Way::Grammar || word.is_empty() || is_over => {
                    self.at += 1;
                    is_over |= !word.is_empty();
                }
                octet => {
                    // RFC 2045 §5.1: nothing but a comment may follow a value.
                    self.is_broken |= is_over;
                    if !is_over {
                        word.push(octet);
                    }
                    self.at += 1;
                }
            }
        }
        if self.way == Way::Naive && !is_over {
            word.truncate(word.trim_ascii_end().len());
        }
        word
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'\\' => self.at += 1,
                b'(' => depth += 1,
                b')' if depth == 1 => return,
                b')' => depth -= 1,
                _ => {}
            }
        }
        self.is_broken = true;
    }

    fn quoted(&mut self, word: &mut Vec<u8>) {
        self.at += 1;
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'"' => return,
                b'\\' if self.way == Way::Grammar || self.peek() == Some(b'"') => {
                    word.extend(self.peek());
                    self.at += 1;
                }
                octet => word.push(octet),
            }
        }
        self.is_broken = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(field: &str, name: &str) -> Vec<String> {
        Structured::read(field.as_bytes()).texts(name)
    }

    #[test]
    fn parameters_are_read() {
        for (field, name, values) in [
            ("text/plain; charset=utf-8", "charset", &["utf-8"][..]),
            ("a/b; NAME = \"a \\\"b\\\".pdf\" ; x=y", "name", &["a \"b\".pdf"]),
            ("a/b; name=\"x;y\"", "name", &["x;y"]),
            ("a/b; name*=utf-8'en'%e2%82%ac.pdf", "name", &["€.pdf"]),
            ("a/b; name*0*=iso-8859-1''%e4; name*1=\"b.\"; name*2*=p%64f", "name", &["äb.pdf"]),
            ("a/b; name*1=b; name*0=a", "name", &["ab"]),
            ("a/b; name=\"=?utf-8?q?=C3=A4.pdf?=\"", "name", &["ä.pdf"]),
            ("a/b; name=\"a\\b\"", "name", &["ab", "a\\b"]),
            ("a/b; name=a b.exe", "name", &["a", "a b.exe"]),
            ("a/b; name=a(.txt;).exe", "name", &["a.exe", "a(.txt"]),
            ("a/b; name=x.txt; name=y.exe", "name", &["x.txt", "y.exe"]),
            ("a/b; name=x.txt; name*=''y.exe", "name", &["y.exe", "x.txt"]),
            ("a/b; name*1=x", "name", &[]),
            ("a/b", "name", &[]),
        ] {
            assert_eq!(texts(field, name), values, "{field}");
        }
    }

    #[test]
    fn what_is_broken_says_so() {
        for (field, broken) in [
            ("text/plain; charset=utf-8 (comment); x=\"y\"", false),
            ("text/plain;", false),
            ("text/plain; charset", true),
            ("text/plain; name=\"x", true),
            ("text/plain; name=\"x\" y", true),
            ("text/plain (x", true),
            ("text plain", true),
        ] {
            assert_eq!(Structured::read(field.as_bytes()).is_broken(), broken, "{field}");
        }
    }

    #[test]
    fn many_parameters_are_bounded() {
        let many = (0..100_000).map(|n| format!("; name*{n}=x")).collect::<Vec<_>>().concat();
        assert_eq!(texts(&format!("a/b{many}"), "name")[0].len(), PARAMETERS_MAX);
        let open = "(".repeat(1_000_000);
        assert!(Structured::read(open.as_bytes()).is_broken());
    }
}
