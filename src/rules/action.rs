//! What a rule does: its `action`, `reply` and `shadow`, and what they come to for one message.
//!
//! The message is the one that came: an edit does not see what earlier rules' edits made of it. How
//! edits meet each other is `changes`'.

use toml::de::{DeTable, DeValue};

use super::captures::{Captures, Groups, Template};
use super::edit::{Edit, Which, edit};
use super::fields::{field_name, reply};
use super::found::Found;
use super::reader::Reader;
use crate::config::error::Complaint;
use crate::config::value::{Located, Value, flag, text, word, wrong_type};
use crate::message::header::{Field, HeaderBlock};
use crate::verdict::{Action, Effect, Hit};

/// The fields of a `[[rule]]` that are read here.
pub(super) const FIELDS: &[&str] = &["action", "reply", "shadow"];

/// More in one rule are refused.
const ACTIONS_MAX: usize = 16;
/// The most of a reply with its groups filled in: RFC 5321 §4.5.3.1.5 allows 512 octets, and the
/// codes and the queue id stand there, too.
const REPLY_CHARS_MAX: usize = 250;
/// The same of a field's value: RFC 5322 §2.1.1 allows lines of 998, the name among them.
const VALUE_CHARS_MAX: usize = 900;

/// Those without anything to say about them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Plain {
    None,
    Tag,
    Accept,
    Is(Action),
}

const WORDS: &[(&str, Plain)] = &[
    ("tag", Plain::Tag),
    ("accept", Plain::Accept),
    ("quarantine", Plain::Is(Action::Quarantine)),
    ("reject", Plain::Is(Action::Reject)),
    ("tempfail", Plain::Is(Action::Tempfail)),
    ("discard", Plain::Is(Action::Discard)),
    ("none", Plain::None),
];

/// What a rule does.
#[derive(Debug)]
pub(super) struct Deed {
    acts: Vec<Act>,
    reply: Option<Template>,
    shadow: bool,
    warnings: Vec<Located>,
}

#[derive(Debug)]
enum Act {
    Plain(Plain),
    Edit(Edit),
}

/// Reads what a rule does; faults go to the reader. `groups` are those of all patterns of its
/// condition; where that is faulty, none are known.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    groups: Option<&Groups>,
) -> Option<Deed> {
    let before = reader.faults.len();
    let mut deed = Deed { acts: Vec::new(), reply: None, shadow: false, warnings: Vec::new() };
    match table.get("action") {
        Some(value) => deed.acts(reader, value, groups),
        None => deed.acts.push(Act::Plain(Plain::Tag)),
    }
    deed.reply = reader.optional(table, "reply", &text(|text| template(&reply(text)?, groups)));
    deed.shadow = reader.optional(table, "shadow", &flag).unwrap_or(false);
    (reader.faults.len() == before).then_some(deed)
}

/// A text of a rule whose groups are there.
pub(super) fn template(text: &str, groups: Option<&Groups>) -> Result<Template, Complaint> {
    let template = Template::parse(text)?;
    groups.map_or(Ok(()), |groups| template.check(groups))?;
    Ok(template)
}

impl Deed {
    fn acts(&mut self, reader: &mut Reader<'_>, value: &Value<'_>, groups: Option<&Groups>) {
        let entries = match value.get_ref() {
            DeValue::Array(entries) => entries.iter().collect(),
            _ => vec![value],
        };
        let at = value.span().start;
        if entries.is_empty() || entries.len() > ACTIONS_MAX {
            let complaint = Complaint::new(format!("action: {} actions", entries.len()));
            reader.fault(at, complaint.hint(format!("1 to {ACTIONS_MAX}")));
            return;
        }
        for entry in entries {
            let place = entry.span().start;
            let Some(act) = act(reader, entry, groups) else { continue };
            if let Some(complaint) = self.clash(&act) {
                reader.fault(place, complaint);
            }
            if let Act::Edit(edit) = &act {
                let warning = edit.warning().map(|complaint| Located { at: place, complaint });
                self.warnings.extend(warning);
            }
            self.acts.push(act);
        }
    }

    /// What a further action cannot be together with.
    fn clash(&self, act: &Act) -> Option<Complaint> {
        let twice = |acts: &str| {
            Some(Complaint::new(format!("action: {acts} in one rule")).hint("keep one of them"))
        };
        let says = |act: &Act| matches!(act, Act::Plain(plain) if *plain != Plain::Tag);
        let redirects = |act: &Act| matches!(act, Act::Edit(Edit::Redirect(_)));
        if says(act) && self.acts.iter().any(says) {
            return twice("two of accept, quarantine, reject, tempfail, discard and none");
        }
        if redirects(act) && self.acts.iter().any(redirects) {
            return twice("two redirects");
        }
        let is_none = |act: &Act| matches!(act, Act::Plain(Plain::None));
        let beside_none = self.acts.iter().any(is_none) || is_none(act) && !self.acts.is_empty();
        beside_none.then(|| Complaint::new("action: \"none\" beside another action"))
    }

    /// Whether no rule comes after it.
    pub(super) fn ends(&self) -> bool {
        let accepts = |act: &Act| matches!(act, Act::Plain(Plain::Accept));
        !self.shadow && self.acts.iter().any(accepts)
    }

    /// Whether nothing that a later line of the message says matters any more.
    pub(super) fn settles(&self) -> bool {
        let refuses = matches!(self.action(), Action::Reject | Action::Tempfail | Action::Discard);
        self.ends() || refuses && !self.shadow
    }

    /// Whether a message is any different for it.
    pub(super) fn does_something(&self) -> bool {
        let is_none = |act: &Act| matches!(act, Act::Plain(Plain::None));
        !self.shadow && !self.acts.iter().all(is_none)
    }

    /// Whether it writes what a group of the condition matched.
    pub(super) fn wants_captures(&self) -> bool {
        let fills = |act: &Act| matches!(act, Act::Edit(edit) if edit.has_groups());
        self.reply.as_ref().is_some_and(Template::has_groups) || self.acts.iter().any(fills)
    }

    /// Whether it may write a From field.
    pub(super) fn edits_author(&self) -> bool {
        let edits = |act: &Act| matches!(act, Act::Edit(edit) if edit.may_write("From"));
        !self.shadow && self.acts.iter().any(edits)
    }

    /// What is allowed in a rule and still deserves a word at load.
    pub(super) fn warnings(&self) -> &[Located] {
        &self.warnings
    }

    /// What the rule does to a message. `field` is the index of the header field that its condition
    /// found, `captures` what the groups matched there.
    pub(super) fn hit(
        &self,
        rule: &str,
        found: Option<Found>,
        headers: &HeaderBlock,
        field: Option<usize>,
        captures: &Captures,
    ) -> Hit {
        let mut effects = Vec::new();
        for act in &self.acts {
            match act {
                Act::Plain(plain) => effects.extend(effect(*plain)),
                Act::Edit(edit) => make_out(edit, headers, field, captures, &mut effects),
            }
        }
        let reply = self.reply.as_ref().map(|reply| cut(reply.reply(captures), REPLY_CHARS_MAX));
        let (rule, action, shadow) = (rule.to_owned(), self.action(), self.shadow);
        Hit { rule, action, effects, shadow, reply, found }
    }

    /// The strictest of the actions.
    fn action(&self) -> Action {
        let strictness = |act: &Act| match act {
            Act::Plain(Plain::Is(action)) => *action,
            Act::Plain(Plain::Tag) => Action::Tag,
            Act::Plain(Plain::None | Plain::Accept) | Act::Edit(_) => Action::Off,
        };
        self.acts.iter().map(strictness).max().unwrap_or(Action::Off)
    }
}

fn act(reader: &mut Reader<'_>, value: &Value<'_>, groups: Option<&Groups>) -> Option<Act> {
    match value.get_ref() {
        DeValue::String(name) if super::edit::FORMS.contains(&name.as_ref()) => {
            let complaint = Complaint::new(format!("action: \"{name}\" of what"));
            let shape = super::edit::shape(name);
            reader.fault(value.span().start, complaint.hint(format!("write {shape}")));
            None
        }
        DeValue::String(_) => {
            let read = word(WORDS)(value).map_err(|mut faults| {
                for fault in &mut faults {
                    fault.complaint.message = format!("action: {}", fault.complaint.message);
                }
                faults
            });
            reader.keep(read).map(Act::Plain)
        }
        DeValue::Table(table) => edit(reader, table, value.span().start, groups).map(Act::Edit),
        _ => {
            reader.keep(wrong_type::<()>(value, "a word, a table or an array of them"));
            None
        }
    }
}

fn effect(plain: Plain) -> Option<Effect> {
    match plain {
        Plain::None | Plain::Is(Action::Off | Action::Tag) => None,
        Plain::Tag => Some(Effect::Tag),
        Plain::Accept => Some(Effect::Accept),
        Plain::Is(Action::Quarantine) => Some(Effect::Quarantine),
        Plain::Is(Action::Reject) => Some(Effect::Reject),
        Plain::Is(Action::Tempfail) => Some(Effect::Tempfail),
        Plain::Is(Action::Discard) => Some(Effect::Discard),
    }
}

/// What an edit comes to: one effect, or one for each field that it is about.
fn make_out(
    edit: &Edit,
    headers: &HeaderBlock,
    found: Option<usize>,
    captures: &Captures,
    effects: &mut Vec<Effect>,
) {
    let value = |value: &Template, captures: &Captures| {
        cut(value.value(captures).trim().to_owned(), VALUE_CHARS_MAX)
    };
    match edit {
        Edit::Add { name, value: text } => {
            let (name, value) = (name.clone(), value(text, captures));
            effects.push(Effect::AddHeader { name, value });
        }
        Edit::Prepend { name, value: text } => {
            let (name, value) = (name.clone(), value(text, captures));
            effects.push(Effect::Prepend { name, value });
        }
        Edit::Replace { which, value: text } => {
            effects.extend(which.fields(headers, found).map(|(name, occurrence, field)| {
                let own = which.captures(field);
                let value = value(text, own.as_ref().unwrap_or(captures));
                Effect::ReplaceHeader { name, occurrence, value }
            }));
        }
        Edit::Remove { which } => {
            let fields = which.fields(headers, found);
            effects.extend(
                fields.map(|(name, occurrence, _)| Effect::RemoveHeader { name, occurrence }),
            );
        }
        Edit::SubjectPrefix(text) => effects.push(Effect::SubjectPrefix { text: text.clone() }),
        Edit::Redirect(address) => effects.push(Effect::Redirect { address: address.clone() }),
        Edit::Bcc(address) => effects.push(Effect::Bcc { address: address.clone() }),
    }
}

impl Which {
    /// The fields, each with its name and which of that name it is.
    fn fields<'a>(
        &'a self,
        headers: &'a HeaderBlock,
        found: Option<usize>,
    ) -> impl Iterator<Item = (String, u32, Field<'a>)> {
        // An MTA does not find a field by what is no name, or takes it for something else.
        let named =
            |field: Field<'_>| field_name(str::from_utf8(field.name.trim_ascii_end()).ok()?).ok();
        let name: Option<String> = match self {
            Self::Named { name, .. } => Some(name.clone()),
            Self::Found => found.and_then(|index| headers.iter().nth(index)).and_then(named),
        };
        name.into_iter().flat_map(move |name| {
            let (of_name, written) = (name.clone(), name);
            let fields = headers.iter().enumerate().filter(move |(_, field)| field.is(&of_name));
            fields
                .zip(1_u32..)
                .filter(move |((index, field), _)| match self {
                    Self::Found => found == Some(*index),
                    Self::Named { matches: None, .. } => true,
                    Self::Named { matches: Some(pattern), .. } => {
                        pattern.find(value(*field)).is_some()
                    }
                })
                .map(move |((_, field), occurrence)| (written.clone(), occurrence, field))
        })
    }

    /// What the edit's own pattern captured, where it has one.
    fn captures(&self, field: Field<'_>) -> Option<Captures> {
        match self {
            Self::Named { matches: Some(pattern), .. } => {
                pattern.regex().map(|regex| Captures::of(regex, value(field)))
            }
            Self::Named { matches: None, .. } | Self::Found => None,
        }
    }
}

/// The value as conditions see it.
fn value(field: Field<'_>) -> &[u8] {
    field.value.trim_ascii()
}

/// What was filled in is ASCII.
fn cut(mut text: String, chars_max: usize) -> String {
    if text.len() > chars_max {
        let end = (0..=chars_max).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_whose_name_is_none_is_not_edited() {
        let is_removed = |name: &&[u8]| {
            let mut headers = HeaderBlock::default();
            headers.push(name, b" a");
            let (removed, mut effects) = (Edit::Remove { which: Which::Found }, Vec::new());
            make_out(&removed, &headers, Some(0), &Captures::default(), &mut effects);
            !effects.is_empty()
        };
        assert!([&b"Y-a"[..], b"Y-a ", b"Y-\\"].iter().all(is_removed));
        let others =
            [&b"Y-\x05"[..], b"Y-\nX: b", b"Y:b", b"Y b", b" ", b"", b"Y-\xff", b"Y-\xc3\xa4"];
        assert!(!others.iter().any(is_removed));
    }
}
