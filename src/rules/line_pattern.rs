//! A pattern that is asked of one line: in linear time, or for imported tables by backtracking with a
//! limit of steps.
//!
//! Failure: a line on which a pattern takes more steps is not matched by it, and after a few such
//! lines of one message the pattern is not tried on the others.

use std::ops::Range;

use fancy_regex::{BytesMode, RegexBuilder};
use regex_automata::meta::Regex;

use super::pattern::{Pattern, Refusal};
use crate::config::error::Complaint;

/// What a line may cost: a fraction of a millisecond.
const STEPS_MAX: usize = 10_000;

/// How many lines of a message may cost more than that, before a pattern is given up.
pub(super) const EXHAUSTED_MAX: u32 = 8;

const COMPILED_BYTES_MAX: usize = 64 * 1024;
const INSTRUCTIONS_MAX: usize = 10_000;

/// A pattern on a line.
#[derive(Clone, Debug)]
pub(super) enum LinePattern {
    /// What all rules have.
    Linear(Pattern),
    /// With look-around and back-references.
    Fancy(fancy_regex::Regex),
}

/// More than the allowed steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Exhausted;

/// The whole match and its groups.
pub(super) type Groups = Vec<Option<Range<usize>>>;

impl LinePattern {
    pub(super) fn compile(source: &str, fancy: bool) -> Result<Self, Refusal> {
        if !fancy {
            return Pattern::compile(source).map(Self::Linear);
        }
        let mut builder = RegexBuilder::new(source);
        builder
            .bytes_mode(BytesMode::Ascii)
            .crlf(true)
            .backtrack_limit(STEPS_MAX)
            .delegate_size_limit(COMPILED_BYTES_MAX)
            .delegate_dfa_size_limit(COMPILED_BYTES_MAX)
            .max_prog_size(INSTRUCTIONS_MAX);
        builder.build().map(Self::Fancy).map_err(|error| Refusal {
            at: 0,
            complaint: Complaint::new(format!("bad pattern: {error}")),
        })
    }

    /// The regex that may share a pass with others.
    pub(super) fn linear(&self) -> Option<&Regex> {
        match self {
            Self::Linear(pattern) => Some(&pattern.regex),
            Self::Fancy(_) => None,
        }
    }

    /// Whether it matches somewhere in the line.
    pub(super) fn is_match(&self, line: &[u8]) -> Result<bool, Exhausted> {
        match self {
            Self::Linear(pattern) => Ok(pattern.regex.is_match(line)),
            Self::Fancy(regex) => regex.is_match(line).map_err(|_| Exhausted),
        }
    }

    /// What it matches first, and its groups.
    pub(super) fn groups(&self, line: &[u8]) -> Option<Groups> {
        match self {
            Self::Linear(pattern) => {
                let mut captures = pattern.regex.create_captures();
                pattern.regex.captures(line, &mut captures);
                captures.get_match()?;
                Some(captures.iter().map(|span| span.map(|span| span.range())).collect())
            }
            Self::Fancy(regex) => {
                let captures = regex.captures(line).ok()??;
                let span = |at| captures.get(at).map(|found| found.range());
                Some((0..captures.len()).map(span).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fancy(source: &str) -> LinePattern {
        LinePattern::compile(source, true).unwrap()
    }

    #[test]
    fn look_around_and_back_references_see_octets() {
        assert_eq!(fancy(r"(?is)^from: (?!joe)").is_match(b"From: ann\xff"), Ok(true));
        assert_eq!(fancy(r"(?is)^from: (?!joe)").is_match(b"From: Joe"), Ok(false));
        assert_eq!(fancy(r"(?is)(.)\xe4(?:\1)").is_match(b"x\xff\xe4\xff"), Ok(true));
        assert_eq!(fancy(r"(?is)(?<=\xc3)[\xa4-\xff]\w").is_match("äa".as_bytes()), Ok(true));
        assert_eq!(fancy(r"(?m-R)^b(?=\n|$)").is_match(b"a\nb\nc"), Ok(true));
        let groups = fancy(r"a(b)?(c)(?=d)").groups(b"xacd").unwrap();
        assert_eq!(groups, [Some(1..3), None, Some(2..3)]);
    }

    #[test]
    fn a_line_costs_no_more_than_its_steps() {
        let pattern = fancy("^(?:(?!c)a|(?!c)aa)+b$");
        assert_eq!(pattern.is_match(&[&[b'a'; 200][..], b"cb"].concat()), Err(Exhausted));
        assert!(LinePattern::compile("(?<a>x(?<b>y)", true).is_err());
    }
}
