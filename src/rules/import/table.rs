//! A `regexp:` or `pcre:` table as text (`regexp_table(5)`, `pcre_table(5)`, `header_checks(5)`).
//!
//! Failure: a line that Postfix skips with a warning is skipped here with the same reason; the lines
//! around it count as they count there.

use super::pattern::{Translated, Untranslated};

/// More lines than this are no table of a mail host.
const LINES_MAX: usize = 100_000;

/// More `if` within `if` is nobody's table.
const NESTING_MAX: usize = 64;

/// Which library reads the patterns of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// POSIX extended regular expressions, as glibc has them.
    Regexp,
    /// PCRE2, octet by octet.
    Pcre,
}

/// A table as far as it could be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    /// What it says, from the top down.
    pub entries: Vec<Entry>,
    /// What Postfix skips, too.
    pub skipped: Vec<Note>,
}

/// Something said about a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// The line of the table, from 1.
    pub line: usize,
    /// Lower case, no full stop.
    pub text: String,
}

/// A pattern with its action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Where it begins, from 1.
    pub line: usize,
    /// What must hold first: every `if` around it, outermost first.
    pub guards: Vec<Match>,
    /// Its own pattern.
    pub pattern: Match,
    /// The action with its text, as written.
    pub result: Vec<u8>,
}

/// A pattern between its delimiters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Match {
    /// Where it stands, from 1.
    pub line: usize,
    /// Whether it must not match.
    pub negated: bool,
    /// What stands between the delimiters.
    pub pattern: Vec<u8>,
    /// The letters behind it.
    pub flags: Vec<u8>,
}

impl Table {
    /// Reads a table.
    pub fn read(text: &[u8], dialect: Dialect) -> Self {
        let mut table = Self::default();
        // `None` stands for an `if` that is skipped: its `endif` is, too, and what is between them
        // counts for every line.
        let mut guards: Vec<Match> = Vec::new();
        for Logical { line, text } in logical_lines(text) {
            if line > LINES_MAX {
                table.skip(line, format!("more than {LINES_MAX} lines; the rest is not read"));
                break;
            }
            if let Err(reason) = table.statement(line, &text, dialect, &mut guards) {
                table.skip(line, reason);
            }
        }
        for guard in guards {
            table.skip(guard.line, "if without endif".to_owned());
        }
        table
    }

    fn skip(&mut self, line: usize, text: String) {
        self.skipped.push(Note { line, text });
    }

    fn statement(
        &mut self,
        line: usize,
        text: &[u8],
        dialect: Dialect,
        guards: &mut Vec<Match>,
    ) -> Result<(), String> {
        if let Some(rest) = keyword(text, b"endif") {
            guards.pop().ok_or("endif without if")?;
            return extra(rest, "endif");
        }
        if let Some(rest) = keyword(text, b"if") {
            let (guard, rest) = Match::read(line, rest.trim_ascii_start(), dialect)?;
            guard.check(dialect)?;
            if guards.len() >= NESTING_MAX {
                return Err(format!("if nests deeper than {NESTING_MAX}"));
            }
            guards.push(guard);
            return extra(rest, "if");
        }
        if text.first().is_some_and(u8::is_ascii_alphanumeric) {
            return Err("neither a pattern, if nor endif".to_owned());
        }
        let (pattern, mut rest) = Match::read(line, text, dialect)?;
        let mut all = guards.clone();
        if dialect == Dialect::Regexp && rest.first() == Some(&b'!') {
            // `/this/!/not that/` is what regexp tables had before they had `if`.
            let (second, after) = Match::read(line, &rest[1..], dialect)?;
            all.push(Match { negated: !second.negated, ..second });
            rest = after;
        }
        all.iter().chain([&pattern]).try_for_each(|test| test.check(dialect))?;
        self.entries.push(Entry { line, guards: all, pattern, result: rest.trim_ascii().to_vec() });
        Ok(())
    }
}

/// Text that Postfix ignores with a warning, having acted on what is before it.
fn extra(rest: &[u8], statement: &str) -> Result<(), String> {
    if rest.trim_ascii().is_empty() {
        return Ok(());
    }
    Err(format!(
        "text behind {statement} is ignored; lines between if and endif must not be indented"
    ))
}

/// What follows a word, compared as Postfix does.
fn keyword<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(word.len())?;
    let ends = rest.first().is_none_or(|octet| !octet.is_ascii_alphanumeric());
    (start.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

impl Match {
    /// The pattern at the start of some text, and what follows its flags.
    fn read(line: usize, text: &[u8], dialect: Dialect) -> Result<(Self, &[u8]), String> {
        let start = text.iter().position(|&octet| octet != b'!' && !is_space(octet));
        let (marks, text) = text.split_at(start.unwrap_or(text.len()));
        let negated = marks.iter().fold(false, |odd, &octet| odd ^ (octet == b'!'));
        let (&delimiter, rest) = text.split_first().ok_or("no pattern")?;
        let end = closing(rest, delimiter).ok_or_else(|| {
            format!(
                "the pattern does not end: no second {}",
                char::from(delimiter).escape_default()
            )
        })?;
        let (pattern, rest) = rest.split_at(end);
        let rest = &rest[1..];
        let ends_flags =
            |octet: &u8| is_space(*octet) || (*octet == b'!' && dialect == Dialect::Regexp);
        let flags_len = rest.iter().position(ends_flags);
        let (flags, rest) = rest.split_at(flags_len.unwrap_or(rest.len()));
        let known: &[u8] = match dialect {
            Dialect::Regexp => b"imx",
            Dialect::Pcre => b"imsxAEUX",
        };
        match flags.iter().find(|flag| !known.contains(flag)) {
            Some(&flag) => Err(format!("unknown flag {}", char::from(flag).escape_default())),
            None => {
                Ok((Self { line, negated, pattern: pattern.to_vec(), flags: flags.to_vec() }, rest))
            }
        }
    }

    /// Whether the pattern can be compiled: Postfix skips the statement where not.
    fn check(&self, dialect: Dialect) -> Result<(), String> {
        match Translated::of(self, dialect) {
            Err(Untranslated::Bad(reason)) => Err(format!("bad pattern: {reason}")),
            _ => Ok(()),
        }
    }

    /// Whether a flag is on, each letter toggling it.
    pub fn flag(&self, letter: u8, default: bool) -> bool {
        self.flags.iter().fold(default, |on, &flag| on ^ (flag == letter))
    }
}

/// Where the pattern ends: at a delimiter that no backslash stands before.
fn closing(text: &[u8], delimiter: u8) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&octet| {
        let ends = octet == delimiter && !escaped;
        escaped = octet == b'\\' && !escaped;
        ends
    })
}

/// C's `isspace` in Postfix's locale.
fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

/// A line with those that continue it.
struct Logical {
    line: usize,
    text: Vec<u8>,
}

/// Lines that begin with white space continue the one before, comments and empty lines between them
/// notwithstanding; the line ends are lost.
fn logical_lines(text: &[u8]) -> Vec<Logical> {
    let mut lines: Vec<Logical> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.split(|&octet| octet == b'\n').enumerate() {
        let is_indented = line.first().is_some_and(|&octet| is_space(octet));
        let content = line.iter().position(|&octet| !is_space(octet));
        let Some(content) = content.filter(|&at| line.get(at) != Some(&b'#')) else { continue };
        match lines.last_mut() {
            Some(last) if is_indented && is_open => last.text.extend_from_slice(line),
            // A continuation of nothing is ignored.
            _ if is_indented => {}
            _ => {
                let text = line.get(content..).unwrap_or_default().to_vec();
                lines.push(Logical { line: index + 1, text });
                is_open = true;
            }
        }
    }
    for line in &mut lines {
        let len = line.text.iter().rposition(|&octet| !is_space(octet)).map_or(0, |at| at + 1);
        line.text.truncate(len);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Table {
        Table::read(text.as_bytes(), Dialect::Pcre)
    }

    fn shown(table: &Table) -> Vec<String> {
        let one = |test: &Match| {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let mark = if test.negated { "!" } else { "" };
            format!("{mark}/{}/{}", text(&test.pattern), text(&test.flags))
        };
        let entry = |entry: &Entry| {
            let guards: String = entry.guards.iter().map(|guard| one(guard) + " & ").collect();
            let result = String::from_utf8_lossy(&entry.result);
            format!("{}: {guards}{} -> {result}", entry.line, one(&entry.pattern))
        };
        table.entries.iter().map(entry).collect()
    }

    #[test]
    fn lines_are_continued_and_commented() {
        let table = read(
            "# a comment\n\n/a b/\n   REJECT\n# between\n\t  two words  \n/c/x OK\r\n  # c\n!/d/ HOLD",
        );
        assert_eq!(
            shown(&table),
            ["3: /a b/ -> REJECT\t  two words", "7: /c/x -> OK", "9: !/d/ -> HOLD"]
        );
        assert_eq!(table.skipped, []);
    }

    #[test]
    fn conditions_nest() {
        let table = read("if /a/\nIF !/b/i\n/c/ 1\nendif\n! ! /d/ 2\nENDIF\n/e/ 3\n");
        assert_eq!(
            shown(&table),
            ["3: /a/ & !/b/i & /c/ -> 1", "5: /a/ & /d/ -> 2", "7: /e/ -> 3"]
        );
    }

    #[test]
    fn delimiters_are_free_and_can_be_escaped() {
        let table = read("~^/x\\~y~ 1\n/a\\/b\\\\/ 2\n|x|A 3\n");
        assert_eq!(shown(&table), ["1: /^/x\\~y/ -> 1", "2: /a\\/b\\\\/ -> 2", "3: /x/A -> 3"]);
        let table = Table::read(b"/a/!/b/ 1", Dialect::Regexp);
        assert_eq!(shown(&table), ["1: !/b/ & /a/ -> 1"]);
    }

    #[test]
    fn what_postfix_skips_is_skipped_with_its_line() {
        let table = read("endif\n/a OK\n/a/q OK\nword\nif /x/ /y/ OK\n/b/ 1\nendif\nif /z/\n!\n");
        assert_eq!(shown(&table), ["6: /x/ & /b/ -> 1"]);
        let skipped: Vec<_> = table.skipped.iter().map(|note| note.line).collect();
        assert_eq!(skipped, [1, 2, 3, 4, 5, 9, 8]);
    }

    #[test]
    fn flags_toggle() {
        let table = read("/a/ii OK\n/b/i OK");
        assert!(table.entries[0].pattern.flag(b'i', true));
        assert!(!table.entries[1].pattern.flag(b'i', true));
    }
}
