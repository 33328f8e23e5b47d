//! Texts as TOML has them, in the form that needs the fewest backslashes.

/// A pattern: between single quotes, where a backslash is a backslash, if it can stand there.
pub(super) fn literal(text: &str) -> String {
    let has_controls = text.chars().any(|c| c.is_control() && c != '\t');
    if has_controls || text.contains("'''") || text.ends_with('\'') {
        return quoted(text);
    }
    if text.contains('\'') { format!("'''{text}'''") } else { format!("'{text}'") }
}

/// Between double quotes, on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend([format!("\\u{:04X}", u32::from(c))]),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_quoted_reads_the_same(text in "[a'\"\\\\\n\r\t\u{0}\u{85}ä\u{7f} ]{0,9}") {
            for written in [literal(&text), quoted(&text)] {
                let table: toml::Table = toml::from_str(&format!("a = {written}")).unwrap();
                prop_assert_eq!(table["a"].as_str(), Some(text.as_str()), "{}", written);
            }
        }
    }
}
