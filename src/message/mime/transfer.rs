//! Transfer encodings: base64 and quoted-printable (RFC 2045 §6.7, §6.8), read as far as they go.
//!
//! The strict decoders of libraries give up at the first wrong octet, where readers of mail go on;
//! so does this, and it says that it had to.

/// What the octets of a part are encoded in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Encoding {
    /// Not at all: 7bit, 8bit, binary, or one that is unknown.
    Identity,
    /// RFC 2045 §6.8.
    Base64,
    /// RFC 2045 §6.7.
    QuotedPrintable,
}

/// No sextet: white space between lines.
const SPACE: u8 = 0x40;
/// No sextet: the padding at the end.
const PADDING: u8 = 0x41;
/// No sextet: what may not be there.
const FOREIGN: u8 = 0x42;

const SEXTETS: [u8; 256] = sextets();

const fn sextets() -> [u8; 256] {
    let mut table = [FOREIGN; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table[b' ' as usize] = SPACE;
    table[b'\t' as usize] = SPACE;
    table[b'\r' as usize] = SPACE;
    table[b'\n' as usize] = SPACE;
    table[b'=' as usize] = PADDING;
    table
}

/// The octets, and whether nothing was wrong. RFC 2045 §6.8: what is not of the alphabet is ignored.
/// What follows padding is decoded too: some readers stop there, others go on.
pub(crate) fn base64(data: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(data.len() / 4 * 3 + 3);
    let (mut bits, mut count, mut is_padded, mut is_clean) = (0_u32, 0_u8, false, true);
    let mut rest = data;
    loop {
        if count == 0 && !is_padded {
            rest = whole_groups(rest, &mut out);
        }
        let Some((&octet, after)) = rest.split_first() else { break };
        rest = after;
        match SEXTETS[usize::from(octet)] {
            SPACE => {}
            FOREIGN => is_clean = false,
            PADDING => {
                flush(&mut out, &mut bits, &mut count);
                is_padded = true;
            }
            sextet => {
                is_clean &= !is_padded;
                bits = bits << 6 | u32::from(sextet);
                count += 1;
                if count == 4 {
                    out.extend_from_slice(&bits.to_be_bytes()[1..]);
                    (bits, count) = (0, 0);
                }
            }
        }
    }
    is_clean &= count != 1;
    flush(&mut out, &mut bits, &mut count);
    (out, is_clean)
}

/// Decodes groups of nothing but sextets, most of any base64, and tells what follows them.
fn whole_groups<'a>(mut data: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    while let Some((group, rest)) = data.split_first_chunk::<4>() {
        let [first, second, third, fourth] = group.map(|octet| SEXTETS[usize::from(octet)]);
        if first | second | third | fourth >= SPACE {
            break;
        }
        let octets = [first << 2 | second >> 4, second << 4 | third >> 2, third << 6 | fourth];
        out.extend_from_slice(&octets);
        data = rest;
    }
    data
}

/// Whole octets of a last group that is not full.
fn flush(out: &mut Vec<u8>, bits: &mut u32, count: &mut u8) {
    let [_, first, second, _] = (*bits << (6 * (4 - u32::from(*count)).min(4))).to_be_bytes();
    match count {
        2 => out.push(first),
        3 => out.extend([first, second]),
        _ => {}
    }
    (*bits, *count) = (0, 0);
}

/// The octets, and whether nothing was wrong. A broken escape stays as it is (RFC 2045 §6.7 (1)).
pub(crate) fn quoted_printable(data: &[u8]) -> (Vec<u8>, bool) {
    escaped(data, true)
}

/// The same in an encoded word, where there are no lines.
pub(crate) fn quoted_printable_word(data: &[u8]) -> Vec<u8> {
    escaped(data, false).0
}

fn escaped(data: &[u8], has_lines: bool) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(data.len());
    let (mut rest, mut is_clean) = (data, true);
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(octet) = hex(rest) {
            out.push(octet);
            rest = &rest[2..];
        } else if let Some(length) = soft_break(rest).filter(|_| has_lines) {
            rest = &rest[length..];
        } else {
            out.push(b'=');
            is_clean = false;
        }
    }
    out.extend_from_slice(rest);
    (out, is_clean)
}

fn hex(rest: &[u8]) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let [high, low, ..] = rest else { return None };
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// How long the end of the line is that follows (RFC 2045 §6.7 (5)), or the end of the data.
fn soft_break(rest: &[u8]) -> Option<usize> {
    let space = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    match &rest[space..] {
        [b'\r', b'\n', ..] => Some(space + 2),
        [b'\n' | b'\r', ..] => Some(space + 1),
        [] => Some(space),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_same_wherever_a_foreign_octet_stands() {
        let text = b"QUJDREVGR0hJSktM";
        for at in 0..=text.len() {
            for (foreign, was_clean) in [(&b"*"[..], false), (b"\r\n", true), (b" ", true)] {
                let broken = [&text[..at], foreign, &text[at..]].concat();
                assert_eq!(base64(&broken), (b"ABCDEFGHIJKL".to_vec(), was_clean), "{at}");
            }
        }
    }

    #[test]
    fn base64_goes_on() {
        for (data, octets, is_clean) in [
            ("VmlhZ3Jh", "Viagra", true),
            ("Vmlh\r\n Z3Jh\r\n", "Viagra", true),
            ("VmlhZ3JhIQ==", "Viagra!", true),
            ("VmlhZ3JhIQ", "Viagra!", true),
            ("VmlhZ3JhISE=", "Viagra!!", true),
            ("Vm#lh.Z3Jh", "Viagra", false),
            ("Vmk=YWdyYQ==", "Viagra", false),
            ("VmlhZ3JhI", "Viagra", false),
            ("", "", true),
        ] {
            assert_eq!(base64(data.as_bytes()), (octets.into(), is_clean), "{data}");
        }
    }

    #[test]
    fn quoted_printable_goes_on() {
        for (data, octets, is_clean) in [
            ("Vi=61gra", "Viagra", true),
            ("Via=\r\ngra", "Viagra", true),
            ("Via= \t\ngra=", "Viagra", true),
            ("a =3d b=3D", "a = b=", true),
            ("a=b=c=x1", "a=b=c=x1", false),
        ] {
            assert_eq!(quoted_printable(data.as_bytes()), (octets.into(), is_clean), "{data}");
        }
    }
}
