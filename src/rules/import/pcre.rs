//! PCRE2's syntax as Postfix uses it: octets without UTF-8, in the C locale.
//!
//! Flags are kept as rules have them, but for `x`, whose white space is dropped here: in rules it
//! would be dropped from brackets, too.

mod escape;
mod set;

use super::pattern::{Reading, Translated, Untranslated, Writing, bad};
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
    let source = if test.flag(b'A', false) {
        format!("{flags}\\A(?:{text})")
    } else {
        format!("{flags}{text}")
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

    fn read(pattern: &str) -> Table {
        Table::read(format!("{pattern} OK").as_bytes(), Dialect::Pcre)
    }

    fn translated(pattern: &str) -> Result<Translated, Untranslated> {
        translate(&read(pattern).entries[0].pattern)
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
            let skipped = read(table).skipped;
            assert!(skipped[0].text.starts_with("bad pattern: "), "{table}: {skipped:?}");
        }
        for table in ["/(?R)/", "/(?(1)a|b)/", "/(*UTF)a/", "/\\p{L}/", "/(?1)(a)/", "/(?|a|b)/"] {
            let got = translated(table);
            assert!(matches!(got, Err(Untranslated::Inexpressible(_))), "{table}: {got:?}");
        }
    }
}
