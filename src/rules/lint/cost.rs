//! What patterns cost more than they must.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::config::error::Complaint;
use crate::rules::condition::What;
use crate::rules::lines::Kind;
use crate::rules::literals::needs;
use crate::rules::part::Part;
use crate::rules::rule::Rule;
use crate::rules::table::{LineCondition, LineTest};

/// More repetitions of anything are as many states of an automaton; some hundreds are refused.
const REPETITIONS_MAX: u32 = 100;

/// What could be cheaper in a rule's patterns; each complaint once.
pub(super) fn costs(rule: &Rule) -> Vec<Complaint> {
    let mut complaints: Vec<Complaint> = Vec::new();
    let mut add = |complaint: Option<Complaint>| {
        complaints.extend(complaint.filter(|one| !complaints.contains(one)));
    };
    rule.when.tests(&mut |test| {
        if let What::Text(text) = &test.what {
            add(cost(text.pattern.hir(), matches!(text.part, Part::Body)));
        }
    });
    if let Some(line_rule) = &rule.by_line {
        let is_body = line_rule.kinds.contains(&Kind::Body);
        each(&line_rule.when, &mut |test| {
            add(test.pattern.hir().and_then(|hir| cost(hir, is_body)));
        });
    }
    complaints
}

fn each(when: &LineCondition, visit: &mut impl FnMut(&LineTest)) {
    match when {
        LineCondition::Line(test) => visit(test),
        LineCondition::All(parts) | LineCondition::Any(parts) => {
            for part in parts {
                each(part, visit);
            }
        }
        LineCondition::Not(part) => each(part, visit),
    }
}

fn cost(pattern: &Hir, is_body: bool) -> Option<Complaint> {
    if begins_with_anything(pattern) {
        let complaint = Complaint::new("has a pattern that begins with .*");
        return Some(complaint.hint("leave that out: a pattern is found anywhere"));
    }
    if most_repetitions(pattern) > REPETITIONS_MAX {
        let message = format!("has a pattern with more than {REPETITIONS_MAX} repetitions");
        return Some(Complaint::new(message).hint("write * or + instead, or fewer"));
    }
    let is_anchored = !pattern.properties().look_set_prefix().is_empty();
    if is_body && !is_anchored && needs(pattern).is_empty() && !matches_nothing_too(pattern) {
        let complaint = Complaint::new("has a pattern without a word that a body must have");
        return Some(complaint.hint("three letters in a row let most bodies be passed by"));
    }
    None
}

/// Whether it begins with a repetition of any octet, with nothing before it.
fn begins_with_anything(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Concat(parts) => parts.first().is_some_and(begins_with_anything),
        HirKind::Capture(capture) => begins_with_anything(&capture.sub),
        HirKind::Repetition(repetition) => {
            repetition.max.is_none() && repetition.min <= 1 && is_wide(&repetition.sub)
        }
        _ => false,
    }
}

/// Whether a class has nearly all octets.
fn is_wide(hir: &Hir) -> bool {
    let HirKind::Class(Class::Bytes(class)) = hir.kind() else { return false };
    let octets: usize = class.iter().map(regex_syntax::hir::ClassBytesRange::len).sum();
    octets >= 254
}

fn most_repetitions(hir: &Hir) -> u32 {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let own = repetition.max.unwrap_or(repetition.min);
            own.max(own.saturating_mul(most_repetitions(&repetition.sub)))
        }
        HirKind::Capture(capture) => most_repetitions(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(most_repetitions).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Whether it matches the empty text, so every text.
pub(super) fn matches_nothing_too(hir: &Hir) -> bool {
    hir.properties().minimum_len() == Some(0) && hir.properties().look_set().is_empty()
}

/// Whether it matches in every text that is not empty.
pub(super) fn matches_any_text(hir: &Hir) -> bool {
    let is_all = |class: &Class| match class {
        Class::Bytes(class) => {
            class.iter().map(regex_syntax::hir::ClassBytesRange::len).sum::<usize>() == 256
        }
        Class::Unicode(_) => false,
    };
    matches_nothing_too(hir) || matches!(hir.kind(), HirKind::Class(class) if is_all(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(source: &str) -> Option<String> {
        let mut parser = regex_syntax::ParserBuilder::new();
        let hir = parser.unicode(false).utf8(false).crlf(true).build().parse(source).unwrap();
        cost(&hir, true).map(|complaint| complaint.message)
    }

    #[test]
    fn costly_patterns_are_told_apart() {
        let has = |source: &str, words: &str| said(source).is_some_and(|said| said.contains(words));
        assert!(has(".*viagra", "begins with .*"));
        assert!(has(r"(?s)(.+)cheap", "begins with .*"));
        assert!(has("cheap.{0,1000}pills", "repetitions"));
        assert!(has("([0-9]{30}){30}", "repetitions"));
        assert!(has(r"[0-9]+ \w+", "without a word"));
        for source in ["viagra", "^[0-9]+", "", "cheap.{0,80}pills", "(?i)buy|sell"] {
            assert_eq!(said(source), None, "{source}");
        }
    }
}
