//! The values of a rule's fields: what each may be.

use crate::config::error::{Complaint, quoted};
use crate::message::domain;

const NAME_CHARS_MAX: usize = 64;
const REPLY_CHARS_MAX: usize = 200;
/// The longest name of a field that a rule writes, so that name and value fit one line.
const EDITED_NAME_CHARS_MAX: usize = 64;
const VALUE_CHARS_MAX: usize = 800;
const PREFIX_CHARS_MAX: usize = 80;
/// RFC 5321 §4.5.3.1.1, §4.5.3.1.3: 256 octets for a path, its angle brackets among them.
const LOCAL_PART_OCTETS_MAX: usize = 64;
const ADDRESS_OCTETS_MAX: usize = 254;

/// Fields that say who handled a message and what was found: nobody else's word stands in them.
const RESERVED: &[&str] = &[
    "Received",
    "Return-Path",
    "DKIM-Signature",
    "Authentication-Results",
    "Received-SPF",
    "X-Virus-Status",
    "X-Mailseal-Tag",
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

/// The name of a field that is edited.
pub(super) fn edited_name(text: &str) -> Result<String, Complaint> {
    let name = field_name(text)?;
    if name.len() > EDITED_NAME_CHARS_MAX {
        let limit = EDITED_NAME_CHARS_MAX;
        return Err(Complaint::new(format!("{} is longer than {limit} characters", quoted(text))));
    }
    Ok(name)
}

/// The name of a field that is written: none on which others rely for how a message came here.
pub(super) fn written_name(text: &str) -> Result<String, Complaint> {
    let name = edited_name(text)?;
    let is_arc = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("ARC-"));
    if is_arc || RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(&name)) {
        let complaint = Complaint::new(format!("{} is not a rule's to write", quoted(text)));
        return Err(complaint.hint("others rely on it; take a name of your own, such as X-Note"));
    }
    Ok(name)
}

/// The value of a field that a rule writes.
pub(super) fn value(text: &str) -> Result<String, Complaint> {
    header_text(text, VALUE_CHARS_MAX).map(|text| text.trim().to_owned())
}

/// What is put before a subject; white space at its end is kept.
pub(super) fn prefix(text: &str) -> Result<String, Complaint> {
    header_text(text, PREFIX_CHARS_MAX).map(|text| text.trim_start().to_owned())
}

fn header_text(text: &str, chars_max: usize) -> Result<&str, Complaint> {
    let is_printable = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    match text.trim() {
        "" => Err(Complaint::new("is empty")),
        _ if !is_printable => Err(Complaint::new("is not printable ASCII in one line")
            .hint("other characters are written as encoded words, RFC 2047: =?utf-8?q?f=C3=BCr?=")),
        _ if text.len() > chars_max => {
            Err(Complaint::new(format!("is longer than {chars_max} characters")))
        }
        _ => Ok(text),
    }
}

/// The address of a recipient: a dot-string and a domain (RFC 5321 §4.1.2).
pub(super) fn address(text: &str) -> Result<String, Complaint> {
    let is_atom = |atom: &str| {
        let is_atext =
            |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
        !atom.is_empty() && atom.bytes().all(is_atext)
    };
    let is_local_part =
        |part: &str| part.len() <= LOCAL_PART_OCTETS_MAX && part.split('.').all(is_atom);
    let address = text.rsplit_once('@').filter(|(local_part, _)| is_local_part(local_part));
    let address = address
        .and_then(|(local_part, name)| Some(format!("{local_part}@{}", domain::normalize(name)?)));
    address.filter(|address| address.len() <= ADDRESS_OCTETS_MAX).ok_or_else(|| {
        Complaint::new(format!("{} is no address", quoted(text))).hint("such as user@example.org")
    })
}
