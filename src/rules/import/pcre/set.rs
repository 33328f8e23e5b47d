//! Brackets: sets of octets.

use super::Pattern;
use super::escape::{octal, single};
use crate::rules::import::pattern::{CLASS_NAMES, Untranslated, bad, member};

impl Pattern<'_> {
    pub(super) fn bracket(&mut self) -> Result<(), Untranslated> {
        let mut set = String::from(if self.reading.take(b"^") { "[^" } else { "[" });
        let mut is_first = true;
        loop {
            if !is_first && self.reading.take(b"]") {
                break;
            }
            is_first = false;
            let low = self.element(&mut set)?;
            let rest = self.reading.rest();
            let is_range = rest.starts_with(b"-") && !rest.starts_with(b"-]");
            // PCRE2 takes a hyphen beside a class for a mistake.
            let Some(low) = low else {
                if is_range {
                    return Err(bad("a range of classes"));
                }
                continue;
            };
            if !is_range {
                set.push_str(&member(low));
                continue;
            }
            self.reading.next();
            let high = self.element(&mut set)?.ok_or_else(|| bad("a range of classes"))?;
            if high < low {
                return Err(bad("a range that runs backwards"));
            }
            set.push_str(&(member(low) + "-" + &member(high)));
        }
        set.push(']');
        self.out.atom(&set);
        Ok(())
    }

    /// The octet that is next in brackets; `None` where it is a class, which is appended to the set.
    fn element(&mut self, set: &mut String) -> Result<Option<u8>, Untranslated> {
        let unclosed = || bad("a bracket is not closed");
        if self.reading.rest().starts_with(b"[:")
            && self.reading.rest().windows(2).any(|w| w == b":]")
        {
            self.reading.take(b"[:");
            let negated = if self.reading.take(b"^") { "^" } else { "" };
            let name = self.reading.take_until(b":]").ok_or_else(unclosed)?;
            let known = CLASS_NAMES.iter().chain(&["ascii", "word"]);
            let known = known.copied().find(|known| known.as_bytes() == name);
            let known = known.ok_or_else(|| bad("no such class"))?;
            set.extend(["[:", negated, known, ":]"]);
            return Ok(None);
        }
        let octet = self.reading.next().ok_or_else(unclosed)?;
        if octet != b'\\' {
            return Ok(Some(octet));
        }
        let letter = self.reading.next().ok_or_else(unclosed)?;
        let class = match letter {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' => &format!("\\{}", char::from(letter)),
            b'h' => r"\t \xa0",
            b'H' => r"[^\t \xa0]",
            b'v' => r"\n-\r\x85",
            b'V' => r"[^\n-\r\x85]",
            b'b' => return Ok(Some(8)),
            b'1'..=b'7' => return octal(&mut self.reading, letter).map(Some),
            b'Q' | b'E' => return Err(Untranslated::Inexpressible("\\Q in brackets")),
            b'p' | b'P' => return Err(Untranslated::Inexpressible("a Unicode property")),
            _ => return single(&mut self.reading, letter).map(Some),
        };
        set.push_str(class);
        Ok(None)
    }
}
