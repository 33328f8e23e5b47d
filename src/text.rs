//! Foreign text made safe to show: in a header field's comment, a reply, a log line, a reason.
//!
//! [`visible`] is for names and reasons, where what cannot be shown does not matter; [`excerpt`] is
//! for what a rule matched, where its author must see the very octets. Two places have rules of
//! their own: the grammar of results fields (`auth::results`), which can quote, and messages about
//! the operator's own files (`config::error::quoted`), which may show any script. [`shown`] is for
//! what explains a verdict, on a terminal or in the log.

/// The most of a foreign text that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// The most of an excerpt, in characters.
const EXCERPT_MAX: usize = 60;

/// What could end or quote something around it, in a header field or a log line.
const ENDS_OR_QUOTES: &[u8] = b";\"()";

/// The most of a text that is only printed, in characters: a key record of RSA-4096 has 736.
const PRINTED_MAX: usize = 800;

const CUT: &str = "...";

/// The text as it can stand anywhere: what is not printable ASCII, or could end or quote something
/// around it, is a question mark; a long text is cut.
pub(crate) fn visible(text: impl AsRef<[u8]>) -> String {
    visible_start(text, SHOWN_MAX)
}

/// The same of a text's start, for places that have room for less.
pub(crate) fn visible_start(text: impl AsRef<[u8]>, chars_max: usize) -> String {
    let text = text.as_ref();
    let shown = text.iter().take(chars_max).map(|&octet| match octet {
        b'\\' => '?',
        _ if ENDS_OR_QUOTES.contains(&octet) => '?',
        b' '..=b'~' => char::from(octet),
        _ => '?',
    });
    let cut = if text.len() > chars_max { CUT } else { "" };
    shown.chain(cut.chars()).collect()
}

/// The start of some octets in printable ASCII; any other, or one that could end or quote something
/// around it, is a backslash and its value. At most 60 characters.
pub(crate) fn excerpt(octets: &[u8]) -> String {
    let escaped = |octet: u8| match octet {
        _ if ENDS_OR_QUOTES.contains(&octet) => format!("\\x{octet:02x}"),
        _ => octet.escape_ascii().to_string(),
    };
    let mut text: String = octets.iter().take(EXCERPT_MAX + 1).copied().map(escaped).collect();
    if text.len() > EXCERPT_MAX {
        text.truncate(EXCERPT_MAX - CUT.len());
        text.push_str(CUT);
    }
    text
}

/// The text for `check` and the same sentences in the log, never for a header field or a reply: printable ASCII as it is,
/// any other octet as an escape; a long text is cut.
pub(crate) fn shown(octets: impl AsRef<[u8]>) -> String {
    let octets = octets.as_ref();
    let printed = |octet: &u8| match *octet {
        b' '..=b'~' => char::from(*octet).to_string(),
        octet => octet.escape_ascii().to_string(),
    };
    let cut = if octets.len() > PRINTED_MAX { CUT } else { "" };
    octets.iter().take(PRINTED_MAX).map(printed).chain([cut.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_ends_what_is_around_it() {
        assert_eq!(visible("a\r\nb\0(c);\"\\\u{e4}"), "a??b??c??????");
        assert_eq!(visible("x".repeat(1000)).len(), SHOWN_MAX + 3);
    }

    #[test]
    fn what_is_printed_is_one_line_of_ascii() {
        assert_eq!(shown("v=DKIM1; p=\"a\"\r\n\0\u{1b}"), "v=DKIM1; p=\"a\"\\r\\n\\x00\\x1b");
        assert_eq!(shown("x".repeat(1000)).len(), PRINTED_MAX + 3);
    }

    #[test]
    fn an_excerpt_shows_the_octets() {
        assert_eq!(excerpt(b"a\r\n\0;\"(b\xff"), r"a\r\n\x00\x3b\x22\x28b\xff");
        assert_eq!(excerpt(&[b'a'; 60]), "a".repeat(60));
        assert_eq!(excerpt(&[b'a'; 61]), format!("{}...", "a".repeat(57)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_short_and_printable(octets: Vec<u8>) {
            prop_assert!(excerpt(&octets).len() <= EXCERPT_MAX);
            for text in [excerpt(&octets), visible(&octets)] {
                prop_assert!(text.bytes().all(|b| matches!(b, b' '..=b'~')), "{:?}", text);
                prop_assert!(!text.contains([';', '"', '(', ')']), "{:?}", text);
            }
        }
    }
}
