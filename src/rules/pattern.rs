//! Regular expressions on octets, in linear time and of bounded size.
//!
//! Reading a pattern and checking its size costs a tenth of what a regex costs that is quick on
//! long texts. So that one is built when a text has what the pattern needs (`literals`), and the
//! short texts of examples are searched without it.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::MatchKind;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::backtrack::BoundedBacktracker;
use regex_automata::nfa::thompson::{
    BuildError as NfaError, Compiler, Config as NfaConfig, NFA, WhichCaptures,
};
use regex_automata::util::syntax;
use regex_syntax::Error as SyntaxError;
use regex_syntax::hir::Hir;

use crate::config::error::Complaint;

/// What one pattern may cost compiled: on a body of 1 MiB the slowest ones of this size were seen to
/// take some seconds, ordinary ones a hundredth of that.
const COMPILED_BYTES_MAX: usize = 64 * 1024;

/// Deeper groups are refused.
const NESTING_MAX: u32 = 64;

/// A pattern as written and compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    hir: Hir,
    nfa: NFA,
    /// `None` only where the library could not build what it built an NFA of.
    regex: OnceLock<Option<Regex>>,
}

/// What is wrong with a pattern, and at which of its octets.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) at: usize,
    pub(super) complaint: Complaint,
}

impl Pattern {
    pub(super) fn compile(source: &str) -> Result<Self, Refusal> {
        let hir = syntax::parse_with(source, &syntax()).map_err(|error| bad_syntax(&error))?;
        let config = NfaConfig::new().utf8(false).nfa_size_limit(Some(COMPILED_BYTES_MAX));
        let nfa = Compiler::new()
            .configure(config)
            .build_from_hir(&hir)
            .map_err(|error| uncompilable(&error))?;
        Ok(Self { hir, nfa, regex: OnceLock::new() })
    }

    pub(super) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// The regex for long texts.
    pub(super) fn regex(&self) -> Option<&Regex> {
        let build = || {
            let config = Config::new().utf8_empty(false);
            Regex::builder().configure(config).build_from_hir(&self.hir).ok()
        };
        self.regex.get_or_init(build).as_ref()
    }

    /// How many groups it has besides the whole, and the names of those that have one.
    pub(super) fn groups(&self) -> (usize, Vec<String>) {
        let groups = self.nfa.group_info();
        let names = groups.all_names().filter_map(|(_, _, name)| name.map(str::to_owned));
        (groups.all_group_len().saturating_sub(1), names.collect())
    }

    /// The leftmost place of what it matches.
    pub(super) fn find(&self, octets: &[u8]) -> Option<Range<usize>> {
        self.regex()?.find(octets).map(|found| found.range())
    }

    /// Like [`find`](Self::find), for a text that is looked at once and is short.
    pub(super) fn find_once(&self, octets: &[u8]) -> Option<Range<usize>> {
        let backtracker = BoundedBacktracker::new_from_nfa(self.nfa.clone()).ok();
        match backtracker {
            Some(search) if octets.len() <= search.max_haystack_len() => {
                let mut cache = search.create_cache();
                search.try_find(&mut cache, octets).ok()?.map(|found| found.range())
            }
            _ => self.find(octets),
        }
    }
}

/// Compiles patterns into one that only says which of them match.
pub(super) fn compile_together(patterns: &[&Hir]) -> Result<Regex, Box<BuildError>> {
    let config = Config::new()
        .match_kind(MatchKind::All)
        .which_captures(WhichCaptures::None)
        .utf8_empty(false)
        .nfa_size_limit(Some(COMPILED_BYTES_MAX.saturating_mul(patterns.len())));
    Regex::builder().configure(config).build_many_from_hir(patterns).map_err(Box::new)
}

/// A pattern sees octets: `.` is any but CR and LF, `\w` and `(?i)` know ASCII alone, and `(?u)` in
/// the pattern changes that. With `(?m)`, `^` and `$` stand at lines that end with CRLF.
fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).crlf(true).nest_limit(NESTING_MAX)
}

fn bad_syntax(error: &SyntaxError) -> Refusal {
    let (at, message) = match error {
        SyntaxError::Parse(error) => (error.span().start.offset, error.kind().to_string()),
        SyntaxError::Translate(error) => (error.span().start.offset, error.kind().to_string()),
        error => (0, error.to_string()),
    };
    refusal(at, &message)
}

fn uncompilable(error: &NfaError) -> Refusal {
    match error.size_limit() {
        Some(_) => refusal(0, "it compiles to more than 64 KiB"),
        None => refusal(0, &error.to_string()),
    }
}

fn refusal(at: usize, message: &str) -> Refusal {
    Refusal { at, complaint: hinted(Complaint::new(format!("bad pattern: {message}"))) }
}

fn hinted(complaint: Complaint) -> Complaint {
    let said = |words: &str| complaint.message.contains(words);
    let hint = if said("look-around") || said("backreferences") {
        "patterns take linear time; join two conditions with all and not instead"
    } else if said("Unicode not allowed") {
        "patterns see octets; put (?u) before what is to be read as characters"
    } else if said("64 KiB") {
        "shorten its counted repetitions, or write [a-z] for a Unicode class"
    } else {
        return complaint;
    };
    complaint.hint(hint)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(source: &str) -> (usize, String) {
        let refusal = Pattern::compile(source).expect_err("the pattern is refused");
        (refusal.at, refusal.complaint.to_string())
    }

    fn matches(source: &str, octets: &[u8]) -> bool {
        Pattern::compile(source).is_ok_and(|pattern| pattern.find(octets).is_some())
    }

    #[test]
    fn a_refusal_says_where_and_why() {
        assert_eq!(refused("ab(c"), (2, "bad pattern: unclosed group".into()));
        assert_eq!(refused("x(?=y)").0, 1);
        assert!(refused("x(?=y)").1.ends_with("all and not instead)"));
        assert!(refused("[ä]").1.contains("(?u)"), "{:?}", refused("[ä]"));
        assert!(refused("(a{1,50}){1,50}").1.contains("more than 64 KiB"));
        assert!(refused(&"(".repeat(100_000)).1.contains("unclosed group"));
        let nested = "(".repeat(99) + &")".repeat(99);
        assert!(refused(&nested).1.contains("nest"), "{:?}", refused(&nested));
    }

    #[test]
    fn patterns_see_octets_and_lines() {
        assert!(matches("a.b", b"a\xffb"));
        assert!(!matches("a.b", b"a\rb"));
        assert!(matches("(?m)^b$", b"a\r\nb\r\nc"));
        assert!(matches("(?i)GRÜN", "grün!".to_uppercase().as_bytes()));
        assert!(!matches("(?i)grün", "GRÜN".as_bytes()), "case folding is ASCII's");
        assert!(matches("(?iu)grün", "GRÜN".as_bytes()));
    }

    proptest! {
        #[test]
        fn both_searches_find_the_same(
            octets in proptest::collection::vec(proptest::sample::select(b"abcABC \xff\r\n".as_slice()), 0..40),
        ) {
            for source in ["ab|abc", "(?m)^b*?c$", "(?i)a.*c", r"\bcab?\b", "", "[^a]+\\xff"] {
                let pattern = Pattern::compile(source).unwrap();
                prop_assert_eq!(pattern.find(&octets), pattern.find_once(&octets), "{}", source);
            }
        }
    }
}
