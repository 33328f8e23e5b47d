//! What is wrong with a config file, and where: every fault at once, in the order of the file.
//!
//! A fault reads `path:line:col: message (hint)`; what was found in the file is quoted escaped.

use std::fmt;
use std::path::{Path, PathBuf};

pub use super::caret::Caret;
use crate::file::plain;

/// More faults than this are only counted.
pub(super) const FAULTS_SHOWN_MAX: usize = 100;

/// Foreign text is cut to this many characters in a message.
const QUOTED_CHARS_MAX: usize = 60;

/// Why a config file is no configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigErrors {
    /// The file could not be read at all.
    #[error("{}: {reason}", plain(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What stands in the way, and the remedy.
        reason: String,
    },
    /// The file was read and has faults.
    #[error("{}", Listing(.path, .faults, *.more, false))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// The faults, in the order of the file.
        faults: Vec<Fault>,
        /// How many more there are.
        more: usize,
    },
}

/// One fault and its place, counted from 1; columns are characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
    /// What is wrong.
    pub complaint: Complaint,
    /// The line itself.
    pub caret: Caret,
}

/// What is wrong with a value, and how to mend it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Complaint {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

impl Complaint {
    /// A complaint without a remedy.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same complaint with its remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl ConfigErrors {
    /// Each fault with its line and a caret under the place, for a terminal.
    pub fn with_carets(&self) -> String {
        match self {
            Self::Unreadable { .. } => self.to_string(),
            Self::Faulty { path, faults, more } => Listing(path, faults, *more, true).to_string(),
        }
    }
}

struct Listing<'a>(&'a Path, &'a [Fault], usize, bool);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, faults, more, has_carets) = self;
        for (index, Fault { line, column, complaint, caret }) in faults.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{}:{line}:{column}: {complaint}", path.display())?;
            if *has_carets {
                write!(f, "\n{caret}")?;
            }
        }
        match more {
            0 => Ok(()),
            more => write!(f, "\n{}: {more} more faults", path.display()),
        }
    }
}

/// Foreign text in double quotes, escaped and cut to a readable length.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Turns octet offsets of a text into lines and columns.
pub(crate) struct Places<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The character of an offset in its line, from 1.
    fn column(&self, offset: usize) -> usize {
        let start = self.line_starts.get(self.line(offset) - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        before.chars().count() + 1
    }

    /// A complaint with its place.
    pub(crate) fn fault(&self, offset: usize, complaint: Complaint) -> Fault {
        let (line, column) = (self.line(offset), self.column(offset));
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let text = self.text.get(start..).and_then(|rest| rest.split('\n').next());
        let caret = Caret::new(text.unwrap_or_default(), column - 1);
        Fault { line, column, complaint, caret }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let places = Places::new("ab\nä=1\n");
        let of = |offset| (places.line(offset), places.column(offset));
        assert_eq!([of(0), of(2), of(3)], [(1, 1), (1, 3), (2, 1)]);
        assert_eq!([of(5), of(8), of(99)], [(2, 2), (3, 1), (3, 1)]);
    }

    #[test]
    fn quoted_text_is_escaped_and_cut() {
        assert_eq!(quoted("a\r\n"), r#""a\r\n""#);
        assert_eq!(quoted(&"x".repeat(61)).len(), 65);
    }
}
