//! Foreign text made safe to show: in a header field's comment, a reply, a log line, a reason.

/// The most of a foreign text that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// The text as it can stand anywhere: what is not printable ASCII, or could end or quote something
/// around it, is a question mark; a long text is cut.
pub fn visible(text: impl AsRef<[u8]>) -> String {
    visible_start(text, SHOWN_MAX)
}

/// The same of a text's start, for places that have room for less.
pub fn visible_start(text: impl AsRef<[u8]>, chars_max: usize) -> String {
    let text = text.as_ref();
    let shown = text.iter().take(chars_max).map(|&octet| match octet {
        b';' | b'"' | b'(' | b')' | b'\\' => '?',
        b' '..=b'~' => char::from(octet),
        _ => '?',
    });
    let cut = if text.len() > chars_max { "..." } else { "" };
    shown.chain(cut.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_what_is_around_it() {
        assert_eq!(visible("a\r\nb\0(c);\"\\\u{e4}"), "a??b??c??????");
        assert_eq!(visible("x".repeat(1000)).len(), SHOWN_MAX + 3);
    }
}
