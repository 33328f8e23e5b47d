//! The actions that edit a message: tables with the name of the action and what it takes.

use std::sync::Arc;

use toml::de::DeTable;

use super::action::template;
use super::captures::{Groups, Template};
use super::fields::{address, edited_name, prefix, value, written_name};
use super::pattern::Pattern;
use super::reader::{Reader, missing};
use crate::config::error::Complaint;
use crate::config::value::{Value, flag, text};

/// The names of these actions.
pub(super) const FORMS: &[&str] = &[
    "add_header",
    "prepend",
    "replace_header",
    "remove_header",
    "subject_prefix",
    "redirect",
    "bcc",
];

/// What DKIM signers sign (RFC 6376 §5.4.1), and our own list; `List-*` and `Resent-*` besides.
const SIGNED: &[&str] = &[
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "DKIM-Signature",
    "Autocrypt",
];

/// One edit.
#[derive(Debug)]
pub(super) enum Edit {
    Add { name: String, value: Template },
    Prepend { name: String, value: Template },
    Replace { which: Which, value: Template },
    Remove { which: Which },
    SubjectPrefix(String),
    Redirect(String),
    Bcc(String),
}

/// Which fields are edited.
#[derive(Debug)]
pub(super) enum Which {
    /// The one that the rule's condition found.
    Found,
    /// Those of a name; where there is a pattern, those whose value it matches.
    Named { name: String, matches: Option<Arc<Pattern>> },
}

impl Edit {
    /// Whether it writes a group of the rule's condition.
    pub(super) fn has_groups(&self) -> bool {
        match self {
            // Those of its own pattern are meant.
            Self::Replace { which: Which::Named { matches: Some(_), .. }, .. }
            | Self::Remove { .. }
            | Self::SubjectPrefix(_)
            | Self::Redirect(_)
            | Self::Bcc(_) => false,
            Self::Add { value, .. } | Self::Prepend { value, .. } | Self::Replace { value, .. } => {
                value.has_groups()
            }
        }
    }

    /// Whether a field of that name may come of it.
    pub(super) fn may_write(&self, field: &str) -> bool {
        match self {
            Self::Add { name, .. }
            | Self::Prepend { name, .. }
            | Self::Replace { which: Which::Named { name, .. }, .. }
            | Self::Remove { which: Which::Named { name, .. } } => name.eq_ignore_ascii_case(field),
            Self::Replace { .. } | Self::Remove { .. } => true,
            Self::SubjectPrefix(_) | Self::Redirect(_) | Self::Bcc(_) => false,
        }
    }

    /// What others lose by it.
    pub(super) fn warning(&self) -> Option<Complaint> {
        let name = match self {
            Self::Add { name, .. }
            | Self::Prepend { name, .. }
            | Self::Replace { which: Which::Named { name, .. }, .. }
            | Self::Remove { which: Which::Named { name, .. } } => name,
            Self::SubjectPrefix(_) => "Subject",
            // What the condition finds is not known here; the message's reasons tell.
            Self::Replace { .. } | Self::Remove { .. } | Self::Redirect(_) | Self::Bcc(_) => {
                return None;
            }
        };
        if name.eq_ignore_ascii_case("Received") {
            return Some(Complaint::new(
                "without its Received fields mail that goes in a circle is stopped by no MTA",
            ));
        }
        if name.eq_ignore_ascii_case("DKIM-Signature") {
            return Some(Complaint::new("mail that others signed leaves here unsigned"));
        }
        is_signed(name).then(|| {
            Complaint::new(format!(
                "an edit of {name} breaks the DKIM signatures of others; after us their mail fails \
                 DKIM, and DMARC with it"
            ))
        })
    }
}

fn is_signed(name: &str) -> bool {
    let starts =
        |start: &str| name.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
    SIGNED.iter().any(|signed| signed.eq_ignore_ascii_case(name))
        || starts("List-")
        || starts("Resent-")
}

/// Reads the table of an action; `at` is its place.
pub(super) fn edit(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    at: usize,
    groups: Option<&Groups>,
) -> Option<Edit> {
    if !reader.refuse_unknown_fields(table, FORMS, "action") {
        return None;
    }
    let mut entries = table.iter();
    let (Some((form, entry)), None) = (entries.next(), entries.next()) else {
        let complaint = Complaint::new(format!("action: {} actions in one table", table.len()));
        reader.fault(at, complaint.hint("a table an action: [{ bcc = \"..\" }, { .. }]"));
        return None;
    };
    match form.get_ref().as_ref() {
        "add_header" => {
            let (name, value) = named(reader, entry, groups)?;
            Some(Edit::Add { name, value })
        }
        "prepend" => {
            let (name, value) = named(reader, entry, groups)?;
            Some(Edit::Prepend { name, value })
        }
        "replace_header" => replace(reader, entry, groups),
        "remove_header" => {
            let table = fields(reader, entry, "remove_header", &["name", "matches", "found"])?;
            let which = which(reader, table, entry, &edited_name)?;
            Some(Edit::Remove { which })
        }
        form => {
            let read = match form {
                "subject_prefix" => reader.optional(table, form, &text(prefix)),
                _ => reader.optional(table, form, &text(address)),
            }?;
            Some(match form {
                "subject_prefix" => Edit::SubjectPrefix(read),
                "redirect" => Edit::Redirect(read),
                _ => Edit::Bcc(read),
            })
        }
    }
}

/// How an action is written.
pub(super) fn shape(form: &str) -> String {
    let taken = match form {
        "subject_prefix" => "\"[SPAM] \"",
        "redirect" | "bcc" => "\"user@example.org\"",
        "remove_header" => "{ name = \"X-Name\" }",
        _ => "{ name = \"X-Name\", value = \"text\" }",
    };
    format!("{{ {form} = {taken} }}")
}

/// The table of an action that has fields of its own.
fn fields<'t>(
    reader: &mut Reader<'_>,
    value: &'t Value<'_>,
    form: &str,
    known: &[&'static str],
) -> Option<&'t DeTable<'t>> {
    if value.get_ref().as_table().is_none() {
        let complaint = Complaint::new(format!("{form}: wants a table"));
        reader.fault(value.span().start, complaint.hint(format!("write {}", shape(form))));
        return None;
    }
    let table = reader.table(value, form)?;
    reader.refuse_unknown_fields(table, known, form).then_some(table)
}

fn named(
    reader: &mut Reader<'_>,
    entry: &Value<'_>,
    groups: Option<&Groups>,
) -> Option<(String, Template)> {
    let table = fields(reader, entry, "add_header", &["name", "value"])?;
    let at = entry.span().start;
    let name = reader.required(table, at, "name", &text(written_name));
    let value = reader.required(table, at, "value", &text(|text| template(&value(text)?, groups)));
    Some((name?, value?))
}

fn replace(reader: &mut Reader<'_>, entry: &Value<'_>, groups: Option<&Groups>) -> Option<Edit> {
    let known = ["name", "matches", "found", "value"];
    let table = fields(reader, entry, "replace_header", &known)?;
    let which = which(reader, table, entry, &written_name);
    let mut own = Groups::default();
    let groups = match &which {
        Some(Which::Named { matches: Some(pattern), .. }) => {
            own.add(pattern);
            Some(&own)
        }
        _ => groups,
    };
    let read = text(|text| template(&value(text)?, groups));
    let value = reader.required(table, entry.span().start, "value", &read);
    Some(Edit::Replace { which: which?, value: value? })
}

/// `name` with or without `matches`, or `found = true`.
fn which(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    entry: &Value<'_>,
    name: &impl Fn(&str) -> Result<String, Complaint>,
) -> Option<Which> {
    let at = entry.span().start;
    if table.contains_key("found") {
        if table.contains_key("name") || table.contains_key("matches") {
            let complaint = Complaint::new("\"found\" beside \"name\" or \"matches\"");
            reader.fault(at, complaint.hint("found = true is the field that the condition found"));
            return None;
        }
        return reader.optional(table, "found", &flag)?.then_some(Which::Found).or_else(|| {
            reader.fault(at, missing("name", "or found = true"));
            None
        });
    }
    let name = reader.required(table, at, "name", &text(name));
    let matches = match table.get("matches") {
        Some(value) => Some(reader.pattern(value)?),
        None => None,
    };
    Some(Which::Named { name: name?, matches })
}
