//! What a configuration did with a message, and what two of them did with many.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::sign::NotSigned;
use crate::verdict::{Change, Disposition, Verdict};

/// More tags and rules than this are not told apart in the counts: no configuration has so many.
const NAMES_MAX: usize = 100_000;

/// What a configuration did with one message, without the edits that say nothing of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Outcome {
    /// What became of it.
    pub disposition: Disposition,
    /// The reply, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// The tags that it was given.
    pub tags: BTreeSet<String>,
    /// The rules that matched.
    pub hits: BTreeSet<String>,
    /// Why it was not signed.
    pub not_signed: BTreeSet<&'static str>,
}

impl From<&Verdict> for Outcome {
    fn from(verdict: &Verdict) -> Self {
        let tag = |change: &Change| match change {
            Change::InsertHeader { name, value } if name == "X-Mailseal-Tag" => Some(value.clone()),
            _ => None,
        };
        Self {
            disposition: verdict.disposition,
            reply: verdict.reply.as_ref().map(ToString::to_string),
            tags: verdict.changes.iter().filter_map(tag).collect(),
            hits: verdict.hits.iter().map(|hit| hit.rule.clone()).collect(),
            not_signed: verdict.not_signed.iter().map(NotSigned::label).collect(),
        }
    }
}

/// One message with which two configurations did other things.
#[derive(Clone, Debug, Serialize)]
pub struct Difference<'a> {
    /// The message's name.
    pub message: &'a str,
    /// What the first did.
    pub before: &'a Outcome,
    /// What the second did.
    pub after: &'a Outcome,
}

/// What is other, in words.
impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, before, after } = self;
        f.write_str(message)?;
        if before.disposition != after.disposition {
            let (before, after) = (before.disposition.as_str(), after.disposition.as_str());
            write!(f, "  {before} -> {after}")?;
        } else if before.reply != after.reply {
            let none = || "none".to_owned();
            let reply = |outcome: &Outcome| outcome.reply.clone().unwrap_or_else(none);
            write!(f, "  reply {} -> {}", reply(before), reply(after))?;
        }
        changed(f, "tags", &before.tags, &after.tags)?;
        changed(f, "hits", &before.hits, &after.hits)?;
        changed(f, "not signed", &before.not_signed, &after.not_signed)
    }
}

fn changed<T: Ord + fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    before: &BTreeSet<T>,
    after: &BTreeSet<T>,
) -> fmt::Result {
    if before == after {
        return Ok(());
    }
    write!(f, "  {what}")?;
    before.difference(after).try_for_each(|gone| write!(f, " -{gone}"))?;
    after.difference(before).try_for_each(|new| write!(f, " +{new}"))
}

/// What was done with many messages.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    /// The messages that were judged.
    pub messages: u64,
    /// What could not be read.
    pub broken: u64,
    /// The messages with which the two did other things, where there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differing: Option<u64>,
    /// How often each did what: by kind (`disposition`, `tag`, `hit`, `not-signed`) and name.
    pub counts: BTreeMap<String, Counts>,
}

/// How often the first did something, and the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// The first.
    pub before: u64,
    /// The second, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl Tally {
    /// Of one configuration, or of two.
    pub fn new(is_of_two: bool) -> Self {
        let differing = is_of_two.then_some(0);
        Self { messages: 0, broken: 0, differing, counts: BTreeMap::new() }
    }

    /// Counts one message; whether the two did other things with it.
    pub fn add(&mut self, before: &Outcome, after: Option<&Outcome>) -> bool {
        self.messages += 1;
        for name in names(before) {
            self.count(name, |counts| counts.before += 1);
        }
        for name in after.map(names).unwrap_or_default() {
            self.count(name, |counts| *counts.after.get_or_insert(0) += 1);
        }
        let differs = after.is_some_and(|after| after != before);
        if let Some(differing) = &mut self.differing {
            *differing += u64::from(differs);
        }
        differs
    }

    fn count(&mut self, name: String, more: impl FnOnce(&mut Counts)) {
        if self.counts.len() < NAMES_MAX || self.counts.contains_key(&name) {
            let none = Counts { before: 0, after: self.differing.map(|_| 0) };
            more(self.counts.entry(name).or_insert(none));
        }
    }

    /// The table.
    pub fn table(&self) -> String {
        let width = self.counts.keys().map(String::len).max().unwrap_or(0);
        let row = |(name, counts): (&String, &Counts)| {
            let Counts { before, after } = counts;
            let Some(after) = after else { return format!("{name:width$}  {before:>8}\n") };
            let mark = if before == after { "" } else { "  *" };
            format!("{name:width$}  {before:>8} {after:>8}{mark}\n")
        };
        let table: String = self.counts.iter().map(row).collect();
        let Self { messages, broken, differing, .. } = self;
        let differing = differing.map(|count| format!(", {count} treated differently"));
        let differing = differing.unwrap_or_default();
        format!("{table}{messages} messages{differing}, {broken} not read\n")
    }
}

fn names(outcome: &Outcome) -> Vec<String> {
    let disposition = format!("disposition {}", outcome.disposition.as_str());
    let tags = outcome.tags.iter().map(|tag| format!("tag {tag}"));
    let hits = outcome.hits.iter().map(|hit| format!("hit {hit}"));
    let not_signed = outcome.not_signed.iter().map(|reason| format!("not-signed {reason}"));
    [disposition].into_iter().chain(tags).chain(hits).chain(not_signed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(disposition: Disposition, tags: &[&str]) -> Outcome {
        let tags: BTreeSet<String> = tags.iter().map(ToString::to_string).collect();
        let not_signed = BTreeSet::new();
        Outcome { disposition, reply: None, hits: tags.clone(), tags, not_signed }
    }

    #[test]
    fn a_difference_says_what_is_gone_and_what_is_new() {
        let before = outcome(Disposition::Accept, &["a", "b"]);
        let after = outcome(Disposition::Reject, &["b", "c"]);
        let difference = Difference { message: "1.eml", before: &before, after: &after };
        assert_eq!(difference.to_string(), "1.eml  accept -> reject  tags -a +c  hits -a +c");
    }

    #[test]
    fn the_table_has_both_sides() {
        let (accept, reject) =
            (outcome(Disposition::Accept, &["a"]), outcome(Disposition::Reject, &[]));
        let mut tally = Tally::new(true);
        assert!(!tally.add(&accept, Some(&accept)));
        assert!(tally.add(&accept, Some(&reject)));
        assert_eq!(
            tally.table(),
            "disposition accept         2        1  *\n\
             disposition reject         0        1  *\n\
             hit a                      2        1  *\n\
             tag a                      2        1  *\n\
             2 messages, 1 treated differently, 0 not read\n"
        );
    }
}
