//! Domain names as text, between messages and the wire (RFC 1035 §2.3.4, §3.1).
//!
//! A name comes from a message and means its octets: there are no escapes, no search list and no
//! IDNA. A final dot is allowed and changes nothing.

use hickory_proto::rr::Name;

use crate::message::domain::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX};

/// The absolute name that the text spells; `None` where no such name can be published: an empty,
/// overlong or non-ASCII label, a control character (NUL among them), a name too long, the root.
pub(super) fn parse(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > NAME_OCTETS_MAX || !text.split('.').all(is_label) {
        return None;
    }
    // Octets, not `str`: hickory reads escapes and IDNA into a `str`.
    Name::from_labels(text.split('.').map(str::as_bytes)).ok()
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_OCTETS_MAX).contains(&label.len()) && label.bytes().all(is_printable)
}

/// The text of a name found in an answer, without its final dot; empty for the root. `None` where
/// the text would not name it again: a dot inside a label, or an octet that [`parse`] refuses.
pub(super) fn format(name: &Name) -> Option<String> {
    let mut text = String::new();
    for label in name {
        if !label.iter().all(|&octet| is_printable(octet) && octet != b'.') {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.extend(label.iter().map(|&octet| char::from(octet)));
    }
    Some(text)
}

fn is_printable(octet: u8) -> bool {
    matches!(octet, b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_can_publish() {
        let label = "a".repeat(64);
        let long = "a.".repeat(127) + "b";
        for text in
            ["", ".", "..", "a..b", ".a", "a\0b", "a\r\nb", "b\u{fc}ro.example", &label, &long]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_longest_names() {
        assert!(parse(&"a".repeat(63)).is_some());
        assert!(parse(&("a.".repeat(126) + "b")).is_some());
    }

    #[test]
    fn an_escape_is_no_escape() {
        let name = parse("a\\032b\\.example.").unwrap();
        let labels: Vec<&[u8]> = name.iter().collect();
        assert_eq!(labels, [b"a\\032b\\".as_slice(), b"example"]);
        assert_eq!(format(&name).unwrap(), "a\\032b\\.example");
    }

    #[test]
    fn names_that_text_cannot_say() {
        let dotted = Name::from_labels([b"a.b".as_slice(), b"example"]).unwrap();
        let binary = Name::from_labels([b"a\nb".as_slice(), b"example"]).unwrap();
        assert_eq!(format(&dotted), None);
        assert_eq!(format(&binary), None);
        assert_eq!(format(&Name::root()).unwrap(), "");
    }
}
