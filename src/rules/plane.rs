//! All patterns of one part in one view, in few passes over a text, however many they are.
//!
//! One pass looks for the literals that patterns cannot match without (`literals`), all at once, and
//! only a pattern whose literals are all there is run. Patterns without such literals run in groups,
//! since one automaton of thousands takes minutes to build and outgrows its cache.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};

use super::error::RuleErrors;
use super::literal_set::LiteralSet;
use super::literals::{Need, needs};
use super::pattern::{Pattern, compile_together};

/// How many patterns without literals share a pass.
const GROUP_PATTERNS_MAX: usize = 256;

/// How many needs of a pattern are looked for.
const NEEDS_MAX: usize = 2;

/// Finds which of many patterns match a text, and where.
#[derive(Debug, Default)]
pub(super) struct Plane {
    filter: Option<Filter>,
    groups: Vec<Group>,
}

/// A pattern with its number.
type Numbered = (usize, Arc<Pattern>);

/// Patterns that are run only where a text has what they need.
#[derive(Debug)]
struct Filter {
    literals: LiteralSet,
    /// By literal: the patterns that it is a need of, as index and the need's bit.
    wanted_by: Vec<Vec<(u32, u8)>>,
    patterns: Vec<Filtered>,
}

#[derive(Debug)]
struct Filtered {
    number: usize,
    pattern: Arc<Pattern>,
    /// The bits of all its needs.
    needs: u8,
}

/// Patterns that run in one pass.
#[derive(Debug)]
struct Group {
    regex: Regex,
    patterns: Vec<Numbered>,
}

impl Plane {
    /// The patterns with their numbers.
    pub(super) fn new(patterns: Vec<Numbered>) -> Result<Self, RuleErrors> {
        let needs: Vec<Vec<Need>> = patterns.iter().map(|(_, p)| needs(p.hir())).collect();
        let mut uses: HashMap<&[u8], usize> = HashMap::new();
        for literal in needs.iter().flatten().flatten() {
            *uses.entry(literal.as_slice()).or_default() += 1;
        }
        let chosen: Vec<Vec<Need>> = needs.iter().map(|needs| rarest(needs, &uses)).collect();
        let (mut filtered, mut others) = (Vec::new(), Vec::new());
        for (pattern, needs) in patterns.into_iter().zip(chosen) {
            if needs.is_empty() { others.push(pattern) } else { filtered.push((pattern, needs)) }
        }
        let groups = others.chunks(GROUP_PATTERNS_MAX).map(Group::new).collect::<Result<_, _>>()?;
        Ok(Self { filter: Filter::new(filtered)?, groups })
    }

    /// Calls `found` with the number of each pattern that matches, unless `is_known` says that
    /// nobody asks any more, and where it matches first.
    pub(super) fn run(
        &self,
        text: &[u8],
        is_known: impl Fn(usize) -> bool,
        mut found: impl FnMut(usize, &Pattern, Range<usize>),
    ) {
        let mut ask = |number: usize, pattern: &Pattern| {
            if !is_known(number)
                && let Some(range) = pattern.find(text)
            {
                found(number, pattern, range);
            }
        };
        if let Some(filter) = &self.filter {
            filter.run(text, &mut ask);
        }
        for group in &self.groups {
            group.run(text, &mut ask);
        }
    }
}

/// The needs that the fewest patterns share, since those are in the fewest texts.
fn rarest(needs: &[Need], uses: &HashMap<&[u8], usize>) -> Vec<Need> {
    let shared = |need: &Need| {
        let most = need.iter().filter_map(|literal| uses.get(literal.as_slice())).max();
        let shortest = need.iter().map(Vec::len).min();
        (most.copied(), std::cmp::Reverse(shortest))
    };
    let mut needs: Vec<&Need> = needs.iter().collect();
    needs.sort_by_key(|need| shared(need));
    needs.into_iter().take(NEEDS_MAX).cloned().collect()
}

impl Filter {
    fn new(patterns: Vec<(Numbered, Vec<Need>)>) -> Result<Option<Self>, RuleErrors> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut wanted_by: Vec<Vec<(u32, u8)>> = Vec::new();
        let mut filtered = Vec::new();
        for (index, ((number, pattern), needs)) in patterns.into_iter().enumerate() {
            let mut all = 0;
            for (position, literals) in needs.into_iter().enumerate() {
                let bit = 1 << position;
                all |= bit;
                for literal in literals {
                    let next = numbers.len();
                    let literal = *numbers.entry(literal).or_insert(next);
                    wanted_by.resize_with(wanted_by.len().max(literal + 1), Vec::new);
                    wanted_by[literal].push((index as u32, bit));
                }
            }
            filtered.push(Filtered { number, pattern, needs: all });
        }
        let mut literals: Vec<(usize, Vec<u8>)> =
            numbers.into_iter().map(|(literal, number)| (number, literal)).collect();
        literals.sort_unstable();
        let literals: Vec<Vec<u8>> = literals.into_iter().map(|(_, literal)| literal).collect();
        let literals =
            LiteralSet::new(&literals).map_err(|error| RuleErrors::TooLarge(error.to_string()))?;
        Ok(Some(Self { literals, wanted_by, patterns: filtered }))
    }

    fn run(&self, text: &[u8], ask: &mut impl FnMut(usize, &Pattern)) {
        let mut seen = vec![false; self.wanted_by.len()];
        let mut met: HashMap<u32, u8> = HashMap::new();
        self.literals.run(text, &mut |literal| {
            let Some(seen) = seen.get_mut(literal).filter(|seen| !**seen) else { return };
            *seen = true;
            for (pattern, bit) in self.wanted_by.get(literal).into_iter().flatten() {
                *met.entry(*pattern).or_default() |= bit;
            }
        });
        let mut met: Vec<(u32, u8)> = met.into_iter().collect();
        met.sort_unstable();
        for (pattern, met) in met {
            if let Some(pattern) = self.patterns.get(pattern as usize)
                && pattern.needs == met
            {
                ask(pattern.number, &pattern.pattern);
            }
        }
    }
}

impl Group {
    fn new(patterns: &[Numbered]) -> Result<Self, RuleErrors> {
        let sources: Vec<_> = patterns.iter().map(|(_, pattern)| pattern.hir()).collect();
        let regex =
            compile_together(&sources).map_err(|error| RuleErrors::TooLarge(error.to_string()))?;
        Ok(Self { regex, patterns: patterns.to_vec() })
    }

    fn run(&self, text: &[u8], ask: &mut impl FnMut(usize, &Pattern)) {
        let mut found = PatternSet::new(self.patterns.len());
        self.regex.which_overlapping_matches(&Input::new(text), &mut found);
        for index in found.iter() {
            if let Some((number, pattern)) = self.patterns.get(index.as_usize()) {
                ask(*number, pattern);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// They overlap, begin alike, contain each other, match nothing; some have literals.
    const PATTERNS: [&str; 16] = [
        "ab",
        "abc",
        "b",
        "^a",
        "c$",
        "(?i)B+c",
        "",
        "a.*c",
        r"[^a]\xff",
        r"\bcab\b",
        "(?i)aBc",
        "abc.*cab",
        "(?:abc|bca)+ ?cc",
        "abc|b",
        "aa[bB]c",
        "(?i)(?:ab){2}",
    ];

    fn plane(sources: &[&str]) -> Plane {
        let compile = |source: &&str| Arc::new(Pattern::compile(source).unwrap());
        Plane::new(sources.iter().map(compile).enumerate().collect()).unwrap()
    }

    proptest! {
        #[test]
        fn all_together_find_what_each_finds_alone(
            body in proptest::collection::vec(proptest::sample::select(b"abcABC \xff\r".as_slice()), 0..40),
        ) {
            let mut found = [const { None }; PATTERNS.len()];
            plane(&PATTERNS).run(&body, |_| false, |number, _, range| found[number] = Some(range));
            for (source, found) in PATTERNS.iter().zip(found) {
                let alone = Pattern::compile(source).unwrap().find(&body);
                prop_assert_eq!(found, alone, "{}", source);
            }
        }
    }

    #[test]
    fn both_automata_find_the_same() {
        let words: Vec<String> = (0..40_000).map(|n| format!("word{n:06}")).collect();
        let many = plane(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let mut found = Vec::new();
        many.run(
            b"a WORD000007 word039999 and word000007",
            |_| false,
            |number, _, range| {
                found.push((number, range.start));
            },
        );
        assert_eq!(found, [(7, 28), (39_999, 13)]);
    }
}
