//! The values of a rule's fields: what each may be.

use crate::config::error::{Complaint, quoted};
use crate::config::value::Words;
use crate::verdict::Action;

const NAME_CHARS_MAX: usize = 64;
const REPLY_CHARS_MAX: usize = 200;

/// What a rule can ask for.
pub(super) const ACTIONS: &Words<Action> = &[
    ("none", Action::Off),
    ("tag", Action::Tag),
    ("reject", Action::Reject),
    ("tempfail", Action::Tempfail),
    ("discard", Action::Discard),
    ("quarantine", Action::Quarantine),
];

/// Words of lower-case letters and digits, joined by hyphens.
pub(super) fn name(text: &str) -> Result<String, Complaint> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if text.len() <= NAME_CHARS_MAX && text.split('-').all(is_word) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(format!("{} is no rule name", quoted(text)))
        .hint("lower-case words joined by hyphens, at most 64 characters, such as fake-invoice"))
}

/// What the rule is for, in words.
pub(super) fn about(text: &str) -> Result<(), Complaint> {
    match text.trim() {
        "" => Err(Complaint::new("is empty").hint("say what the rule finds, and why")),
        _ => Ok(()),
    }
}

/// The text of an SMTP reply is one line of printable ASCII (RFC 5321 §4.2).
pub(super) fn reply(text: &str) -> Result<String, Complaint> {
    let is_printable = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    match text.trim() {
        "" => Err(Complaint::new("is empty").hint("leave it out for the default reply")),
        _ if !is_printable => Err(Complaint::new("is not printable ASCII in one line")),
        _ if text.len() > REPLY_CHARS_MAX => {
            Err(Complaint::new(format!("is longer than {REPLY_CHARS_MAX} characters")))
        }
        text => Ok(text.to_owned()),
    }
}

/// RFC 5322 §2.2: printable ASCII without colon.
pub(super) fn field_name(text: &str) -> Result<String, Complaint> {
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    match text.strip_suffix(':') {
        Some(name) if is_name(name) => Err(Complaint::new(format!("{} has a colon", quoted(text)))
            .hint(format!("write {}", quoted(name)))),
        None if is_name(text) && !text.contains(':') => Ok(text.to_owned()),
        _ => Err(Complaint::new(format!("{} is no field name", quoted(text)))),
    }
}
