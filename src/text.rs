//! Foreign text made safe to show: in a log line, a reply, a reason.

/// The most of a foreign text that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// The text with everything but printable ASCII escaped, cut at a length that fits any line.
pub fn visible(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_MAX {
            shown.push_str("...");
            break;
        }
        match c {
            ' '..='~' => shown.push(c),
            _ => shown.extend(c.escape_default()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_line() {
        assert_eq!(visible("a\r\nb\0\u{e4}"), "a\\r\\nb\\u{0}\\u{e4}");
        assert_eq!(visible(&"x".repeat(1000)).len(), SHOWN_MAX + 3);
    }
}
