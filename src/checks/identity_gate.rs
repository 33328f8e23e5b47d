//! Whether an authenticated user may write as whom the header shows (RFC 5322 §3.6.2, RFC 6854).
//! An MTA asks that of the reverse path alone.
//!
//! All mailboxes of a field must be the user's, those in groups among them. A field that cannot be
//! read is nobody's: what is not known to be the user's is not signed.

use std::fmt;

use super::logins::{Logins, Ownership, Terms};
use crate::config::{IdentityGate, ReplyTo};
use crate::message::address::{self, Author, Mailbox, Malformed};
use crate::message::header::{Field, HeaderBlock};
use crate::text;

/// A user who writes as somebody else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// The login.
    pub user: String,
    /// The header field.
    pub field: &'static str,
    /// The address in it; `None` where the field cannot be read.
    pub address: Option<String>,
    /// Whether the address has an owner.
    pub is_listed: bool,
}

/// In full, and safe to show.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, .. } = self;
        let user = text::visible(&self.user);
        match self.address.as_deref().map(text::visible) {
            Some(address) if self.is_listed => {
                write!(f, "{field} names {address}, which is not an address of the user {user}")
            }
            Some(address) => {
                write!(f, "{field} of the user {user} names {address}, which is nobody's address")
            }
            None => write!(f, "{field} of the user {user} names nobody that could be checked"),
        }
    }
}

/// The first thing in the header that the user may not write.
pub(crate) fn check(
    gate: &IdentityGate,
    logins: &Logins,
    user: &str,
    headers: &HeaderBlock,
    author: &Author,
) -> Result<(), Mismatch> {
    let user = User { gate, logins, name: user };
    match author {
        // Each of the mailboxes is looked at, whatever their domains.
        Author::Domain(_) | Author::Malformed(Malformed::SeveralDomains) => {
            address::from_fields(headers).try_for_each(|field| user.may_write("From", field))?;
        }
        Author::Malformed(_) => return Err(user.unreadable("From")),
    }
    if gate.sender {
        headers.named("Sender").try_for_each(|field| user.may_write("Sender", field))?;
    }
    if gate.reply_to != ReplyTo::Off {
        headers.named("Reply-To").try_for_each(|field| user.may_write("Reply-To", field))?;
    }
    Ok(())
}

struct User<'a> {
    gate: &'a IdentityGate,
    logins: &'a Logins,
    name: &'a str,
}

impl User<'_> {
    fn may_write(&self, name: &'static str, field: Field<'_>) -> Result<(), Mismatch> {
        let mailboxes = address::mailboxes(field.value).map_err(|_| self.unreadable(name))?;
        mailboxes.iter().try_for_each(|mailbox| self.may_use(name, mailbox))
    }

    fn may_use(&self, field: &'static str, mailbox: &Mailbox) -> Result<(), Mismatch> {
        let local_part = str::from_utf8(&mailbox.local_part).map_err(|_| self.unreadable(field))?;
        let terms = Terms {
            delimiters: &self.gate.recipient_delimiter,
            bare_domains: &self.gate.bare_domains,
        };
        let ownership = self.logins.ownership(self.name, local_part, &mailbox.domain, terms);
        let may_be_unlisted = self.gate.allows_unlisted
            || (field == "Reply-To" && self.gate.reply_to == ReplyTo::Owned);
        match ownership {
            Ownership::Users => return Ok(()),
            Ownership::Unlisted if may_be_unlisted => return Ok(()),
            Ownership::Others | Ownership::Unlisted => {}
        }
        Err(Mismatch {
            user: self.name.to_owned(),
            field,
            address: Some(format!("{local_part}@{}", mailbox.domain)),
            is_listed: ownership == Ownership::Others,
        })
    }

    fn unreadable(&self, field: &'static str) -> Mismatch {
        Mismatch { user: self.name.to_owned(), field, address: None, is_listed: false }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn gate() -> IdentityGate {
        IdentityGate { recipient_delimiter: "+".into(), ..Config::default().identity_gate }
    }

    /// What the user joe is told, in words that tell the cases apart.
    fn of(gate: &IdentityGate, fields: &[(&str, &str)]) -> String {
        let text = "joe@example.org joe\nsales@example.org joe,ann\nann@example.org ann\n\
                    \"j doe\"@example.org joe\n";
        let logins = Logins::parse(text, Path::new("logins")).unwrap();
        let mut headers = HeaderBlock::default();
        for (name, value) in fields {
            headers.push(name.as_bytes(), value.as_bytes());
        }
        let author = address::author(&headers);
        match check(gate, &logins, "Joe", &headers, &author) {
            Ok(()) => "ok".into(),
            Err(Mismatch { field, address: None, .. }) => format!("{field} unreadable"),
            Err(Mismatch { field, address: Some(address), is_listed, .. }) => {
                format!("{field} {address}{}", if is_listed { "" } else { " unlisted" })
            }
        }
    }

    #[test]
    fn every_mailbox_of_from_must_be_the_users() {
        for (from, expected) in [
            ("joe@example.org", "ok"),
            ("Joe <JOE+x@Example.ORG>, sales@example.org", "ok"),
            ("Us: joe@example.org;", "ok"),
            ("\"j doe\"@example.org", "ok"),
            ("\"ann@example.org\" <joe@example.org>", "ok"),
            ("ann@example.org", "From ann@example.org"),
            ("joe@example.org, ann@example.org", "From ann@example.org"),
            ("joe@example.org, eve@example.net", "From eve@example.net unlisted"),
            ("Us: joe@example.org, ann@example.org;", "From ann@example.org"),
            ("bob@example.org", "From bob@example.org unlisted"),
            ("Us:;", "From unreadable"),
            ("joe", "From unreadable"),
            ("joe@example.org (", "From unreadable"),
            ("", "From unreadable"),
        ] {
            assert_eq!(of(&gate(), &[("From", from)]), expected, "{from}");
        }
        assert_eq!(of(&gate(), &[]), "From unreadable");
        let twice = [("From", "joe@example.org"), ("From", "ann@example.org")];
        assert_eq!(of(&gate(), &twice), "From unreadable");
    }

    #[test]
    fn sender_and_reply_to_are_looked_at_as_configured() {
        let with = |name, value| [("From", "joe@example.org"), (name, value)];
        let off = IdentityGate { sender: false, reply_to: ReplyTo::Off, ..gate() };
        let all = IdentityGate { reply_to: ReplyTo::All, ..gate() };
        let others = with("Sender", "ann@example.org");
        assert_eq!(of(&gate(), &others), "Sender ann@example.org");
        assert_eq!(of(&off, &others), "ok");
        assert_eq!(of(&gate(), &with("sender ", "x")), "Sender unreadable");
        let others = with("Reply-To", "joe@example.org, ann@example.org");
        assert_eq!(of(&gate(), &others), "Reply-To ann@example.org");
        assert_eq!(of(&off, &others), "ok");
        let foreign = with("Reply-To", "joe@home.example");
        assert_eq!(of(&gate(), &foreign), "ok");
        assert_eq!(of(&all, &foreign), "Reply-To joe@home.example unlisted");
        assert_eq!(of(&gate(), &with("Reply-To", "joe@")), "Reply-To unreadable");
    }

    #[test]
    fn what_nobody_owns_may_be_free_to_all() {
        let free = IdentityGate { allows_unlisted: true, ..gate() };
        assert_eq!(of(&free, &[("From", "bob@example.org")]), "ok");
        assert_eq!(of(&free, &[("From", "ann@example.org")]), "From ann@example.org");
        assert_eq!(of(&free, &[("From", "joe")]), "From unreadable");
    }
}
