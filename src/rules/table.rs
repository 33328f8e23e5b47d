//! Rules that are asked of a message line by line, as Postfix's tables are: a line goes to the first
//! rule of its table that holds for it, and the others never see it.

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};
use regex_syntax::hir::Hir;

use super::captures::{Captures, Groups};
use super::error::RuleErrors;
use super::found::Found;
use super::line_pattern::{EXHAUSTED_MAX, LinePattern};
use super::lines::{self, Kind, Line};
use super::part::View;
use super::pattern::compile_together;
use crate::message::header::HeaderBlock;
use crate::text::excerpt;

/// How many patterns share a pass over a line.
const GROUP_PATTERNS_MAX: usize = 256;

/// When a rule of a table matches.
#[derive(Clone, Debug)]
pub(super) struct LineRule {
    /// The table's name.
    pub(super) table: String,
    /// The lines that it is asked of.
    pub(super) kinds: Vec<Kind>,
    pub(super) when: LineCondition,
}

/// What must hold for one line.
#[derive(Clone, Debug)]
pub(super) enum LineCondition {
    Line(LineTest),
    All(Vec<LineCondition>),
    Any(Vec<LineCondition>),
    Not(Box<LineCondition>),
}

/// A pattern on the line.
#[derive(Clone, Debug)]
pub(super) struct LineTest {
    pub(super) pattern: LinePattern,
    /// As written.
    pub(super) source: String,
    /// Its number among the tests of its table.
    pub(super) number: usize,
}

/// A line that a rule of a table has taken.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The rule's number in its table.
    pub(super) rule: usize,
    /// What is reported of it.
    pub(super) found: Found,
    /// The field of the message's header that it is.
    pub(super) field: Option<usize>,
    /// What the pattern that counts has matched.
    pub(super) captures: Captures,
}

impl Taken {
    fn new(rule: usize, line: &Line<'_>, when: &LineCondition) -> Self {
        let captures = when.captured(&line.text).unwrap_or_default();
        let whole = captures.groups.first().cloned().flatten();
        let matched = whole.as_deref().unwrap_or(&line.text);
        let label = match (line.kind, line.text.iter().position(|&octet| octet == b':')) {
            (Kind::Body, _) | (_, None) => "body".to_owned(),
            (_, Some(colon)) => excerpt(line.text.get(..colon).unwrap_or_default()),
        };
        let found = Found {
            text: excerpt(without_name(matched, &label)),
            part: label,
            view: Some(View::Raw),
            offset: line.field.is_none().then_some(line.offset),
        };
        Self { rule, found, field: line.field, captures }
    }
}

/// What a pattern matched of a header line, without the field's name, which is shown before it.
fn without_name<'m>(matched: &'m [u8], name: &str) -> &'m [u8] {
    let value = matched.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
    value.map(<[u8]>::trim_ascii).filter(|value| !value.is_empty()).unwrap_or(matched)
}

impl LineCondition {
    /// Whether it holds, where `matched` says whether a test does.
    pub(super) fn holds(&self, matched: &mut impl FnMut(&LineTest) -> bool) -> bool {
        match self {
            Self::Line(test) => matched(test),
            Self::All(parts) => parts.iter().all(|part| part.holds(matched)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(matched)),
            Self::Not(part) => !part.holds(matched),
        }
    }

    /// Whether it holds for a line by itself.
    pub(super) fn holds_for(&self, line: &[u8]) -> bool {
        self.holds(&mut |test| test.pattern.is_match(line) == Ok(true))
    }

    fn has_fancy(&self) -> bool {
        match self {
            Self::Line(test) => matches!(test.pattern, LinePattern::Fancy(_)),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::has_fancy),
            Self::Not(part) => part.has_fancy(),
        }
    }

    /// Whether it may hold for a line that no linear pattern matches.
    fn may_hold_alone(&self) -> bool {
        let is_fancy = |test: &LineTest| matches!(test.pattern, LinePattern::Fancy(_));
        match self {
            Self::Line(test) => is_fancy(test),
            Self::All(parts) => parts.iter().all(Self::may_hold_alone),
            Self::Any(parts) => parts.iter().any(Self::may_hold_alone),
            Self::Not(_) => true,
        }
    }

    pub(super) fn tests_mut(&mut self, visit: &mut impl FnMut(&mut LineTest)) {
        match self {
            Self::Line(test) => visit(test),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.tests_mut(visit);
                }
            }
            Self::Not(part) => part.tests_mut(visit),
        }
    }

    /// The groups that an action may name.
    pub(super) fn add_groups(&self, groups: &mut Groups) {
        match self {
            Self::Line(test) => test.pattern.add_to(groups),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.add_groups(groups);
                }
            }
            Self::Not(_) => {}
        }
    }

    /// What the groups of an action are those of: the last pattern that has to match, since the
    /// conditions of an imported `if` stand before it.
    pub(super) fn captured(&self, line: &[u8]) -> Option<Captures> {
        match self {
            Self::Line(test) => test.pattern.captures(line),
            Self::All(parts) => parts.iter().rev().find_map(|part| part.captured(line)),
            Self::Any(parts) => parts.iter().find_map(|part| part.captured(line)),
            Self::Not(_) => None,
        }
    }
}

impl LineRule {
    /// The groups that its action may name.
    pub(super) fn groups(&self) -> Groups {
        let mut groups = Groups::default();
        self.when.add_groups(&mut groups);
        groups
    }

    /// Whether one of its patterns takes more than linear time.
    pub(super) fn backtracks(&self) -> bool {
        self.when.has_fancy()
    }

    /// Whether some line of a message is one for this rule, were it alone.
    pub(super) fn takes_some(&self, headers: &HeaderBlock, body: &[u8]) -> bool {
        let mut found = false;
        lines::each(headers, body, &mut |line| {
            found = self.kinds.contains(&line.kind) && self.when.holds_for(&line.text);
            !found
        });
        found
    }
}

/// The rules of one table.
#[derive(Debug, Default)]
pub(super) struct Table {
    rules: Vec<LineRule>,
    /// Patterns that run in one pass, and the numbers of their tests.
    groups: Vec<(Regex, Vec<usize>)>,
    tests: usize,
    /// Whether some rule may hold for a line that none of those patterns matches.
    is_restless: bool,
}

impl Table {
    /// Numbers the tests of the rules and compiles their patterns together.
    pub(super) fn new(mut rules: Vec<LineRule>) -> Result<Self, RuleErrors> {
        let (mut tests, mut linear) = (0, Vec::new());
        for rule in &mut rules {
            rule.when.tests_mut(&mut |test| {
                test.number = tests;
                tests += 1;
                if let LinePattern::Linear(pattern) = &test.pattern {
                    linear.push((test.number, pattern.clone()));
                }
            });
        }
        let mut groups = Vec::new();
        for chunk in linear.chunks(GROUP_PATTERNS_MAX) {
            let patterns: Vec<&Hir> = chunk.iter().map(|(_, pattern)| pattern.hir()).collect();
            let regex = compile_together(&patterns)
                .map_err(|error| RuleErrors::TooLarge(error.to_string()))?;
            groups.push((regex, chunk.iter().map(|(number, _)| *number).collect()));
        }
        let is_restless = rules.iter().any(|rule| rule.when.may_hold_alone());
        Ok(Self { rules, groups, tests, is_restless })
    }

    pub(super) fn wants_body(&self) -> bool {
        // MIME and nested headers are in the body.
        self.rules.iter().any(|rule| rule.kinds.iter().any(|kind| *kind != Kind::Header))
    }

    /// The lines that are taken, in their order, until `is_last` says that no more are looked at.
    /// A rule has one line of a body at most, since there is nothing to do about another.
    pub(super) fn taken(
        &self,
        headers: &HeaderBlock,
        body: &[u8],
        is_last: &impl Fn(usize) -> bool,
    ) -> Vec<Taken> {
        let mut pass = Pass::new(self);
        let mut taken: Vec<Taken> = Vec::new();
        lines::each(headers, body, &mut |line| {
            let Some(rule) = pass.first(line) else { return true };
            if line.field.is_none() && taken.iter().any(|other| other.rule == rule) {
                return true;
            }
            if let Some(line_rule) = self.rules.get(rule) {
                taken.push(Taken::new(rule, line, &line_rule.when));
            }
            !is_last(rule)
        });
        taken
    }
}

/// One message on its way through a table.
struct Pass<'a> {
    table: &'a Table,
    matched: Vec<bool>,
    /// By test: on how many lines its pattern took more than its steps.
    exhausted: Vec<u32>,
    sets: Vec<PatternSet>,
}

impl<'a> Pass<'a> {
    fn new(table: &'a Table) -> Self {
        let sets = table.groups.iter().map(|(_, numbers)| PatternSet::new(numbers.len()));
        Self {
            table,
            matched: vec![false; table.tests],
            exhausted: vec![0; table.tests],
            sets: sets.collect(),
        }
    }

    /// The first rule that holds for a line.
    fn first(&mut self, line: &Line<'_>) -> Option<usize> {
        if !self.table.rules.iter().any(|rule| rule.kinds.contains(&line.kind)) {
            return None;
        }
        if !self.run(&line.text) && !self.table.is_restless {
            return None;
        }
        let Self { table, matched, exhausted, .. } = self;
        let mut holds = |test: &LineTest| match &test.pattern {
            LinePattern::Linear(_) => matched.get(test.number).copied().unwrap_or(false),
            LinePattern::Fancy(_) => {
                let Some(times) = exhausted.get_mut(test.number) else { return false };
                // A pattern that is given up matches nothing, as in Postfix one whose limit is met.
                *times < EXHAUSTED_MAX
                    && test.pattern.is_match(&line.text).unwrap_or_else(|_| {
                        *times += 1;
                        false
                    })
            }
        };
        let is_first =
            |rule: &LineRule| rule.kinds.contains(&line.kind) && rule.when.holds(&mut holds);
        table.rules.iter().position(is_first)
    }

    /// Whether one of the linear patterns matches.
    fn run(&mut self, text: &[u8]) -> bool {
        self.matched.fill(false);
        for ((regex, numbers), set) in self.table.groups.iter().zip(&mut self.sets) {
            set.clear();
            regex.which_overlapping_matches(&Input::new(text), set);
            for pattern in set.iter() {
                let number = numbers.get(pattern.as_usize());
                if let Some(slot) = number.and_then(|&number| self.matched.get_mut(number)) {
                    *slot = true;
                }
            }
        }
        self.sets.iter().any(|set| !set.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: &str, fancy: bool) -> LineCondition {
        let pattern = LinePattern::compile(source, fancy).unwrap();
        LineCondition::Line(LineTest { pattern, source: source.to_owned(), number: 0 })
    }

    fn rule(kinds: &[Kind], when: LineCondition) -> LineRule {
        LineRule { table: "t".into(), kinds: kinds.to_vec(), when }
    }

    fn taken(table: &Table, last: usize) -> Vec<(usize, String)> {
        let mut headers = HeaderBlock::default();
        headers.push(b"From", b" a");
        headers.push(b"Subject", b" b\r\n\tc");
        headers.push(b"X", b" a");
        let taken = table.taken(&headers, b"x\r\n\r\na\r\na\r\n", &|rule| rule == last);
        taken.into_iter().map(|taken| (taken.rule, taken.found.to_string())).collect()
    }

    #[test]
    fn a_line_goes_to_the_first_rule_that_holds_for_it() {
        let table = Table::new(vec![
            rule(&[Kind::Header], line("^Subject: b\n\tc$", false)),
            rule(
                &[Kind::Header, Kind::Body],
                LineCondition::All(vec![
                    line("a", false),
                    LineCondition::Not(Box::new(line("^From", false))),
                ]),
            ),
            rule(&[Kind::Header], line("(?!z)b|From: a$", true)),
        ]);
        let pair = |rule, text: &str| (rule, text.to_owned());
        let all = [pair(2, "From: a"), pair(0, "Subject: b\\n\\tc"), pair(1, "X: a")];
        let table = table.unwrap();
        assert_eq!(taken(&table, 9)[..3], all);
        assert_eq!(
            taken(&table, 9)[3..],
            [],
            "one line of the body at most, and none after another"
        );
        assert_eq!(taken(&table, 0), all[..2]);
    }

    #[test]
    fn a_costly_pattern_is_given_up() {
        let source = "^(?:(?!c)a|(?!c)aa)+b$";
        let table = Table::new(vec![rule(&[Kind::Body], line(source, true))]).unwrap();
        let mut body = "a".repeat(300) + "cb\r\n";
        body = body.repeat(EXHAUSTED_MAX as usize);
        body += "aab\r\n";
        let never = |_| false;
        assert!(table.taken(&HeaderBlock::default(), body.as_bytes(), &never).is_empty());
        assert_eq!(table.taken(&HeaderBlock::default(), b"aab\r\n", &never).len(), 1);
    }
}
