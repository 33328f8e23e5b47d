//! What matched, made fit for a log line.

/// Longer excerpts are cut.
const CHARS_MAX: usize = 60;

const CUT: &str = "...";

/// The octets in printable ASCII, escaped where they are something else or could end or quote
/// something around them; at most 60 characters.
pub(super) fn excerpt(octets: &[u8]) -> String {
    let mut text: String = octets.iter().take(CHARS_MAX + 1).copied().map(escaped).collect();
    if text.len() > CHARS_MAX {
        text.truncate(CHARS_MAX - CUT.len());
        text.push_str(CUT);
    }
    text
}

fn escaped(octet: u8) -> String {
    match octet {
        b';' | b'"' | b'(' | b')' => format!("\\x{octet:02x}"),
        _ => octet.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_inject_is_escaped() {
        assert_eq!(excerpt(b"a\r\n\0;\"(b\xff"), r"a\r\n\x00\x3b\x22\x28b\xff");
        assert_eq!(excerpt(&[b'a'; 60]), "a".repeat(60));
        assert_eq!(excerpt(&[b'a'; 61]), format!("{}...", "a".repeat(57)));
    }

    proptest! {
        #[test]
        fn an_excerpt_is_short_and_printable(octets: Vec<u8>) {
            let text = excerpt(&octets);
            prop_assert!(text.len() <= CHARS_MAX);
            prop_assert!(text.bytes().all(|b| matches!(b, b' '..=b'~')), "{:?}", text);
            prop_assert!(!text.contains([';', '"', '(', ')']), "{:?}", text);
        }
    }
}
