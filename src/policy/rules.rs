//! What the rules ask for.

use super::{Finding, Findings};
use crate::verdict::{Action, Change, Effect, Hit};

/// The most recipients that rules add to one message.
const COPIES_MAX: usize = 20;

/// The edits that the rules ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Edits {
    /// Of the header, in the order of the rules.
    pub(crate) header: Vec<Effect>,
    /// Of the recipients, ready to be applied.
    pub(crate) recipients: Vec<Change>,
}

/// The findings of the rules; `None` where they did not end in time.
pub(super) fn findings(hits: Option<&[Hit]>) -> Vec<Finding> {
    hits.map_or_else(|| vec![unfinished()], |hits| hits.iter().filter_map(finding).collect())
}

/// Trouble of our own, so that the message comes again.
fn unfinished() -> Finding {
    Finding {
        action: Action::Tempfail,
        tag: None,
        code: 554,
        enhanced: "5.3.0",
        cause: "rules did not end within limits.message_secs_max".to_owned(),
        told: None,
    }
}

fn finding(hit: &Hit) -> Option<Finding> {
    hit.tags().then(|| Finding {
        action: hit.action,
        tag: Some(hit.rule.clone()),
        code: 550,
        enhanced: "5.7.1",
        cause: format!("rule {}", hit.rule),
        told: hit.reply.clone(),
    })
}

/// What the shadows would have done.
pub(super) fn shadows(hits: Option<&[Hit]>) -> impl Iterator<Item = String> {
    let shadows = hits.into_iter().flatten().filter(|hit| hit.shadow);
    shadows.map(|hit| format!("shadow: rule {} would: {}", hit.rule, words(hit.effects.iter())))
}

fn words<'a>(effects: impl Iterator<Item = &'a Effect>) -> String {
    let words: Vec<String> = effects.map(Effect::to_string).collect();
    if words.is_empty() { "do nothing".to_owned() } else { words.join(", ") }
}

/// The edits of a message that is delivered, and a sentence on each rule that has some.
pub(super) fn edits(findings: &Findings<'_>) -> (Edits, Vec<String>) {
    let (mut edits, mut reasons) = (Edits::default(), Vec::new());
    let hits = findings.hits.into_iter().flatten().filter(|hit| !hit.shadow);
    let mut recipients = Recipients::default();
    for hit in hits {
        let (mut done, mut undone) = (Vec::new(), Vec::new());
        for effect in hit.effects.iter().filter(|effect| effect.is_done_beside()) {
            let refused = match effect {
                Effect::Redirect { address } => recipients.redirect(&hit.rule, address),
                Effect::Bcc { address } => recipients.copy(&hit.rule, address),
                Effect::Accept => None,
                _ => {
                    edits.header.push(effect.clone());
                    None
                }
            };
            if refused.is_none() {
                done.push(effect);
            }
            undone.extend(refused);
        }
        if !done.is_empty() {
            reasons.push(format!("rule {}: {}", hit.rule, words(done.into_iter())));
        }
        reasons.extend(undone);
    }
    edits.recipients = recipients.changes(&findings.envelope.recipients);
    (edits, reasons)
}

/// Whom the rules send the message to.
#[derive(Debug, Default)]
struct Recipients {
    /// In the place of all, and whose word that is.
    redirect: Option<(String, String)>,
    copies: Vec<String>,
}

impl Recipients {
    /// The first redirect stands: its rule is the one that its author put first.
    fn redirect(&mut self, rule: &str, address: &str) -> Option<String> {
        if let Some((first, _)) = &self.redirect {
            return Some(format!("redirect of rule {rule} not done: rule {first} has redirected"));
        }
        self.redirect = Some((rule.to_owned(), address.to_owned()));
        None
    }

    fn copy(&mut self, rule: &str, address: &str) -> Option<String> {
        if self.copies.iter().any(|copy| is_same(copy, address)) {
            return None;
        }
        if self.copies.len() >= COPIES_MAX {
            return Some(format!("bcc of rule {rule} not done: {COPIES_MAX} are the most"));
        }
        self.copies.push(address.to_owned());
        None
    }

    /// The edits of the envelope. Who stays on it is not taken off and put on again: an MTA may
    /// take the second for a duplicate of the first, and the mail is lost.
    fn changes(self, recipients: &[String]) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut stay: Vec<&str> = recipients.iter().map(String::as_str).collect();
        if let Some((_, target)) = &self.redirect {
            let (staying, going) = stay.into_iter().partition(|to| is_same(to, target));
            stay = staying;
            let going: Vec<&str> = going;
            let delete = |address: &str| Change::DeleteRecipient { address: address.to_owned() };
            changes.extend(going.into_iter().map(delete));
        }
        let added = self.redirect.iter().map(|(_, target)| target).chain(&self.copies);
        for address in added {
            let is_there = stay.iter().any(|to| is_same(to, address));
            let is_added = |change: &Change| matches!(change, Change::AddRecipient { address: other } if is_same(other, address));
            if !is_there && !changes.iter().any(is_added) {
                changes.push(Change::AddRecipient { address: address.clone() });
            }
        }
        changes
    }
}

/// Domains have no case; local parts of one MTA's mailboxes that differ in case alone do not occur.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
