//! What a pattern looks at: a part of the message or its envelope, in one of three views.

use std::fmt;

use serde::Serialize;

use crate::message::envelope::Envelope;
use crate::message::text::Folding;
use crate::text::excerpt;

/// A text, or several, that a pattern looks for something in.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Part {
    /// The value of each field of that name, without the white space around it.
    Header(FieldNames),
    /// What was kept of the body.
    Body,
    /// The target of each link.
    Link,
    /// The reverse path, empty for the null one.
    MailFrom,
    /// Each recipient.
    Recipient,
    /// The name that the client gave itself.
    Helo,
    /// The name of the client's address, where it is verified.
    ClientName,
    /// Who sent the message, where the client authenticated.
    AuthUser,
    /// The version of TLS, where the client used it.
    Tls,
}

/// The name of fields, or a pattern with `*` for any text; in lower case.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum FieldNames {
    Exact(String),
    Like(String),
}

/// How a text is read.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum View {
    /// The octets as they were sent.
    #[default]
    Raw,
    /// The text as a reader sees it.
    Decoded,
    /// The decoded text, with all that disguises a word undone.
    Folded(Folding),
}

impl FieldNames {
    pub(super) fn new(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name.contains('*') { Self::Like(name) } else { Self::Exact(name) }
    }

    /// Whether these are fields of that name, which is in lower case.
    pub(super) fn contain(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.as_bytes() == name,
            Self::Like(like) => is_like(like.as_bytes(), name),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Exact(name) | Self::Like(name) => name,
        }
    }
}

/// Whether the name is of the form, where `*` is any text. Each star takes the nearest place that
/// its next literal has, so the time is linear for each literal.
fn is_like(form: &[u8], name: &[u8]) -> bool {
    let mut literals = form.split(|&octet| octet == b'*');
    let first = literals.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = literals.next_back() else { return rest.is_empty() };
    for literal in literals {
        match memchr::memmem::find(rest, literal) {
            Some(at) => rest = rest.get(at + literal.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl Part {
    /// The part's name in a hit.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Header(names) => excerpt(names.as_str().as_bytes()),
            Self::Body => "body".to_owned(),
            Self::Link => "link".to_owned(),
            Self::MailFrom => "mail-from".to_owned(),
            Self::Recipient => "recipient".to_owned(),
            Self::Helo => "helo".to_owned(),
            Self::ClientName => "client-name".to_owned(),
            Self::AuthUser => "auth-user".to_owned(),
            Self::Tls => "tls".to_owned(),
        }
    }

    /// Its texts in an envelope; none for a part of the message itself.
    pub(super) fn of_envelope<'e>(&self, envelope: &'e Envelope) -> Vec<&'e str> {
        let one = |text: &'e Option<String>| text.as_deref().into_iter().collect();
        match self {
            Self::Header(_) | Self::Body | Self::Link => Vec::new(),
            Self::MailFrom => vec![&envelope.mail_from],
            Self::Recipient => envelope.recipients.iter().map(String::as_str).collect(),
            Self::Helo => one(&envelope.helo),
            Self::ClientName => one(&envelope.client.name),
            Self::AuthUser => one(&envelope.auth_user),
            Self::Tls => one(&envelope.tls),
        }
    }

    /// Whether what was kept of the body is read for it.
    pub(super) fn is_of_body(&self) -> bool {
        matches!(self, Self::Body | Self::Link)
    }
}

impl View {
    /// The view's name in rules and hits.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Decoded => "decoded",
            Self::Folded(_) => "folded",
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for View {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_form() {
        let contain = |form: &str, name: &str| FieldNames::new(form).contain(name.as_bytes());
        for (form, name) in [
            ("Subject", "subject"),
            ("X-*", "x-mailer"),
            ("X-*", "x-"),
            ("*", "anything"),
            ("*-Id", "list-id"),
            ("X-*-Spam-*", "x-a-spam-b-spam-c"),
            ("a*a", "aa"),
        ] {
            assert!(contain(form, name), "{form} {name}");
        }
        for (form, name) in [
            ("Subject", "subjects"),
            ("X-*", "ax-b"),
            ("*-Id", "id"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
        ] {
            assert!(!contain(form, name), "{form} {name}");
        }
    }
}
