//! PCRE2's syntax as Postfix uses it: octets without UTF-8, in the C locale.
//!
//! Flags are kept as rules have them, but for `x`, whose white space is dropped here: in rules it
//! would be dropped from brackets, too.

use super::pattern::{CLASS_NAMES, Reading, Translated, Untranslated, Writing, bad, member};
use super::table::Match;

pub(super) fn translate(test: &Match) -> Result<Translated, Untranslated> {
    let mut flags: String = [(b'i', true), (b's', true), (b'm', false), (b'U', false)]
        .iter()
        .filter(|(letter, default)| test.flag(*letter, *default))
        .map(|(letter, _)| char::from(*letter))
        .collect();
    let mut pattern = Pattern {
        reading: Reading::new(&test.pattern),
        out: Writing::default(),
        groups: 0,
        extended: test.flag(b'x', false),
        outer: Vec::new(),
        knows_lines: test.flag(b'm', false) || !test.flag(b's', true),
    };
    pattern.run()?;
    if pattern.knows_lines {
        // A line feed alone ends a line, and is all that `.` leaves out.
        flags.push_str("-R");
    }
    let flags = if flags.is_empty() { flags } else { format!("(?{flags})") };
    let Pattern { out: Writing { text, fancy, .. }, groups, .. } = pattern;
    let source = match test.flag(b'A', false) {
        true => format!("{flags}\\A(?:{text})"),
        false => format!("{flags}{text}"),
    };
    Ok(Translated { source, groups, fancy, odd: None })
}

/// A pattern on its way.
struct Pattern<'a> {
    reading: Reading<'a>,
    out: Writing,
    groups: usize,
    /// Whether white space is ignored here.
    extended: bool,
    /// The same of each open group's outside.
    outer: Vec<bool>,
    /// Whether ends of lines mean anything.
    knows_lines: bool,
}

impl Pattern<'_> {
    fn run(&mut self) -> Result<(), Untranslated> {
        while let Some(octet) = self.reading.next() {
            match octet {
                b'\\' => self.escape()?,
                b'[' => self.bracket()?,
                b'(' => self.group()?,
                b')' => {
                    if !self.out.close() {
                        return Err(bad("a ) without ("));
                    }
                    self.extended = self.outer.pop().unwrap_or_default();
                }
                b'|' | b'^' | b'$' => self.out.plain(&char::from(octet).to_string()),
                b'.' => self.out.atom("."),
                b'*' | b'+' | b'?' => self.repeat(&char::from(octet).to_string())?,
                b'{' => match self.reading.counts(false) {
                    Some(counts) => self.repeat(&counts)?,
                    None => self.out.literal(octet, &mut self.reading),
                },
                b' ' | b'\t'..=b'\r' if self.extended => {}
                // The line ends of the table are gone, so that nothing ends the comment.
                b'#' if self.extended => {
                    self.reading.take_while(|_| true);
                }
                _ => self.out.literal(octet, &mut self.reading),
            }
        }
        if self.out.has_open_groups() {
            return Err(bad("a group is not closed"));
        }
        Ok(())
    }

    fn repeat(&mut self, quantifier: &str) -> Result<(), Untranslated> {
        if !self.out.has_atom() {
            return Err(bad("nothing to repeat"));
        }
        self.out.repeat(quantifier);
        if self.reading.take(b"?") {
            self.out.repeat("?");
        } else if self.reading.take(b"+") {
            self.out.needs("a possessive quantifier");
            self.out.repeat("+");
        }
        match self.reading.peek() {
            Some(b'*' | b'+' | b'?') => Err(bad("nothing to repeat")),
            _ => Ok(()),
        }
    }

    fn open(&mut self, text: &str) {
        self.outer.push(self.extended);
        self.out.open(text);
    }

    fn group(&mut self) -> Result<(), Untranslated> {
        if self.reading.rest().starts_with(b"*") {
            return Err(Untranslated::Inexpressible("a verb, (*...)"));
        }
        if !self.reading.take(b"?") {
            self.groups += 1;
            self.open("(");
            return Ok(());
        }
        if self.reading.take(b"#") {
            return self.reading.take_until(b")").map(drop).ok_or_else(|| bad("an open comment"));
        }
        for (start, what) in [
            ("=", "look-ahead"),
            ("!", "look-ahead"),
            ("<=", "look-behind"),
            ("<!", "look-behind"),
            (">", "an atomic group"),
            (":", ""),
        ] {
            if self.reading.take(start.as_bytes()) {
                if !what.is_empty() {
                    self.out.needs(what);
                }
                self.open(&format!("(?{start}"));
                return Ok(());
            }
        }
        for (start, end) in [("P<", b'>'), ("<", b'>'), ("'", b'\'')] {
            if self.reading.take(start.as_bytes()) {
                let name = self.reading.take_until(&[end]).ok_or_else(|| bad("an open name"))?;
                let name = word(name).ok_or_else(|| bad("no name of a group"))?;
                self.groups += 1;
                self.open(&format!("(?<{name}>"));
                return Ok(());
            }
        }
        if self.reading.take(b"P=") {
            let name = self.reading.take_until(b")").ok_or_else(|| bad("an open name"))?;
            return self.named_reference(name);
        }
        self.flags()
    }

    /// `(?flags)` and `(?flags:`; whatever else begins with `(?` recurses or decides.
    fn flags(&mut self) -> Result<(), Untranslated> {
        let letters = self.reading.take_while(|octet| b"imsxUJ-".contains(octet));
        let (on, off) = match letters.iter().position(|&octet| octet == b'-') {
            Some(at) => (&letters[..at], &letters[at + 1..]),
            None => (letters, &[][..]),
        };
        let is_scoped = match self.reading.next() {
            Some(b')') if !letters.is_empty() => false,
            Some(b':') => true,
            _ => return Err(Untranslated::Inexpressible("a group that recurses or decides")),
        };
        self.knows_lines |= on.contains(&b'm') || off.contains(&b's');
        if is_scoped {
            self.outer.push(self.extended);
        }
        self.extended = (self.extended || on.contains(&b'x')) && !off.contains(&b'x');
        let kept = |letters: &[u8]| -> String {
            letters.iter().filter(|&l| b"imsU".contains(l)).map(|&l| char::from(l)).collect()
        };
        let (on, off) = (kept(on), kept(off));
        let minus = if off.is_empty() { "" } else { "-" };
        match (is_scoped, on.is_empty() && off.is_empty()) {
            (true, _) => self.out.open(&format!("(?{on}{minus}{off}:")),
            (false, true) => {}
            (false, false) => self.out.plain(&format!("(?{on}{minus}{off})")),
        }
        Ok(())
    }

    fn named_reference(&mut self, name: &[u8]) -> Result<(), Untranslated> {
        let name = word(name).ok_or_else(|| bad("no name of a group"))?;
        self.out.needs("a back-reference");
        self.out.atom(&format!("(?:\\k<{name}>)"));
        Ok(())
    }

    fn reference(&mut self, number: usize) -> Result<(), Untranslated> {
        // PCRE takes references to groups that come later, which nobody needs.
        if number == 0 || number > self.groups {
            return Err(Untranslated::Inexpressible("a reference to a later group"));
        }
        self.out.needs("a back-reference");
        self.out.atom(&format!("(?:\\{number})"));
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Untranslated> {
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
                quoted.iter().for_each(|&octet| self.out.literal(octet, &mut Reading::new(b"")));
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

    fn bracket(&mut self) -> Result<(), Untranslated> {
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
            set.push_str(&format!("{}-{}", member(low), member(high)));
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
            set.push_str(&format!("[:{negated}{}:]", known.ok_or_else(|| bad("no such class"))?));
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

/// The octet that a backslash and this letter stand for.
fn single(reading: &mut Reading<'_>, letter: u8) -> Result<u8, Untranslated> {
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
fn octal(reading: &mut Reading<'_>, first: u8) -> Result<u8, Untranslated> {
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

/// A name as both sides have them.
fn word(name: &[u8]) -> Option<&str> {
    let is_word = |text: &&str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
    };
    str::from_utf8(name).ok().filter(is_word)
}

#[cfg(test)]
mod tests {
    use super::super::table::{Dialect, Table};
    use super::*;

    fn translated(pattern: &str) -> Result<Translated, Untranslated> {
        let table = Table::read(format!("{pattern} OK").as_bytes(), Dialect::Pcre);
        translate(&table.entries[0].pattern)
    }

    #[test]
    fn patterns_become_those_of_rules() {
        for (table, rule) in [
            ("/^Subject: a\\/b\\\"\\<c/", r#"(?is)^Subject: a/b"<c"#),
            ("/a{b}{,2}x{2,}/i", r"(?s)a\{b\}\{,2\}x{2,}"),
            ("/[[a&&b~\\]\\d[:^alpha:]-]/", r"(?is)[\[a\&\&b\~\]\d[:^alpha:]\-]"),
            ("/a b # c/x", "(?is)ab"),
            ("/a\\ [ #]b(?-x: c )d e/x", "(?is)a [ #]b(?: c )de"),
            ("/(?i)a(?m)^b/s", "(?i-R)(?i)a(?m)^b"),
            ("/\\Qa.b*\\Ec+?\\h/U", r"(?isU)a\.b\*c+?[\t \xa0]"),
            ("/x|y/A", r"(?is)\A(?:x|y)"),
            ("/\\x41\\x{e9}\\0\\012\\cA/", "(?is)A\\xe9\\x00\\n\\x01"),
            ("/a(?#note)b\\Z/", r"(?is)ab\z"),
            ("/ä?ö[ü]/", r"(?is)\xc3\xa4?ö[\xc3\xbc]"),
            ("/(?:a)(?P<n>b)(?'m'c)/", "(?is)(?:a)(?<n>b)(?<m>c)"),
        ] {
            let got = translated(table).map(|got| got.source);
            assert_eq!(got.as_deref(), Ok(rule), "{table}");
        }
    }

    #[test]
    fn what_takes_more_than_linear_time_is_told() {
        for (table, rule, what) in [
            ("/a(?!b)/", "(?is)a(?!b)", "look-ahead"),
            ("/(?<!a)b/", "(?is)(?<!a)b", "look-behind"),
            ("/(a)\\1\\g{-1}/", r"(?is)(a)(?:\1)(?:\1)", "a back-reference"),
            ("/(?<q>a)\\k{q}(?P=q)/", r"(?is)(?<q>a)(?:\k<q>)(?:\k<q>)", "a back-reference"),
            ("/a++b/", "(?is)a++b", "a possessive quantifier"),
            ("/(?>a*)b/", "(?is)(?>a*)b", "an atomic group"),
        ] {
            let got = translated(table).unwrap();
            assert_eq!((got.source.as_str(), got.fancy), (rule, Some(what)));
        }
    }

    #[test]
    fn the_rest_is_refused_with_its_reason() {
        for table in [
            "/[\\w-.]/",
            "/[a-\\d]/",
            "/a**/",
            "/*a/",
            "/(a/",
            "/a)/",
            "/[a/",
            "/[z-a]/",
            "/\\y/",
            "/\\x{100}/",
        ] {
            let got = translated(table);
            assert!(matches!(got, Err(Untranslated::Bad(_))), "{table}: {got:?}");
        }
        for table in ["/(?R)/", "/(?(1)a|b)/", "/(*UTF)a/", "/\\p{L}/", "/(?1)(a)/", "/(?|a|b)/"] {
            let got = translated(table);
            assert!(matches!(got, Err(Untranslated::Inexpressible(_))), "{table}: {got:?}");
        }
    }
}
