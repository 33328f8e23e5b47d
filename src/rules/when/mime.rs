//! Conditions on links, attachments and MIME structure.

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::super::condition::{TextTest, What};
use super::super::mime_test::{AttachmentTest, LinkTest, MimeTest};
use super::super::part::{Part, View};
use super::super::pattern::Pattern;
use super::super::reader::Reader;
use crate::config::error::{Complaint, quoted};
use crate::config::nearest::nearest;
use crate::config::value::{Value, flag, text};
use crate::message::mime::{Ambiguity, Limit};

const LINK_FIELDS: &[&str] = &["target", "host", "text", "in_list", "differs"];

const ATTACHMENT_FIELDS: &[&str] = &[
    "name",
    "extension",
    "double_extension",
    "declared_type",
    "true_type",
    "type_differs",
    "member",
    "member_extension",
    "archive",
    "encrypted",
    "unread",
];

impl Reader<'_> {
    /// The target of a link, or all that one link must be.
    pub(super) fn link(&mut self, value: &Value<'_>) -> Option<What> {
        let DeValue::Table(table) = value.get_ref() else {
            let pattern = self.pattern(value)?;
            return Some(What::Text(TextTest { part: Part::Link, view: View::Raw, pattern }));
        };
        self.described(table, value, LINK_FIELDS, "link")?;
        let before = self.faults.len();
        let test = LinkTest {
            target: self.pattern_of(table, "target"),
            host: self.pattern_of(table, "host"),
            text: self.pattern_of(table, "text"),
            in_list: table.get("in_list").and_then(|value| self.list_of(value)),
            differs: self.flag_of(table, "differs"),
        };
        let is_right = self.faults.len() == before;
        is_right.then(|| What::Mime(Arc::new(MimeTest::Link(test))))
    }

    /// All that one attachment must be.
    pub(super) fn attachment(&mut self, value: &Value<'_>) -> Option<What> {
        let table = self.table(value, "attachment")?;
        self.described(table, value, ATTACHMENT_FIELDS, "attachment")?;
        let before = self.faults.len();
        let test = AttachmentTest {
            name: self.pattern_of(table, "name"),
            extension: self.extensions_of(table, "extension"),
            double_extension: self.flag_of(table, "double_extension"),
            declared_type: self.pattern_of(table, "declared_type"),
            true_type: self.pattern_of(table, "true_type"),
            type_differs: self.flag_of(table, "type_differs"),
            member: self.pattern_of(table, "member"),
            member_extension: self.extensions_of(table, "member_extension"),
            archive: self.flag_of(table, "archive"),
            encrypted: self.flag_of(table, "encrypted"),
            unread: self.flag_of(table, "unread"),
        };
        let is_right = self.faults.len() == before;
        is_right.then(|| What::Mime(Arc::new(MimeTest::Attachment(Box::new(test)))))
    }

    /// Kinds of ambiguity, and limits that were reached.
    pub(super) fn structure(&mut self, value: &Value<'_>) -> Option<What> {
        let tests = self.words(value, &text(kinds))?;
        Some(What::Mime(Arc::new(MimeTest::Any(tests))))
    }

    /// Whether a table has known fields alone, and one at least.
    fn described(
        &mut self,
        table: &DeTable<'_>,
        value: &Value<'_>,
        known: &[&'static str],
        place: &str,
    ) -> Option<()> {
        if !self.refuse_unknown_fields(table, known, place) {
            return None;
        }
        if table.is_empty() {
            let complaint = Complaint::new(format!("{place}: no test"));
            self.fault(value.span().start, complaint.hint(format!("one of: {}", known.join(", "))));
            return None;
        }
        Some(())
    }

    fn pattern_of(&mut self, table: &DeTable<'_>, field: &str) -> Option<Arc<Pattern>> {
        table.get(field).and_then(|value| self.pattern(value))
    }

    fn flag_of(&mut self, table: &DeTable<'_>, field: &str) -> Option<bool> {
        self.optional(table, field, &flag)
    }

    fn extensions_of(&mut self, table: &DeTable<'_>, field: &str) -> Option<Vec<String>> {
        table.get(field).and_then(|value| self.words(value, &text(extension)))
    }
}

/// A file name extension without its dot, in lower case.
fn extension(given: &str) -> Result<String, Complaint> {
    let bare = given.strip_prefix('.').unwrap_or(given).to_lowercase();
    if bare.is_empty() || bare.contains(|c: char| c.is_whitespace() || "./\\".contains(c)) {
        return Err(
            Complaint::new(format!("{} is no extension", quoted(given))).hint("such as \"exe\"")
        );
    }
    Ok(bare)
}

/// `ambiguous`, `limit`, or one kind of either.
fn kinds(given: &str) -> Result<MimeTest, Complaint> {
    let ambiguity = Ambiguity::ALL.iter().find(|kind| kind.as_str() == given);
    let limit = Limit::ALL.iter().find(|kind| kind.as_str() == given);
    match (given, ambiguity, limit) {
        ("ambiguous", ..) => Ok(MimeTest::Ambiguous(Ambiguity::ALL.to_vec())),
        ("limit", ..) => Ok(MimeTest::Limited(Limit::ALL.to_vec())),
        (_, Some(kind), _) => Ok(MimeTest::Ambiguous(vec![*kind])),
        (_, _, Some(kind)) => Ok(MimeTest::Limited(vec![*kind])),
        _ => Err(unknown_kind(given)),
    }
}

fn unknown_kind(given: &str) -> Complaint {
    let ambiguities = Ambiguity::ALL.iter().map(|kind| kind.as_str());
    let limits = Limit::ALL.iter().map(|kind| kind.as_str());
    let all: Vec<&str> =
        ["ambiguous", "limit"].into_iter().chain(ambiguities).chain(limits).collect();
    let complaint = Complaint::new(format!("unknown value {}", quoted(given)));
    match nearest(given, all.iter().copied()) {
        Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
        None => complaint.hint(format!("one of: {}", all.join(", "))),
    }
}
