//! What all stages read: the envelope, the header block, and what was kept of the body.

pub mod address;
pub mod body;
pub(crate) mod cfws;
pub mod domain;
pub(crate) mod encoded_word;
pub mod envelope;
pub mod file;
pub mod header;
pub mod limit;
pub mod mime;
pub mod origin;
pub(crate) mod received;
pub mod text;

use crate::config::Limits;
use envelope::Envelope;
use header::HeaderBlock;
use limit::Limit;

/// What a recipient takes besides its octets: the string in a list that has grown, its allocation.
const RECIPIENT_BYTES: usize = 64;

/// The most that is kept of an address (RFC 5321 §4.5.3.1: a path has 256 octets).
pub(crate) const ADDRESS_BYTES_MAX: usize = 1024;

/// What the MTA lets a filter do, besides edits of the header, without which it is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offers {
    /// Hold a message.
    pub quarantine: bool,
    /// Add recipients.
    pub add_recipient: bool,
    /// Remove recipients.
    pub delete_recipient: bool,
}

impl Default for Offers {
    /// Everything, as Postfix and Sendmail offer it.
    fn default() -> Self {
        Self { quarantine: true, add_recipient: true, delete_recipient: true }
    }
}

/// A message whose header is on its way in, kept within the limits.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The envelope so far.
    pub envelope: Envelope,
    /// The header block so far.
    pub headers: HeaderBlock,
    /// The limit of the configuration that the message is over; what came after was dropped.
    pub over_limit: Option<Limit>,
    /// Whether the white space after the colons is not the sender's: the MTA did not tell it.
    pub is_space_assumed: bool,
    /// What the MTA lets us do with it.
    pub offers: Offers,
    /// The memory that the recipients fill.
    pub(crate) recipients_bytes: usize,
}

impl Draft {
    /// A message of which only the envelope's beginning is known.
    pub fn new(envelope: Envelope) -> Self {
        Self { envelope, ..Self::default() }
    }

    /// Adds a forward path.
    pub fn add_recipient(&mut self, recipient: String, limits: &Limits) {
        if self.is_turned_away() {
            return;
        }
        if self.envelope.recipients.len() >= limits.recipients_max {
            self.over_limit.get_or_insert(Limit::Recipients);
        } else {
            self.recipients_bytes += RECIPIENT_BYTES + recipient.len();
            self.envelope.recipients.push(recipient);
        }
    }

    /// Adds a header field with its octets as sent; see [`HeaderBlock::push`].
    pub fn add_field(&mut self, name: &[u8], value: &[u8], limits: &Limits) {
        if self.is_turned_away() {
            return;
        }
        let octets = self.headers.octets().len() + name.len() + value.len() + ":\r\n".len();
        if self.headers.len() >= limits.header_fields_max {
            self.over_limit.get_or_insert(Limit::HeaderFields);
        } else if octets > limits.header_bytes_max {
            self.over_limit.get_or_insert(Limit::HeaderBytes);
        } else {
            self.headers.push(name, value);
        }
    }

    /// Lets go of what came so far, and takes no more: the daemon cannot take the message in now.
    pub(crate) fn turn_away(&mut self, limit: Limit) {
        self.over_limit = Some(limit);
        self.headers = HeaderBlock::default();
        self.envelope.recipients = Vec::new();
        self.recipients_bytes = 0;
    }

    fn is_turned_away(&self) -> bool {
        self.over_limit.is_some_and(Limit::is_passing)
    }

    /// The memory that it fills.
    pub(crate) fn held_bytes(&self) -> usize {
        self.headers.held_bytes() + self.recipients_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn recipients_count_by_their_length() {
        let limits = Config::default().limits;
        let mut draft = Draft::default();
        for _ in 0..100 {
            draft.add_recipient("a".repeat(ADDRESS_BYTES_MAX), &limits);
        }
        assert!(draft.held_bytes() > 100 * ADDRESS_BYTES_MAX);
        draft.turn_away(Limit::Memory);
        assert_eq!(draft.held_bytes(), 0);
    }
}
