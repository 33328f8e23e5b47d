//! The messages in a rule's examples.

use super::facts::Facts;
use super::known::Known;
use super::texts::Texts;
use crate::message::header::HeaderBlock;

/// A message, or a piece of one, that a rule must hit or miss.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) is_hit: bool,
    pub(super) text: String,
    /// The octet of the file where it stands.
    pub(super) at: usize,
    /// What is known of it besides.
    pub(super) known: Known,
}

impl Example {
    /// Calls `judge` with the message and what is known of it.
    pub(super) fn judged<T>(&self, judge: impl for<'m> FnOnce(&Texts<'m>, &Facts<'m>) -> T) -> T {
        let (headers, body) = self.message();
        let facts = self.known.facts(&headers, &body);
        judge(&Texts::new(&headers, &body, facts.is_cut, facts.limits), &facts)
    }

    /// The header block and the body. Lines are fields as long as they look like fields or their
    /// folds; the first that does not begins the body, and an empty line before it belongs to
    /// neither. So a body alone needs no empty line before it, unless it begins like a field.
    pub(super) fn message(&self) -> (HeaderBlock, Vec<u8>) {
        let mut header = HeaderBlock::default();
        let mut field: Option<(&str, String)> = None;
        let mut rest = self.text.as_str();
        while let Some((line, after)) = next_line(rest) {
            match (&mut field, name_and_value(line)) {
                (Some((_, value)), _) if line.starts_with([' ', '\t']) => {
                    value.push_str("\r\n");
                    value.push_str(line);
                }
                (_, Some((name, value))) => {
                    push(&mut header, field.replace((name, value.to_owned())));
                }
                _ => break,
            }
            rest = after;
        }
        push(&mut header, field);
        (header, body(rest))
    }
}

fn push(header: &mut HeaderBlock, field: Option<(&str, String)>) {
    if let Some((name, value)) = field {
        header.push(name.as_bytes(), value.as_bytes());
    }
}

/// The first line, and what follows it; `None` at the end of the text.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((line.strip_suffix('\r').unwrap_or(line), rest))
}

/// RFC 5322 §2.2: a name is printable ASCII without colon.
fn name_and_value(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    is_name.then_some((name, value))
}

fn body(text: &str) -> Vec<u8> {
    let text = text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text);
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (String, String) {
        let (header, body) =
            Example { is_hit: true, text: text.into(), at: 0, known: Known::default() }.message();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (text(header.octets()), text(&body))
    }

    fn pair(header: &str, body: &str) -> (String, String) {
        (header.into(), body.into())
    }

    #[test]
    fn a_snippet_is_header_body_or_both() {
        assert_eq!(split("Subject: x"), pair("Subject: x\r\n", ""));
        assert_eq!(split("A: x\n y\nB:\n\nbody\n"), pair("A: x\r\n y\r\nB:\r\n", "body\r\n"));
        assert_eq!(split("A: x\r\n\r\n\r\nb"), pair("A: x\r\n", "\r\nb"));
        assert_eq!(split("only a body"), pair("", "only a body"));
        assert_eq!(split("\nNot: a field"), pair("", "Not: a field"));
        assert_eq!(split(" folded: nothing"), pair("", " folded: nothing"));
        assert_eq!(split(""), pair("", ""));
    }
}
