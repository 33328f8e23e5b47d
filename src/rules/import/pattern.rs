//! A pattern of a table in the syntax of rules: what both dialects have in common.

use super::pcre;
use super::posix;
use super::table::{Dialect, Match};

/// A pattern as rules have it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Translated {
    /// Flags in front, so that it stands alone.
    pub(super) source: String,
    /// How many groups capture.
    pub(super) groups: usize,
    /// What takes an engine that backtracks; `None` where linear time will do.
    pub(super) fancy: Option<&'static str>,
    /// What hardly means what its author meant.
    pub(super) odd: Option<&'static str>,
}

/// Why a pattern can't be taken over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Untranslated {
    /// Postfix refuses it, too, and skips the line.
    Bad(String),
    /// It means something that rules can't say.
    Inexpressible(&'static str),
}

impl Translated {
    pub(super) fn of(test: &Match, dialect: Dialect) -> Result<Self, Untranslated> {
        match dialect {
            Dialect::Pcre => pcre::translate(test),
            Dialect::Regexp => posix::translate(test),
        }
    }
}

/// A pattern while it is read, octet by octet.
pub(super) struct Reading<'a> {
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    pub(super) fn new(pattern: &'a [u8]) -> Self {
        Self { rest: pattern }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes some octets, if they are next.
    pub(super) fn take(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes octets while they are of a kind.
    pub(super) fn take_while(&mut self, kind: impl Fn(&u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().position(|octet| !kind(octet)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    /// Takes all before some octets, and these.
    pub(super) fn take_until(&mut self, end: &[u8]) -> Option<&'a [u8]> {
        let at = self.rest.windows(end.len()).position(|window| window == end)?;
        let taken = self.rest.get(..at);
        self.rest = self.rest.get(at + end.len()..).unwrap_or_default();
        taken
    }

    /// A number in decimal, if one is next.
    pub(super) fn number(&mut self) -> Option<usize> {
        let digits = self.take_while(u8::is_ascii_digit);
        str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The text of `{n}`, `{n,}` or `{n,m}` without its end, behind the opening brace; nothing is
    /// taken where none is next.
    pub(super) fn counts(&mut self, may_begin_with_comma: bool) -> Option<String> {
        let end = self.rest.iter().position(|&octet| octet == b'}')?;
        let inner = str::from_utf8(self.rest.get(..end)?).ok()?;
        let (least, most) = match inner.split_once(',') {
            Some((least, most)) => (least, Some(most)),
            None => (inner, None),
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let least = match least {
            "" if may_begin_with_comma && most.is_some() => "0",
            least if is_number(least) => least,
            _ => return None,
        };
        let counts = match most {
            None => format!("{{{least}}}"),
            Some("") => format!("{{{least},}}"),
            Some(most) if is_number(most) => format!("{{{least},{most}}}"),
            Some(_) => return None,
        };
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(counts)
    }
}

/// A pattern while it is written.
#[derive(Default)]
pub(super) struct Writing {
    pub(super) text: String,
    pub(super) fancy: Option<&'static str>,
    /// Where the atom begins that a quantifier would repeat.
    atom: Option<usize>,
    /// Where each open group begins.
    open: Vec<usize>,
}

impl Writing {
    /// Appends what a quantifier can repeat.
    pub(super) fn atom(&mut self, text: &str) {
        self.atom = Some(self.text.len());
        self.text.push_str(text);
    }

    /// Appends what is no atom.
    pub(super) fn plain(&mut self, text: &str) {
        self.atom = None;
        self.text.push_str(text);
    }

    /// Appends octets that mean themselves. `rest` is what follows: a character of several octets is
    /// written as itself, unless only its last octet is repeated.
    pub(super) fn literal(&mut self, octet: u8, rest: &mut Reading<'_>) {
        if octet.is_ascii() {
            return self.atom(&literal(octet));
        }
        let following = rest.take_while(|octet| (0x80..0xc0).contains(octet));
        let octets = [&[octet], following].concat();
        let repeated = matches!(rest.peek(), Some(b'*' | b'+' | b'?' | b'{'));
        match str::from_utf8(&octets) {
            Ok(text) if !repeated => self.atom(text),
            _ => octets.iter().for_each(|octet| self.atom(&format!("\\x{octet:02x}"))),
        }
    }

    pub(super) fn open(&mut self, text: &str) {
        self.open.push(self.text.len());
        self.plain(text);
    }

    /// Closes the innermost group; `false` where none is open.
    pub(super) fn close(&mut self) -> bool {
        let Some(start) = self.open.pop() else { return false };
        self.text.push(')');
        self.atom = Some(start);
        true
    }

    pub(super) fn has_open_groups(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether there is something to repeat.
    pub(super) fn has_atom(&self) -> bool {
        self.atom.is_some()
    }

    /// Puts the atom and its quantifiers so far into a group of their own.
    pub(super) fn group_atom(&mut self) {
        if let Some(start) = self.atom {
            self.text.insert_str(start, "(?:");
            self.text.push(')');
        }
    }

    /// Appends a quantifier; what it repeats stays the atom.
    pub(super) fn repeat(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn needs(&mut self, what: &'static str) {
        self.fancy.get_or_insert(what);
    }
}

/// An ASCII octet that means itself.
fn literal(octet: u8) -> String {
    match octet {
        b'\n' => "\\n".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'\r' => "\\r".to_owned(),
        _ if b"\\.+*?()|[]{}^$".contains(&octet) => format!("\\{}", char::from(octet)),
        b' '..=b'~' => char::from(octet).to_string(),
        _ => format!("\\x{octet:02x}"),
    }
}

/// An octet in brackets that means itself: sets within sets and their operators have no meaning in
/// tables.
pub(super) fn member(octet: u8) -> String {
    match octet {
        b'[' | b']' | b'\\' | b'^' | b'-' | b'&' | b'~' => format!("\\{}", char::from(octet)),
        b'\n' => "\\n".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'\r' => "\\r".to_owned(),
        b' '..=b'~' => char::from(octet).to_string(),
        _ => format!("\\x{octet:02x}"),
    }
}

/// POSIX's named classes.
pub(super) const CLASS_NAMES: &[&str] = &[
    "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "xdigit",
];

pub(super) fn bad(reason: &str) -> Untranslated {
    Untranslated::Bad(reason.to_owned())
}
