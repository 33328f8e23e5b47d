//! Literals that a pattern cannot match without: what lets one pass over a text pass most patterns by.
//!
//! A need is a set of literals, one of which is in whatever the pattern matches. They are in ASCII
//! lower case and are looked for without regard to case, so that a pattern may want more than its
//! needs, never less.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// The most literals of one need.
const ALTERNATIVES_MAX: usize = 64;
/// No longer prefix of a literal is looked for.
pub(super) const OCTETS_MAX: usize = 16;
/// Shorter literals are in most texts.
const OCTETS_MIN: usize = 3;
/// Nothing is gained by more needs.
const NEEDS_MAX: usize = 8;

/// One of these is in whatever the pattern matches.
pub(super) type Need = BTreeSet<Vec<u8>>;

/// What is known of an expression.
struct Known {
    /// All that it can match, where that is little.
    exact: Option<Need>,
    /// What it needs otherwise.
    needs: Vec<Need>,
}

/// The needs of a pattern, each of literals long enough to be rare; none where it has no such.
pub(super) fn needs(pattern: &Hir) -> Vec<Need> {
    let cut = |mut literal: Vec<u8>| {
        literal.truncate(OCTETS_MAX);
        literal
    };
    let needs = known(pattern).into_needs();
    needs.into_iter().map(|need| need.into_iter().map(cut).collect()).collect()
}

fn known(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly([Vec::new()].into()),
        HirKind::Literal(literal) => Known::exactly([literal.0.to_ascii_lowercase()].into()),
        HirKind::Class(class) => letters(class).map_or(Known::NOTHING, Known::exactly),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Concat(parts) => concatenated(parts),
        HirKind::Alternation(branches) => alternated(branches),
    }
}

impl Known {
    const NOTHING: Self = Self { exact: None, needs: Vec::new() };

    fn exactly(literals: Need) -> Self {
        Self { exact: Some(literals), needs: Vec::new() }
    }

    fn into_needs(self) -> Vec<Need> {
        let exact = self.exact.filter(is_rare);
        exact.into_iter().chain(self.needs).take(NEEDS_MAX).collect()
    }
}

fn is_rare(need: &Need) -> bool {
    !need.is_empty() && need.iter().all(|literal| literal.len() >= OCTETS_MIN)
}

/// The characters of a small class.
fn letters(class: &Class) -> Option<Need> {
    let few = |count: usize| (count <= ALTERNATIVES_MAX / 4).then_some(());
    match class {
        Class::Bytes(class) => {
            few(class.iter().map(regex_syntax::hir::ClassBytesRange::len).sum())?;
            let octets = class.iter().flat_map(|range| range.start()..=range.end());
            Some(octets.map(|octet| vec![octet.to_ascii_lowercase()]).collect())
        }
        Class::Unicode(class) => {
            few(class.iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum())?;
            let chars = class.iter().flat_map(|range| range.start()..=range.end());
            Some(chars.map(|c| c.to_string().into_bytes().to_ascii_lowercase()).collect())
        }
    }
}

fn repeated(repetition: &Repetition) -> Known {
    let sub = known(&repetition.sub);
    match (repetition.min, repetition.max) {
        (0, Some(1)) => {
            let with_none = |mut exact: Need| {
                exact.insert(Vec::new());
                exact
            };
            Known { exact: sub.exact.map(with_none), needs: Vec::new() }
        }
        (0, _) => Known::NOTHING,
        (1, Some(1)) => sub,
        _ => Known { exact: None, needs: sub.into_needs() },
    }
}

fn concatenated(parts: &[Hir]) -> Known {
    let mut needs = Vec::new();
    let mut whole = true;
    let mut run: Need = [Vec::new()].into();
    for part in parts {
        let part = known(part);
        match part.exact {
            Some(next) if run.len() * next.len() <= ALTERNATIVES_MAX && is_short(&run) => {
                run = joined(&run, &next);
            }
            exact => {
                whole = false;
                needs.extend(Some(std::mem::take(&mut run)).filter(is_rare));
                needs.extend(part.needs);
                run = exact.unwrap_or_else(|| [Vec::new()].into());
            }
        }
    }
    if whole {
        return Known::exactly(run);
    }
    needs.extend(Some(run).filter(is_rare));
    Known { exact: None, needs }
}

fn is_short(run: &Need) -> bool {
    run.iter().all(|literal| literal.len() < OCTETS_MAX)
}

fn joined(run: &Need, next: &Need) -> Need {
    let pairs = run.iter().flat_map(|head| next.iter().map(move |tail| [head, tail]));
    pairs.map(|[head, tail]| [head.as_slice(), tail].concat()).collect()
}

fn alternated(branches: &[Hir]) -> Known {
    let known: Vec<Known> = branches.iter().map(known).collect();
    if known.iter().all(|branch| branch.exact.is_some()) {
        let all: Need = known.iter().filter_map(|branch| branch.exact.clone()).flatten().collect();
        if all.len() <= ALTERNATIVES_MAX {
            return Known::exactly(all);
        }
    }
    let mut union = Need::new();
    for branch in known {
        let longest = |need: &Need| need.iter().map(Vec::len).min();
        match branch.into_needs().into_iter().max_by_key(longest) {
            Some(need) => union.extend(need),
            None => return Known::NOTHING,
        }
    }
    let fits = union.len() <= ALTERNATIVES_MAX;
    Known { exact: None, needs: if fits { vec![union] } else { Vec::new() } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pattern::Pattern;

    fn needs_of(source: &str) -> Vec<String> {
        let text = |need: &Need| {
            let literals = need.iter().map(|literal| String::from_utf8_lossy(literal).into_owned());
            literals.collect::<Vec<_>>().join("|")
        };
        needs(Pattern::compile(source).unwrap().hir()).iter().map(text).collect()
    }

    #[test]
    fn what_must_be_there_is_found() {
        for (source, wanted) in [
            ("abc", "abc"),
            ("(?i)abC", "abc"),
            ("(?i)a(bc|de)f", "abcf|adef"),
            ("abc.*def", "abc def"),
            ("(?:abc)+x?", "abc"),
            ("(?:abc)*", ""),
            ("ab", ""),
            ("abc|.*", ""),
            ("abc|.*def", "abc|def"),
            (r"\bfoo[0-9]\w+bar\b", "foo0|foo1|foo2|foo3|foo4|foo5|foo6|foo7|foo8|foo9 bar"),
            (r"(?i)viagra[\s\S]{0,40}cheap", "viagra cheap"),
            ("[^a]", ""),
            ("", ""),
            ("(?iu)stra(?:ß|ss)e", "strasse|strase|stra"),
        ] {
            if source.starts_with("(?iu)") {
                assert!(!needs_of(source).is_empty(), "{source}");
            } else {
                assert_eq!(needs_of(source).join(" "), wanted, "{source}");
            }
        }
    }
}
