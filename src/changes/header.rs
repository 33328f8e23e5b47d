//! The header block as it leaves: what becomes of each field, and what is put above and below them.
//!
//! Whatever signs, signs this, and the edits are read off it at the end, so that both are one.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::message::encoded_word;
use crate::message::header::{Field, HeaderBlock};
use crate::verdict::{Change, Effect};

const SUBJECT: &str = "Subject";
/// RFC 5322 §2.1.1
const LINE_OCTETS_MAX: usize = 998;
/// A longer subject gets no prefix: the edit must fit a frame of the milter protocol.
const SUBJECT_OCTETS_MAX: usize = 128 * 1024;

/// A header block with edits.
#[derive(Clone, Debug)]
pub(crate) struct EditedHeader<'a> {
    original: &'a HeaderBlock,
    /// In their order, those that are removed among them.
    fields: Vec<EditedField<'a>>,
    is_edited: bool,
}

#[derive(Clone, Debug)]
struct EditedField<'a> {
    name: Cow<'a, [u8]>,
    value: Value<'a>,
    place: Place,
    is_removed: bool,
}

#[derive(Clone, Debug)]
enum Value<'a> {
    /// The octets after the colon, as sent.
    Sent(&'a [u8]),
    /// What is to stand after the colon and one space.
    Written(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Above all fields that came.
    Above,
    /// As which one of its name it came, from 1.
    Came(u32),
    /// Below all fields that came.
    Below,
}

impl<'a> EditedHeader<'a> {
    /// The block as it came.
    pub(crate) fn new(original: &'a HeaderBlock) -> Self {
        let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
        let came = |field: Field<'a>| {
            let count = seen.entry(field.name.trim_ascii_end().to_ascii_lowercase()).or_default();
            *count += 1;
            EditedField {
                name: Cow::Borrowed(field.name),
                value: Value::Sent(field.value),
                place: Place::Came(*count),
                is_removed: false,
            }
        };
        let fields = original.iter().map(came).collect();
        Self { original, fields, is_edited: false }
    }

    /// Whether anything was edited.
    pub(crate) fn is_edited(&self) -> bool {
        self.is_edited
    }

    /// The block as it leaves.
    pub(crate) fn block(&self) -> Cow<'a, HeaderBlock> {
        if !self.is_edited {
            return Cow::Borrowed(self.original);
        }
        let mut block = HeaderBlock::default();
        for field in self.fields.iter().filter(|field| !field.is_removed) {
            block.push(&field.name, &field.value.octets());
        }
        Cow::Owned(block)
    }

    /// Does what a rule asks for. A field that was removed stays so, whatever a later rule would put
    /// into it.
    pub(crate) fn apply(&mut self, effect: &Effect) {
        self.is_edited = true;
        match effect {
            Effect::AddHeader { name, value } => self.add(name, value),
            Effect::Prepend { name, value } => {
                self.fields.insert(0, EditedField::added(name, value, Place::Above));
            }
            Effect::ReplaceHeader { name, occurrence, value } => {
                self.came(name, *occurrence, |field| field.value = Value::Written(value.clone()));
            }
            Effect::RemoveHeader { name, occurrence } => {
                self.came(name, *occurrence, |field| field.is_removed = true);
            }
            Effect::SubjectPrefix { text } => self.prefix_subject(text),
            Effect::Tag
            | Effect::Accept
            | Effect::Discard
            | Effect::Tempfail
            | Effect::Quarantine
            | Effect::Reject
            | Effect::Redirect { .. }
            | Effect::Bcc { .. } => {}
        }
    }

    /// Takes out the field of that index in the block as it came, under a spelling of its name that
    /// is not the sender's.
    pub(crate) fn remove(&mut self, index: usize, name: &'static str) {
        let mut came = self.fields.iter_mut().filter(|field| matches!(field.place, Place::Came(_)));
        if let Some(field) = came.nth(index) {
            field.name = Cow::Borrowed(name.as_bytes());
            field.is_removed = true;
            self.is_edited = true;
        }
    }

    /// Puts another value into the field of that index in the block as it leaves.
    pub(crate) fn replace(&mut self, index: usize, value: String) {
        let mut leaving = self.fields.iter_mut().filter(|field| !field.is_removed);
        if let Some(field) = leaving.nth(index) {
            field.value = Value::Written(value);
            self.is_edited = true;
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        self.fields.push(EditedField::added(name, value, Place::Below));
    }

    fn came(&mut self, name: &str, occurrence: u32, edit: impl FnOnce(&mut EditedField<'a>)) {
        let is_meant =
            |field: &&mut EditedField<'_>| field.place == Place::Came(occurrence) && field.is(name);
        if let Some(field) = self.fields.iter_mut().find(is_meant) {
            edit(field);
        }
    }

    /// The prefix goes before each subject: readers differ in which of several they show.
    fn prefix_subject(&mut self, prefix: &str) {
        let is_subject = |field: &&mut EditedField<'_>| !field.is_removed && field.is(SUBJECT);
        let mut is_there = false;
        for field in self.fields.iter_mut().filter(is_subject) {
            is_there = true;
            if let Some(value) = prefixed(prefix, field.value.octets().trim_ascii()) {
                field.value = Value::Written(value);
            }
        }
        if !is_there {
            self.add(SUBJECT, prefix.trim_end());
        }
    }

    /// The edits. Replacements come first, where each field still has its place; deletions follow,
    /// from the last field to the first, so that none moves the fields that are still to be
    /// deleted; then what goes below and above.
    pub(crate) fn changes(self) -> Vec<Change> {
        let (mut replaced, mut deleted) = (Vec::new(), Vec::new());
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for EditedField { name, value, place, is_removed } in self.fields {
            // Only fields whose names are names are edited.
            let name = String::from_utf8_lossy(name.trim_ascii_end()).into_owned();
            match (place, value) {
                (Place::Came(occurrence), _) if is_removed => {
                    deleted.push(Change::DeleteHeader { name, occurrence });
                }
                (Place::Came(occurrence), Value::Written(value)) => {
                    replaced.push(Change::ReplaceHeader { name, occurrence, value });
                }
                (Place::Above, Value::Written(value)) => {
                    above.push(Change::InsertHeader { name, value });
                }
                (Place::Below, Value::Written(value)) => {
                    below.push(Change::AddHeader { name, value });
                }
                (_, Value::Sent(_)) => {}
            }
        }
        deleted.reverse();
        above.reverse();
        [replaced, deleted, below, above].concat()
    }
}

impl EditedField<'_> {
    fn added(name: &str, value: &str, place: Place) -> Self {
        let value = Value::Written(value.to_owned());
        Self { name: Cow::Owned(name.as_bytes().to_vec()), value, place, is_removed: false }
    }

    fn is(&self, name: &str) -> bool {
        self.name.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
    }
}

impl Value<'_> {
    /// What stands after the colon.
    fn octets(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Sent(octets) => Cow::Borrowed(octets),
            Self::Written(value) => Cow::Owned(format!(" {value}").into_bytes()),
        }
    }
}

/// The subject with its prefix; `None` where it begins with that, or is too long.
fn prefixed(prefix: &str, subject: &[u8]) -> Option<String> {
    if subject.starts_with(prefix.trim_end().as_bytes()) || subject.len() > SUBJECT_OCTETS_MAX {
        return None;
    }
    let subject = writable(subject);
    let line = subject.split("\r\n").next().unwrap_or_default();
    let octets = SUBJECT.len() + ": ".len() + prefix.len() + line.len();
    let fold = if octets > LINE_OCTETS_MAX { "\r\n " } else { "" };
    Some(if fold.is_empty() {
        format!("{prefix}{subject}").trim_end().to_owned()
    } else {
        format!("{}{fold}{subject}", prefix.trim_end())
    })
}

/// The octets as a text that an MTA takes as it is; where it would not, as encoded words. A line that no
/// white space makes a fold (RFC 5322 §2.2.3) would be a field of its own, or the end of the header.
fn writable(subject: &[u8]) -> Cow<'_, str> {
    let is_line = |line: &str| !line.contains(['\r', '\n', '\0']);
    let is_fold = |line: &str| line.starts_with([' ', '\t']) && is_line(line);
    let is_field = |text: &str| {
        let mut lines = text.split("\r\n");
        lines.next().is_none_or(is_line) && lines.all(is_fold)
    };
    match str::from_utf8(subject) {
        Ok(text) if is_field(text) => Cow::Borrowed(text),
        _ => {
            let line: Vec<u8> =
                subject.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
            Cow::Owned(encoded_word::encode(&line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: &[(&str, &[u8])]) -> HeaderBlock {
        let mut block = HeaderBlock::default();
        for (name, value) in fields {
            block.push(name.as_bytes(), value);
        }
        block
    }

    fn effects(effects: &[Effect], original: &HeaderBlock) -> (String, Vec<String>) {
        let mut edited = EditedHeader::new(original);
        for effect in effects {
            edited.apply(effect);
        }
        let leaves = String::from_utf8(edited.block().octets().to_vec()).unwrap();
        (leaves, edited.changes().iter().map(Change::to_string).collect())
    }

    fn prefix(text: &str) -> Effect {
        Effect::SubjectPrefix { text: text.into() }
    }

    #[test]
    fn edits_stand_in_the_block_and_in_the_changes() {
        let original = block(&[("A", b" 1"), ("B", b"2"), ("a ", b" 3"), ("A", b" 4")]);
        let (name, value) = (|| "a".to_owned(), |text: &str| text.to_owned());
        let all = [
            Effect::AddHeader { name: name(), value: value("low") },
            Effect::Prepend { name: name(), value: value("first") },
            Effect::Prepend { name: name(), value: value("second") },
            Effect::RemoveHeader { name: name(), occurrence: 3 },
            Effect::RemoveHeader { name: name(), occurrence: 1 },
            Effect::ReplaceHeader { name: name(), occurrence: 2, value: value("new") },
            Effect::ReplaceHeader { name: name(), occurrence: 1, value: value("gone") },
            Effect::ReplaceHeader { name: name(), occurrence: 9, value: value("nowhere") },
        ];
        let (leaves, changes) = effects(&all, &original);
        assert_eq!(leaves, "a: second\r\na: first\r\nB:2\r\na : new\r\na: low\r\n");
        let expected = [
            "replace-header a 2: new",
            "delete-header A 3",
            "delete-header A 1",
            "add-header a: low",
            "insert-header a: first",
            "insert-header a: second",
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_subject_has_its_prefix_once() {
        let prefixed = |subject: &[u8]| {
            effects(&[prefix("[X] "), prefix("[X] ")], &block(&[("subject", subject)])).0
        };
        assert_eq!(prefixed(b" a\r\n b"), "subject: [X] a\r\n b\r\n");
        assert_eq!(prefixed(b" [X]a"), "subject: [X]a\r\n");
        assert_eq!(prefixed(b""), "subject: [X]\r\n");
        assert_eq!(prefixed(b" \xd0\r\n \xcf"), "subject: [X] =?unknown-8bit?q?=D0_=CF?=\r\n");
        assert_eq!(prefixed(b" a\0\rb"), "subject: [X] =?utf-8?q?a=00b?=\r\n");
        // An MTA hands on no such field.
        assert_eq!(prefixed(b" a\r\nB: c\r\n\r\nd"), "subject: [X] =?utf-8?q?aB=3A_cd?=\r\n");
        let long = "x".repeat(985);
        assert_eq!(prefixed(long.as_bytes()), format!("subject: [X] {long}\r\n"));
        let longer = "x".repeat(986);
        assert_eq!(prefixed(longer.as_bytes()), format!("subject: [X]\r\n {longer}\r\n"));
        let (leaves, changes) = effects(&[prefix("[X] ")], &block(&[("A", b" 1")]));
        assert_eq!(leaves, "A: 1\r\nSubject: [X]\r\n");
        assert_eq!(changes, ["add-header Subject: [X]"]);
    }

    #[test]
    fn what_is_not_edited_is_not_copied() {
        let original = block(&[("A", b" 1")]);
        let mut edited = EditedHeader::new(&original);
        assert!(matches!(edited.block(), Cow::Borrowed(_)));
        edited.remove(0, "A");
        edited.replace(0, "nothing is left".into());
        assert!(edited.block().is_empty());
    }
}
