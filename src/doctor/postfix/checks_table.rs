//! Tables of `regexp:` and `pcre:` (`regexp_table(5)`, `pcre_table(5)`): which header fields their lines may
//! touch, and what they do to them.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, nfa::thompson};

use super::main_cf::{elements, logical_lines};

/// More lines are not looked at, and no larger pattern is.
const LINES_MAX: usize = 10_000;
const NFA_BYTES_MAX: usize = 1 << 20;

/// A line with an action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// Without delimiters and flags.
    pub(super) pattern: String,
    /// In capitals: `IGNORE`, `REPLACE` and so on.
    pub(super) action: String,
    is_insensitive: bool,
    is_negated: bool,
}

/// The lines of a table; `if` and `endif` are passed over, since they only narrow.
pub(super) fn lines(text: &str) -> Vec<Line> {
    logical_lines(text).take(LINES_MAX).filter_map(|text| line(text.trim())).collect()
}

/// The lines of a table that stands in `main.cf` itself: `regexp:{{LINE}, {LINE}}`.
pub(super) fn inline(table: &str) -> Option<String> {
    let inner = table.split_once(":{")?.1.strip_suffix('}')?;
    let bare = |line: &String| line.trim_start_matches('{').trim_end_matches('}').trim().to_owned();
    Some(elements(inner).iter().map(bare).collect::<Vec<_>>().join("\n"))
}

fn line(text: &str) -> Option<Line> {
    let (is_negated, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let delimiter = text.chars().next().filter(|c| !c.is_alphanumeric())?;
    let rest = &text[delimiter.len_utf8()..];
    let end = closing(rest, delimiter)?;
    let after = &rest[end + delimiter.len_utf8()..];
    let (flags, action) = after.split_once(char::is_whitespace)?;
    let action = action.split_whitespace().next()?.to_ascii_uppercase();
    // Letter case does not matter unless the flag is there: it toggles.
    let is_insensitive = flags.matches('i').count() % 2 == 0;
    Some(Line { pattern: rest[..end].to_owned(), action, is_insensitive, is_negated })
}

/// Where the delimiter is that no backslash is before.
fn closing(text: &str, delimiter: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices()
        .find(|(_, c)| {
            let found = *c == delimiter && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            found
        })
        .map(|(at, _)| at)
}

impl Line {
    /// Whether it changes or removes what it matches.
    pub(super) fn edits(&self) -> bool {
        ["IGNORE", "REPLACE", "STRIP"].contains(&self.action.as_str())
    }

    /// Those of the fields that it may match. A pattern that is not anchored could match any; it is held to
    /// the names that it has in it.
    pub(super) fn touches<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let dfa = if self.pattern.starts_with('^') { self.dfa() } else { None };
        let pattern = self.pattern.to_ascii_lowercase();
        let may = |name: &&&str| match &dfa {
            _ if self.is_negated => false,
            Some(dfa) => can_begin(dfa, &format!("{name}: ")),
            None => names_it(&pattern, name),
        };
        names.iter().filter(may).copied().collect()
    }

    fn dfa(&self) -> Option<DFA> {
        let syntax = syntax::Config::new().case_insensitive(self.is_insensitive).utf8(false);
        let size = thompson::Config::new().nfa_size_limit(Some(NFA_BYTES_MAX)).utf8(false);
        DFA::builder().syntax(syntax).thompson(size).build(&self.pattern).ok()
    }
}

/// Whether a text with that beginning can match.
fn can_begin(dfa: &DFA, beginning: &str) -> bool {
    let mut cache = Cache::new(dfa);
    let from = start::Config::new().anchored(Anchored::Yes);
    let Ok(mut state) = dfa.start_state(&mut cache, &from) else { return true };
    for octet in beginning.bytes() {
        match dfa.next_state(&mut cache, state, octet) {
            Ok(next) => state = next,
            Err(_) => return true,
        }
        // A match ends the search: more text does not undo it.
        if state.is_match() {
            return true;
        }
        if state.is_dead() {
            return false;
        }
    }
    true
}

/// Whether a pattern that is no regular expression of ours has the name with a colon in it.
fn names_it(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let found = pattern.match_indices(&name).any(|(at, _)| {
        let before = pattern[..at].chars().next_back();
        let after = pattern[at + name.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    });
    found && (pattern.contains(':') || pattern.starts_with('^'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["From", "Subject", "Reply-To", "Received"];

    fn touched(text: &str) -> Vec<&'static str> {
        lines(text)
            .iter()
            .filter(|line| line.edits())
            .flat_map(|line| line.touches(NAMES))
            .collect()
    }

    #[test]
    fn patterns_touch_the_fields_that_they_can_match() {
        for (line, wanted) in [
            ("/^Subject: .*secret/ REPLACE Subject: x", &["Subject"][..]),
            ("/^(subject|From):/ IGNORE", &["From", "Subject"]),
            ("/^SUBJECT:/i IGNORE", &[]),
            ("/^re/ IGNORE", &["Reply-To", "Received"]),
            ("/^Received: from \\[10\\./ IGNORE because", &["Received"]),
            ("/^[RF]/ IGNORE", &["From", "Reply-To", "Received"]),
            ("/^X-Mailer:/ IGNORE", &[]),
            ("/^Subject:/ WARN", &[]),
            ("/^Subject:/ PREPEND X-A: b", &[]),
            ("!/^Subject:/ IGNORE", &[]),
            ("/^Subject:(?=x)/ IGNORE", &["Subject"]),
            ("/^(?!X)Subject:/ REPLACE a", &["Subject"]),
            ("/viagra/ REPLACE x", &[]),
            ("/Subject: viagra/ REPLACE x", &["Subject"]),
            ("|^From:| IGNORE", &["From"]),
            ("/^From\\/x: a/ IGNORE", &[]),
            ("if /^From:/\n/./ IGNORE\nendif", &[]),
        ] {
            assert_eq!(touched(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_table_may_stand_in_main_cf_itself() {
        let text = inline("regexp:{{/^Subject:/ REPLACE a}, { /^From: {2}/ IGNORE }}").unwrap();
        assert_eq!(touched(&text), ["Subject", "From"]);
        assert_eq!(inline("regexp:/etc/postfix/checks"), None);
    }

    #[test]
    fn no_line_hurts() {
        for text in [
            "/",
            "/a",
            "//",
            "/a/",
            "!",
            "/(/ IGNORE",
            "/^(/ IGNORE",
            "\u{e9}",
            "/^a{999999}/ IGNORE",
        ] {
            touched(text);
        }
    }
}
