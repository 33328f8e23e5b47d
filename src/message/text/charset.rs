//! Charsets: octets as text (RFC 2045 §2.2, RFC 2978), by mail-parser's and `encoding_rs`'s tables.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// The longest name of a charset that is looked up (RFC 2978 §2.3 has 40).
const NAME_OCTETS_MAX: usize = 45;

/// The text, and whether the charset is known. Octets of an unknown one, and such as are not
/// US-ASCII where that is all they may be, are UTF-8 if they can be, and else windows-1252: so do
/// the readers of mail.
pub(crate) fn decode<'a>(octets: &'a [u8], charset: Option<&str>) -> (Cow<'a, str>, bool) {
    let charset =
        charset.map(|name| name.trim_matches(|c: char| c.is_ascii_whitespace() || c == '"'));
    let Some(name) = charset.filter(|name| !is_ascii_or_utf8(name)) else {
        return (plain(octets), true);
    };
    let known = 1..=NAME_OCTETS_MAX;
    match known.contains(&name.len()).then(|| charset_decoder(name.as_bytes())).flatten() {
        Some(decoder) => (Cow::Owned(decoder(octets)), true),
        None => (plain(octets), false),
    }
}

fn is_ascii_or_utf8(name: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii", "unicode-1-1-utf-8"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn plain(octets: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        // A character that was cut off at the end, or a few stray octets, leave it UTF-8.
        Err(_) if is_mostly_utf8(octets) => String::from_utf8_lossy(octets),
        Err(_) => match charset_decoder(b"windows-1252") {
            Some(decoder) => Cow::Owned(decoder(octets)),
            None => String::from_utf8_lossy(octets),
        },
    }
}

/// Whether more characters of several octets are whole than broken.
fn is_mostly_utf8(octets: &[u8]) -> bool {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for chunk in octets.utf8_chunks() {
        whole += chunk.valid().bytes().filter(|octet| *octet >= 0xc0).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    whole > broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_decoded() {
        for (octets, charset, text) in [
            (&b"Gr\xfc\xdfe"[..], Some("ISO-8859-1"), "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", Some("utf-8"), "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", Some("us-ascii"), "Grüße"),
            (b"Gr\xfc\xdfe", None, "Grüße"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), "Привет"),
            (b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("koi8-r"), "Привет"),
            (b"\x1b$B4A;z\x1b(B", Some("iso-2022-jp"), "漢字"),
            (b"+BD8EQAQ4BDIENQRC-", Some("utf-7"), "привет"),
            (b"\0v\0i", Some("utf-16be"), "vi"),
        ] {
            assert_eq!(decode(octets, charset), (text.into(), true), "{charset:?}");
        }
    }

    #[test]
    fn what_has_no_known_charset_is_read_all_the_same() {
        assert_eq!(decode(b"caf\xe9", Some("x-nonsense")), ("café".into(), false));
        assert_eq!(decode(b"x", Some("")), ("x".into(), false));
        assert_eq!(decode(b"x", Some(&"y".repeat(10_000))), ("x".into(), false));
        assert_eq!(decode("grüße\u{fffd}".as_bytes(), None).0, "grüße\u{fffd}");
        assert_eq!(decode(b"gr\xc3\xbc\xc3\x9fe \xc3", None).0, "grüße \u{fffd}");
    }
}
