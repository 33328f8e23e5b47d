//! Regular expressions on octets, in linear time and of bounded size.

use regex_automata::MatchKind;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use regex_syntax::Error as SyntaxError;

use crate::config::error::Complaint;

/// What one pattern may cost compiled: on a body of 1 MiB the slowest ones of this size were seen to
/// take some seconds, ordinary ones a hundredth of that.
const COMPILED_BYTES_MAX: usize = 64 * 1024;

/// Deeper groups are refused.
const NESTING_MAX: u32 = 64;

/// A pattern as written and compiled.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) source: String,
    pub(super) regex: Regex,
}

/// What is wrong with a pattern, and at which of its octets.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) at: usize,
    pub(super) complaint: Complaint,
}

impl Pattern {
    pub(super) fn compile(source: &str) -> Result<Self, Refusal> {
        let regex =
            build(&[source], Config::new(), COMPILED_BYTES_MAX).map_err(|error| refusal(&error))?;
        Ok(Self { source: source.to_owned(), regex })
    }
}

/// Compiles patterns, each of which compiled alone, into one that only says which of them match.
pub(super) fn compile_together(sources: &[&str]) -> Result<Regex, Box<BuildError>> {
    let config = Config::new().match_kind(MatchKind::All).which_captures(WhichCaptures::None);
    build(sources, config, COMPILED_BYTES_MAX.saturating_mul(sources.len()))
}

/// A pattern sees octets: `.` is any but CR and LF, `\w` and `(?i)` know ASCII alone, and `(?u)` in
/// the pattern changes that. With `(?m)`, `^` and `$` stand at lines that end with CRLF.
fn build(sources: &[&str], config: Config, bytes_max: usize) -> Result<Regex, Box<BuildError>> {
    let syntax =
        syntax::Config::new().unicode(false).utf8(false).crlf(true).nest_limit(NESTING_MAX);
    let config = config.utf8_empty(false).nfa_size_limit(Some(bytes_max));
    Regex::builder().configure(config).syntax(syntax).build_many(sources).map_err(Box::new)
}

fn refusal(error: &BuildError) -> Refusal {
    let (at, message) = match error.syntax_error() {
        Some(SyntaxError::Parse(error)) => (error.span().start.offset, error.kind().to_string()),
        Some(SyntaxError::Translate(error)) => {
            (error.span().start.offset, error.kind().to_string())
        }
        _ if error.size_limit().is_some() => (0, "it compiles to more than 64 KiB".to_owned()),
        _ => (0, error.to_string()),
    };
    let complaint = Complaint::new(format!("bad pattern: {message}"));
    Refusal { at, complaint: hinted(complaint) }
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
    use super::*;

    fn refused(source: &str) -> (usize, String) {
        let refusal = Pattern::compile(source).expect_err("the pattern is refused");
        (refusal.at, refusal.complaint.to_string())
    }

    fn matches(source: &str, octets: &[u8]) -> bool {
        Pattern::compile(source).is_ok_and(|pattern| pattern.regex.is_match(octets))
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
}
