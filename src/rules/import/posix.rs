//! POSIX extended regular expressions as glibc's `regcomp` reads them: `\w`, `\<` and
//! back-references are its extensions, a backslash before any other character is that character,
//! and in brackets it is itself.

use super::pattern::{CLASS_NAMES, Reading, Translated, Untranslated, Writing, bad, member};
use super::table::Match;

pub(super) fn translate(test: &Match) -> Result<Translated, Untranslated> {
    if !test.flag(b'x', true) {
        return Err(Untranslated::Inexpressible(
            "basic regular expressions (flag x); write it as an extended one",
        ));
    }
    // With the flag m, regcomp has REG_NEWLINE: `.` and negated brackets don't match a line feed.
    let lines = test.flag(b'm', false);
    let mut reading = Reading::new(&test.pattern);
    let mut out = Writing::default();
    let ignores_case = test.flag(b'i', true);
    let case = if ignores_case { "i" } else { "" };
    let mut odd = None;
    out.plain(&if lines { format!("(?{case}m-R)") } else { format!("(?{case}s)") });
    let mut groups = 0;
    while let Some(octet) = reading.next() {
        match octet {
            b'\\' if ignores_case && reading.peek().is_some_and(is_lost) => {
                reading.next();
                out.atom(r"[^\x00-\xff]");
                odd = Some(
                    "a backslash before a small letter: glibc has it match nothing where case is ignored",
                );
            }
            b'\\' => escape(&mut reading, &mut out, groups)?,
            b'[' => bracket(&mut reading, &mut out, lines)?,
            b'(' => {
                groups += 1;
                out.open("(");
            }
            b')' if out.has_open_groups() => {
                out.close();
            }
            b'|' => out.plain("|"),
            b'^' | b'$' => out.plain(&char::from(octet).to_string()),
            b'.' => out.atom("."),
            b'*' | b'+' | b'?' => repeat(&mut out, &char::from(octet).to_string(), &reading)?,
            b'{' => {
                let counts = reading.counts(true).ok_or_else(|| bad("{ begins no count"))?;
                repeat(&mut out, &counts, &reading)?;
            }
            _ => out.literal(octet, &mut reading),
        }
    }
    if out.has_open_groups() {
        return Err(bad("a group is not closed"));
    }
    Ok(Translated { source: out.text, groups, fancy: out.fancy, odd })
}

/// glibc compares an escaped letter that has no meaning as it is with text in capitals.
fn is_lost(octet: u8) -> bool {
    octet.is_ascii_lowercase() && !b"wsb".contains(&octet)
}

/// A second quantifier repeats the first with what it repeats: there are no lazy ones.
fn repeat(out: &mut Writing, quantifier: &str, reading: &Reading<'_>) -> Result<(), Untranslated> {
    if !out.has_atom() {
        return Err(bad("nothing to repeat"));
    }
    out.repeat(quantifier);
    if matches!(reading.peek(), Some(b'*' | b'+' | b'?' | b'{')) {
        out.group_atom();
    }
    Ok(())
}

fn escape(reading: &mut Reading<'_>, out: &mut Writing, groups: usize) -> Result<(), Untranslated> {
    let octet = reading.next().ok_or_else(|| bad("a backslash at the end"))?;
    match octet {
        b'w' | b'W' | b's' | b'S' => out.atom(&format!("\\{}", char::from(octet))),
        b'b' | b'B' => out.plain(&format!("\\{}", char::from(octet))),
        b'<' => out.plain(r"\b{start}"),
        b'>' => out.plain(r"\b{end}"),
        b'`' => out.plain(r"\A"),
        b'\'' => out.plain(r"\z"),
        b'1'..=b'9' if usize::from(octet - b'0') > groups => {
            return Err(bad("a reference to a group that is not there"));
        }
        b'1'..=b'9' => {
            out.needs("a back-reference");
            out.atom(&format!("(?:\\{})", char::from(octet)));
        }
        _ => out.literal(octet, reading),
    }
    Ok(())
}

fn bracket(reading: &mut Reading<'_>, out: &mut Writing, lines: bool) -> Result<(), Untranslated> {
    let negated = reading.take(b"^");
    let mut set = String::from(if negated { "[^" } else { "[" });
    if negated && lines {
        set.push_str("\\n");
    }
    let mut is_first = true;
    loop {
        if !is_first && reading.take(b"]") {
            break;
        }
        is_first = false;
        let Some(low) = element(reading, &mut set)? else { continue };
        // A hyphen before the end is itself.
        if reading.rest().starts_with(b"-") && !reading.rest().starts_with(b"-]") {
            reading.next();
            let high = element(reading, &mut set)?.ok_or_else(|| bad("a range of classes"))?;
            if high < low {
                return Err(bad("a range that runs backwards"));
            }
            set.push_str(&(member(low) + "-" + &member(high)));
        } else {
            set.push_str(&member(low));
        }
    }
    set.push(']');
    out.atom(&set);
    Ok(())
}

/// The octet that is next in brackets; `None` where it is a class, which is appended to the set.
fn element(reading: &mut Reading<'_>, set: &mut String) -> Result<Option<u8>, Untranslated> {
    let unclosed = || bad("a bracket is not closed");
    if reading.take(b"[:") {
        let name = reading.take_until(b":]").ok_or_else(unclosed)?;
        let known = CLASS_NAMES.iter().find(|known| known.as_bytes() == name);
        set.extend(["[:", known.ok_or_else(|| bad("no such class"))?, ":]"]);
        return Ok(None);
    }
    for (open, close) in [(b"[.", b".]"), (b"[=", b"=]")] {
        if reading.take(open) {
            let name = reading.take_until(close).ok_or_else(unclosed)?;
            return match name {
                &[octet] => Ok(Some(octet)),
                _ => Err(Untranslated::Inexpressible("a collating element")),
            };
        }
    }
    reading.next().map(Some).ok_or_else(unclosed)
}

#[cfg(test)]
mod tests {
    use super::super::table::{Dialect, Table};
    use super::*;

    fn source(line: &str) -> Result<String, Untranslated> {
        let table = Table::read(line.as_bytes(), Dialect::Regexp);
        translate(&table.entries[0].pattern).map(|translated| translated.source)
    }

    #[test]
    fn patterns_become_those_of_rules() {
        for (table, rule) in [
            ("/^Subject: a\\/b/", r"(?is)^Subject: a/b"),
            ("/a\\.b\\d/i", r"(?s)a\.bd"),
            ("/a\\D\\d/", r"(?is)aD[^\x00-\xff]"),
            ("/[]a\\.[]x{2,}/", r"(?is)[\]a\\.\[]x{2,}"),
            ("/[^a-c[:digit:]-]/m", r"(?im-R)[^\na-c[:digit:]\-]"),
            ("/a+?b{,3}/", r"(?is)(?:a+)?b{0,3}"),
            ("/(ab)*+/", r"(?is)(?:(ab)*)+"),
            ("/\\<x\\>|a)b/", r"(?is)\b{start}x\b{end}|a\)b"),
            ("/[a&&b~~c]/", r"(?is)[a\&\&b\~\~c]"),
            ("/ä+ö/", r"(?is)\xc3\xa4+ö"),
            ("/(a)\\1/", r"(?is)(a)(?:\1)"),
        ] {
            assert_eq!(source(&format!("{table} OK")).as_deref(), Ok(rule), "{table}");
        }
    }

    #[test]
    fn what_regcomp_refuses_is_bad() {
        for table in ["/*a/", "/a{x/", "/(a/", "/[a/", "/[c-a]/", "/a|*b/", "/\\1/", "/[[:foo:]]/"]
        {
            let skipped = Table::read(format!("{table} OK").as_bytes(), Dialect::Regexp).skipped;
            assert!(skipped[0].text.starts_with("bad pattern: "), "{table}: {skipped:?}");
        }
    }
}
