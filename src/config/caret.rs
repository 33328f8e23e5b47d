//! The line of a file that a fault is in, with a caret under the place.

/// The most characters of a line that are shown, and how many of them before the caret.
const SHOWN_CHARS_MAX: usize = 100;
const BEFORE_CHARS_MAX: usize = 60;

/// A line cut to what fits and the column in it, from 0.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Caret {
    line: String,
    column: usize,
}

impl Caret {
    /// The place of the character in a line, from 0. What is no character to show is a space.
    pub(super) fn new(line: &str, column: usize) -> Self {
        let start = column.saturating_sub(BEFORE_CHARS_MAX);
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let line: String = line.chars().skip(start).take(SHOWN_CHARS_MAX).map(shown).collect();
        Self { line: line.trim_end().to_owned(), column: column - start }
    }
}

/// Two lines.
impl std::fmt::Display for Caret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "    {}\n    {:>width$}", self.line, '^', width = self.column + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(Caret::new("a = 1\r", 4).to_string(), "    a = 1\n        ^");
        assert_eq!(Caret::new("\tä = 1", 1).to_string(), "     ä = 1\n     ^");
        let long = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = Caret::new(&long, 500).to_string();
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(line.find('X'), caret.find('^'));
        assert_eq!(line.len(), 104);
        assert_eq!(Caret::new("", 0).to_string(), "    \n    ^");
    }
}
