//! What a rule does.

use toml::de::DeTable;

use super::captures::{Captures, Groups};
use super::fields::{ACTIONS, reply};
use super::found::Found;
use super::reader::Reader;
use crate::config::value::{text, word};
use crate::message::header::HeaderBlock;
use crate::verdict::{Action, Hit};

/// The fields of a rule that say it.
pub(super) const FIELDS: &[&str] = &["action", "reply"];

/// What a rule asks for.
#[derive(Debug)]
pub(super) struct Deed {
    action: Action,
    reply: Option<String>,
}

/// Reads what a rule does.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    _groups: Option<&Groups>,
) -> Option<Deed> {
    let action = reader.optional(table, "action", &word(ACTIONS));
    let reply = reader.optional(table, "reply", &text(reply));
    Some(Deed { action: action.unwrap_or(Action::Tag), reply })
}

impl Deed {
    pub(super) fn ends(&self) -> bool {
        false
    }

    pub(super) fn wants_captures(&self) -> bool {
        false
    }

    pub(super) fn hit(
        &self,
        rule: &str,
        found: Option<Found>,
        _headers: &HeaderBlock,
        _field: Option<usize>,
        _captures: &Captures,
    ) -> Hit {
        Hit { rule: rule.to_owned(), action: self.action, reply: self.reply.clone(), found }
    }
}
