//! The tables of a rule set, each at the place of its first rule.

use super::error::RuleErrors;
use super::rule::Rule;
use super::table::{LineRule, Table, Taken};
use super::texts::Texts;

/// All tables, in the order of their first rules.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<Placed>);

/// A table among all rules.
#[derive(Debug)]
struct Placed {
    table: Table,
    /// By number in the table: the number among all rules.
    rules: Vec<usize>,
    /// By number in the table: whether nothing comes after it.
    settles: Vec<bool>,
}

/// A rule of a table: its number among all rules, itself, and what it asks.
type Own<'r> = (usize, &'r Rule, LineRule);

impl Tables {
    /// The tables that rules name.
    pub(super) fn new(rules: &[Rule]) -> Result<Self, RuleErrors> {
        let mut tables: Vec<(&str, Vec<Own<'_>>)> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let Some(line_rule) = &rule.by_line else { continue };
            let own = (number, rule, line_rule.clone());
            match tables.iter_mut().find(|(name, _)| *name == line_rule.table) {
                Some((_, rules)) => rules.push(own),
                None => tables.push((&line_rule.table, vec![own])),
            }
        }
        let placed = |(_, rules): (&str, Vec<Own<'_>>)| {
            let numbers = rules.iter().map(|(number, ..)| *number).collect();
            let settles = rules.iter().map(|(_, rule, _)| rule.deed.settles()).collect();
            let table = Table::new(rules.into_iter().map(|(.., rule)| rule).collect())?;
            Ok(Placed { table, rules: numbers, settles })
        };
        tables.into_iter().map(placed).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn wants_body(&self) -> bool {
        self.0.iter().any(|placed| placed.table.wants_body())
    }

    /// By table: the lines that its rules take.
    pub(super) fn look(&self, texts: &Texts<'_>) -> Vec<Vec<Taken>> {
        let look = |placed: &Placed| {
            // Postfix looks at nothing more once a line has settled what becomes of the message.
            let is_last = |rule: usize| placed.settles.get(rule).copied().unwrap_or(false);
            placed.table.taken(texts.headers, texts.body, &is_last)
        };
        self.0.iter().map(look).collect()
    }

    /// The table whose first rule has this number among all rules.
    pub(super) fn beginning_at(&self, rule: usize) -> Option<usize> {
        self.0.iter().position(|placed| placed.rules.first() == Some(&rule))
    }

    /// The number among all rules of a table's rule.
    pub(super) fn rule(&self, table: usize, rule: usize) -> Option<usize> {
        self.0.get(table)?.rules.get(rule).copied()
    }
}
