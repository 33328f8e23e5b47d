//! What a backslash and what follows it stand for.

use super::Pattern;
use crate::rules::import::pattern::{Reading, Untranslated, bad};

impl Pattern<'_> {
    pub(super) fn escape(&mut self) -> Result<(), Untranslated> {
        let octet = self.reading.next().ok_or_else(|| bad("a backslash at the end"))?;
        match octet {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' => {
                self.out.atom(&format!("\\{}", char::from(octet)));
            }
            b'b' | b'B' | b'A' | b'z' => self.out.plain(&format!("\\{}", char::from(octet))),
            // No line ends with a line feed, and every search begins at the start.
            b'Z' => self.out.plain("\\z"),
            b'G' => self.out.plain("\\A"),
            // What is matched as a whole is nobody's concern in a table.
            b'K' => self.out.plain(""),
            b'h' => self.out.atom(r"[\t \xa0]"),
            b'H' => self.out.atom(r"[^\t \xa0]"),
            b'v' => self.out.atom(r"[\n-\r\x85]"),
            b'V' => self.out.atom(r"[^\n-\r\x85]"),
            b'N' => self.out.atom(r"[^\n]"),
            b'C' => self.out.atom("(?s:.)"),
            b'R' => {
                self.out.needs("\\R");
                self.out.atom(r"(?>\r\n|[\n-\r\x85])");
            }
            b'Q' => {
                let all = self.reading.rest();
                let quoted = self.reading.take_until(b"\\E").unwrap_or_else(|| {
                    self.reading.take_while(|_| true);
                    all
                });
                for &octet in quoted {
                    self.out.literal(octet, &mut Reading::new(b""));
                }
            }
            b'E' => {}
            b'k' | b'g' => self.group_escape(octet)?,
            b'1'..=b'9' => self.digits(octet)?,
            b'p' | b'P' | b'X' => {
                return Err(Untranslated::Inexpressible("a Unicode property"));
            }
            _ => {
                let octet = single(&mut self.reading, octet)?;
                self.out.literal(octet, &mut self.reading);
            }
        }
        Ok(())
    }

    /// `\k` and `\g` in all their brackets.
    fn group_escape(&mut self, letter: u8) -> Result<(), Untranslated> {
        let close: &[u8] = match self.reading.next() {
            Some(b'{') => b"}",
            Some(b'<') if letter == b'k' => b">",
            Some(b'\'') if letter == b'k' => b"'",
            Some(digit @ b'1'..=b'9') if letter == b'g' => {
                let more = self.reading.number();
                let first = usize::from(digit - b'0');
                return self.reference(more.map_or(first, |_| usize::MAX));
            }
            _ => return Err(Untranslated::Inexpressible("a call of a group")),
        };
        let name = self.reading.take_until(close).ok_or_else(|| bad("an open name"))?;
        let text = str::from_utf8(name).unwrap_or_default();
        match (text.parse::<usize>(), text.strip_prefix('-').map(str::parse::<usize>)) {
            (Ok(number), _) => self.reference(number),
            (_, Some(Ok(back))) => self.reference((self.groups + 1).saturating_sub(back)),
            _ => self.named_reference(name),
        }
    }

    /// A back-reference, or up to three octal digits where there are not so many groups.
    fn digits(&mut self, first: u8) -> Result<(), Untranslated> {
        let rest = self.reading.rest();
        let more = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let digits = [&[first], rest.get(..more).unwrap_or_default()].concat();
        let number: usize =
            str::from_utf8(&digits).ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        if number < 10 || number <= self.groups || first >= b'8' {
            self.reading.take_while(u8::is_ascii_digit);
            return self.reference(number);
        }
        let octet = octal(&mut self.reading, first)?;
        self.out.literal(octet, &mut Reading::new(b""));
        Ok(())
    }
}

/// The octet that a backslash and this letter stand for.
pub(super) fn single(reading: &mut Reading<'_>, letter: u8) -> Result<u8, Untranslated> {
    Ok(match letter {
        b'a' => 7,
        b'e' => 27,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => return octal(reading, b'0'),
        b'c' => reading.next().ok_or_else(|| bad("\\c at the end"))?.to_ascii_uppercase() ^ 64,
        b'x' if reading.take(b"{") => {
            let digits = reading.take_until(b"}").ok_or_else(|| bad("an open \\x{"))?;
            radix(digits, 16)?
        }
        b'x' => {
            let is_hex = |octet: &u8| octet.is_ascii_hexdigit();
            let len = reading.rest().iter().take(2).take_while(|octet| is_hex(octet)).count();
            let digits = reading.rest().get(..len).unwrap_or_default();
            reading.take(digits);
            if digits.is_empty() { 0 } else { radix(digits, 16)? }
        }
        b'o' if reading.take(b"{") => {
            radix(reading.take_until(b"}").ok_or_else(|| bad("an open \\o{"))?, 8)?
        }
        letter if letter.is_ascii_alphanumeric() => {
            return Err(bad("a backslash before a letter that means nothing"));
        }
        octet => octet,
    })
}

/// Up to three octal digits, of which the first is taken already.
pub(super) fn octal(reading: &mut Reading<'_>, first: u8) -> Result<u8, Untranslated> {
    let is_octal = |octet: &u8| matches!(octet, b'0'..=b'7');
    let len = reading.rest().iter().take(2).take_while(|octet| is_octal(octet)).count();
    let more = reading.rest().get(..len).unwrap_or_default();
    reading.take(more);
    radix(&[&[first], more].concat(), 8)
}

fn radix(digits: &[u8], radix: u32) -> Result<u8, Untranslated> {
    let text = str::from_utf8(digits).map_err(|_| bad("no number"))?;
    u8::from_str_radix(text, radix).map_err(|_| bad("a character beyond 255"))
}
