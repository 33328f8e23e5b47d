//! Text that is not ASCII, made fit for a header field (RFC 2047 §2, §4.2).

use std::fmt::Write as _;

/// RFC 2047 §2: "An 'encoded-word' may not be more than 75 characters long".
const WORD_CHARS_MAX: usize = 75;
/// RFC 1428 §3: the charset of octets that nobody named one for.
const UNKNOWN: &str = "unknown-8bit";

/// The octets as encoded words with a space between each two of them.
pub(crate) fn encode(octets: &[u8]) -> String {
    let (charset, units) = match std::str::from_utf8(octets) {
        Ok(text) => ("utf-8", text.chars().map(char::len_utf8).collect()),
        Err(_) => (UNKNOWN, vec![1; octets.len()]),
    };
    let room = WORD_CHARS_MAX - charset.len() - "=??q??=".len();
    let mut words = vec![String::new()];
    let mut rest = octets;
    // §5: a character stands within one word.
    for unit in units {
        let (character, after) = rest.split_at(unit.min(rest.len()));
        let coded = quoted(character);
        match words.last_mut() {
            Some(word) if word.len() + coded.len() <= room => word.push_str(&coded),
            _ => words.push(coded),
        }
        rest = after;
    }
    let words: Vec<String> =
        words.into_iter().map(|word| format!("=?{charset}?q?{word}?=")).collect();
    words.join(" ")
}

/// The `Q` encoding, in what is allowed anywhere (§5 rule 3).
fn quoted(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut coded, &octet| {
        match octet {
            b' ' => coded.push('_'),
            b'!' | b'*' | b'+' | b'-' | b'/' => coded.push(char::from(octet)),
            _ if octet.is_ascii_alphanumeric() => coded.push(char::from(octet)),
            // Writing to a string cannot fail.
            _ => {
                let _ = write!(coded, "={octet:02X}");
            }
        }
        coded
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_stay_whole_and_words_short() {
        assert_eq!(encode("für 5 €".as_bytes()), "=?utf-8?q?f=C3=BCr_5_=E2=82=AC?=");
        assert_eq!(encode(b"\xd0\xcf?"), "=?unknown-8bit?q?=D0=CF=3F?=");
        let long = encode("ä".repeat(30).as_bytes());
        assert_eq!(long.split(' ').count(), 3, "{long}");
        assert!(long.split(' ').all(|word| word.len() <= 75 && word.ends_with("=A4?=")), "{long}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_short_words_of_ascii(octets: Vec<u8>) {
            for word in encode(&octets).split(' ') {
                prop_assert!(word.len() <= WORD_CHARS_MAX && word.starts_with("=?"));
                prop_assert!(word.bytes().all(|octet| octet.is_ascii_graphic()), "{}", word);
            }
        }
    }
}
