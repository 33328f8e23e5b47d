//! Records as lines of a zone file (RFC 1035 §5.1), ready to be published.

use std::fmt::{self, Write as _};

/// The most octets of one character-string (RFC 1035 §3.3).
const STRING_BYTES_MAX: usize = 255;

/// A TXT record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TxtRecord {
    /// The owner's name, without a final dot.
    pub name: String,
    /// The text; its character-strings joined.
    pub text: String,
}

impl TxtRecord {
    /// The domain's DMARC record to begin with: it asks for nothing but reports (RFC 9989).
    pub fn dmarc_to_begin_with(domain: &str) -> Self {
        Self {
            name: format!("_dmarc.{domain}"),
            text: format!("v=DMARC1; p=none; rua=mailto:dmarc-reports@{domain}"),
        }
    }

    /// The text in character-strings that fit.
    pub fn strings(&self) -> impl Iterator<Item = &[u8]> {
        self.text.as_bytes().chunks(STRING_BYTES_MAX)
    }
}

/// One line a character-string, the whole in parentheses where it has more than one line.
impl fmt::Display for TxtRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. IN TXT (", self.name)?;
        for (index, string) in self.strings().enumerate() {
            let space = if index == 0 { " " } else { "\n    " };
            write!(f, "{space}{}", quoted(string))?;
        }
        f.write_str(" )")
    }
}

/// A character-string in quotes (RFC 1035 §5.1).
fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => {
                let _ = write!(text, "\\{octet:03}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> TxtRecord {
        TxtRecord { name: "a.example".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn strings_are_split_at_255_octets() {
        let lengths = |octets: usize| -> Vec<usize> {
            record(&"x".repeat(octets)).strings().map(<[u8]>::len).collect()
        };
        assert_eq!([lengths(255), lengths(256)], [vec![255], vec![255, 1]]);
        let line = record(&"x".repeat(256)).to_string();
        assert_eq!(line, format!("a.example. IN TXT ( \"{}\"\n    \"x\" )", "x".repeat(255)));
    }

    #[test]
    fn quotes_and_what_is_not_printable_are_escaped() {
        let line = record("a\"b\\c\tü;(").to_string();
        assert_eq!(line, r#"a.example. IN TXT ( "a\"b\\c\009\195\188;(" )"#);
    }
}
