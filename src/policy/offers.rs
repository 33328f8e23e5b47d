//! What a decision comes to where the MTA does not let a filter do all of it.
//!
//! Mail that is to be kept from somebody, or to reach somebody besides, is never simply delivered: it
//! is held, or deferred where it can't be held.

use super::Decision;
use crate::message::{ADDRESS_BYTES_MAX, Offers};
use crate::text;
use crate::verdict::{Change, Disposition, Reply};

impl Decision {
    /// The strictest that the MTA lets us do in its place.
    pub(super) fn within(mut self, offers: Offers, queue_id: Option<&str>) -> Self {
        let unavailable = self.edits.recipients.iter().find_map(|edit| unavailable(edit, offers));
        if let Some(reason) = unavailable {
            self.reasons.push(format!("held, recipients are not changed: {reason}"));
            self.edits.recipients.clear();
            self.disposition = Disposition::Quarantine;
            self.cause = self.cause.or_else(|| Some("recipients cannot be changed".to_owned()));
        }
        if self.disposition == Disposition::Quarantine && !offers.quarantine {
            self.reasons.push("deferred: the MTA lets no filter hold a message".to_owned());
            self.disposition = Disposition::Tempfail;
            let id = queue_id.map(|id| format!(" (queue id {})", text::visible(id)));
            let text = format!("message cannot be held{}", id.unwrap_or_default());
            self.reply = Some(Reply { code: 451, enhanced: "4.3.5".to_owned(), text });
        }
        self
    }
}

/// Why the MTA would not make an edit.
fn unavailable(edit: &Change, offers: Offers) -> Option<&'static str> {
    match edit {
        Change::AddRecipient { .. } if !offers.add_recipient => {
            Some("the MTA lets no filter add recipients")
        }
        Change::DeleteRecipient { .. } if !offers.delete_recipient => {
            Some("the MTA lets no filter remove recipients")
        }
        // Cut, or not in UTF-8: the MTA would not know it by what is left.
        Change::DeleteRecipient { address }
            if address.len() >= ADDRESS_BYTES_MAX
                || address.contains(char::REPLACEMENT_CHARACTER) =>
        {
            Some("the address of one cannot be told to the MTA")
        }
        _ => None,
    }
}
