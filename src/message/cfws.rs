//! Comments, folding white space and quoted strings (RFC 5322 §3.2.1, §3.2.2, §3.2.4; RFC 6532),
//! shared by the readers of structured fields.
//!
//! Each call reads every octet once, and nesting costs a counter, no stack. An octet that no
//! structured field may hold (NUL, another control, CR or LF outside a fold) ends the reading.

/// The comment, quoted string or fold is broken or does not end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken;

/// How many octets of comments and folding white space the text begins with.
pub(crate) fn skip(text: &[u8]) -> Result<usize, Broken> {
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(&octet) = text.get(at) {
        at += match octet {
            b' ' | b'\t' => 1,
            b'\r' | b'\n' => fold(&text[at..])?,
            b'(' => {
                depth += 1;
                1
            }
            b')' if depth > 0 => {
                depth -= 1;
                1
            }
            _ if depth == 0 => break,
            b'\\' => escape(&text[at..])?,
            _ => plain(octet)?,
        };
    }
    if depth == 0 { Ok(at) } else { Err(Broken) }
}

/// The content of the quoted string that the text begins with, and how many octets it takes.
/// The text's first octet is the opening quote.
pub(crate) fn quoted(text: &[u8]) -> Result<(Vec<u8>, usize), Broken> {
    let mut content = Vec::new();
    let mut at = 1;
    while let Some(&octet) = text.get(at) {
        at += match octet {
            b'"' => return Ok((content, at + 1)),
            b'\\' => {
                let length = escape(&text[at..])?;
                content.extend(text.get(at + 1));
                length
            }
            b'\r' | b'\n' => fold(&text[at..])?,
            _ => {
                let length = plain(octet)?;
                content.push(octet);
                length
            }
        };
    }
    Err(Broken)
}

/// RFC 5322 §2.2.3: a CRLF counts for nothing where white space follows it. Unfolded, that white
/// space stays.
fn fold(text: &[u8]) -> Result<usize, Broken> {
    match text {
        [b'\r', b'\n', b' ' | b'\t', ..] => Ok(2),
        _ => Err(Broken),
    }
}

/// RFC 5322 §3.2.1: a backslash and the octet it quotes. The obsolete form quotes controls, too;
/// readers differ about those, so it is refused.
fn escape(text: &[u8]) -> Result<usize, Broken> {
    text.get(1).copied().ok_or(Broken).and_then(plain).map(|length| length + 1)
}

fn plain(octet: u8) -> Result<usize, Broken> {
    if octet == b'\t' || !octet.is_ascii_control() { Ok(1) } else { Err(Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_nest_and_end() {
        assert_eq!(skip(b" (a (b) \\) c)\t x"), Ok(15));
        assert_eq!(skip(b"x"), Ok(0));
        assert_eq!(skip(b"(a"), Err(Broken));
        assert_eq!(skip(b")"), Ok(0));
    }

    #[test]
    fn folds_need_white_space() {
        assert_eq!(skip(b"\r\n x"), Ok(3));
        assert_eq!(skip(b"\r\nx"), Err(Broken));
        assert_eq!(skip(b"\n x"), Err(Broken));
        assert_eq!(skip(b"(\r)"), Err(Broken));
    }

    #[test]
    fn quoted_strings_are_unescaped_and_unfolded() {
        assert_eq!(quoted(b"\"a\\\"b\r\n c\" d"), Ok((b"a\"b c".to_vec(), 10)));
        assert_eq!(quoted(b"\"a\0\""), Err(Broken));
        assert_eq!(quoted(b"\"a\\\0\""), Err(Broken));
        assert_eq!(quoted(b"\"a\\"), Err(Broken));
    }

    #[test]
    fn deep_nesting_is_linear() {
        let deep = [vec![b'('; 1_000_000], vec![b')'; 1_000_000]].concat();
        assert_eq!(skip(&deep), Ok(2_000_000));
        assert_eq!(skip(&deep[..1_999_999]), Err(Broken));
    }
}
