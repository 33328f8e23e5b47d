//! A pattern that is asked of one line: in linear time, or for imported tables by backtracking with a
//! limit of steps.
//!
//! Failure: a line on which a pattern takes more steps is not matched by it, and after a few such
//! lines of one message the pattern is not tried on the others.

use std::sync::Arc;

use fancy_regex::{BytesMode, RegexBuilder};
use regex_syntax::hir::Hir;

use super::captures::{Captures, Groups};
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
    Linear(Arc<Pattern>),
    /// With look-around and back-references.
    Fancy(fancy_regex::Regex),
}

/// More than the allowed steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Exhausted;

impl LinePattern {
    pub(super) fn compile(source: &str, fancy: bool) -> Result<Self, Refusal> {
        if !fancy {
            return Pattern::compile(source).map(Arc::new).map(Self::Linear);
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

    /// What it is made of, if it may share a pass with others.
    pub(super) fn hir(&self) -> Option<&Hir> {
        match self {
            Self::Linear(pattern) => Some(pattern.hir()),
            Self::Fancy(_) => None,
        }
    }

    /// Whether it matches somewhere in the line.
    pub(super) fn is_match(&self, line: &[u8]) -> Result<bool, Exhausted> {
        match self {
            Self::Linear(pattern) => Ok(pattern.find_once(line).is_some()),
            Self::Fancy(regex) => regex.is_match(line).map_err(|_| Exhausted),
        }
    }

    /// Adds the groups that it has.
    pub(super) fn add_to(&self, groups: &mut Groups) {
        match self {
            Self::Linear(pattern) => groups.add(pattern),
            Self::Fancy(regex) => {
                groups.count = groups.count.max(regex.captures_len().saturating_sub(1));
                groups.names.extend(regex.capture_names().flatten().map(str::to_owned));
            }
        }
    }

    /// What it matches first, and its groups.
    pub(super) fn captures(&self, line: &[u8]) -> Option<Captures> {
        match self {
            Self::Linear(pattern) => {
                let captures = Captures::of(pattern.regex()?, line);
                captures.groups.first()?.is_some().then_some(captures)
            }
            Self::Fancy(regex) => {
                let found = regex.captures(line).ok()??;
                let group = |at| line.get(found.get(at)?.range()).map(<[u8]>::to_vec);
                let names = regex.capture_names().map(|name| name.map(str::to_owned));
                Some(Captures {
                    groups: (0..found.len()).map(group).collect(),
                    names: names.collect(),
                })
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
        let captures = fancy(r"a(b)?(?<n>c)(?=d)").captures(b"xacd").unwrap();
        assert_eq!(captures.groups, [Some(b"ac".to_vec()), None, Some(b"c".to_vec())]);
        assert_eq!(captures.names, [None, None, Some("n".to_owned())]);
    }

    #[test]
    fn a_line_costs_no_more_than_its_steps() {
        let pattern = fancy("^(?:(?!c)a|(?!c)aa)+b$");
        assert_eq!(pattern.is_match(&[&[b'a'; 200][..], b"cb"].concat()), Err(Exhausted));
        assert!(LinePattern::compile("(?<a>x(?<b>y)", true).is_err());
    }
}
