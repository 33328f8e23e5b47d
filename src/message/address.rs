//! The author domain of a message, and the domain of an envelope address (RFC 5322 §3.4,
//! RFC 5321 §4.1.2, RFC 6532, RFC 6854, RFC 9989 §5.3.1).
//!
//! What a reader of mail may show and what this module says must be the same domain. Where two
//! readers could differ, there is no author domain, and never a wrong one: so most of the obsolete
//! syntax of RFC 5322 §4.4, source routes among it, is malformed here.

use std::fmt;

use memchr::{memchr2_iter, memchr3};

use super::cfws;
use super::domain::normalize;
use super::header::{Field, HeaderBlock};

mod lexer;
mod mailboxes;

/// Whose domain From names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Author {
    /// The one domain of all mailboxes, normalized.
    Domain(String),
    /// There is no author domain.
    Malformed(Malformed),
}

impl Author {
    /// The author domain, where there is one.
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Malformed(_) => None,
        }
    }
}

/// Why a message has no author domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// There is no From field.
    Missing,
    /// There are several.
    SeveralFields,
    /// The field's name holds white space or octets that no field name may hold.
    Name,
    /// The field names nobody: it is blank, or its groups are empty.
    NoMailbox,
    /// A mailbox without a domain name: none at all, an address literal, or no host's name.
    NoDomain,
    /// The mailboxes are of several domains.
    SeveralDomains,
    /// Not a list of mailboxes; where the reading ended.
    Syntax(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no From field"),
            Self::SeveralFields => f.write_str("several From fields"),
            Self::Name => f.write_str("From field with stray octets in its name"),
            Self::NoMailbox => f.write_str("From names no mailbox"),
            Self::NoDomain => f.write_str("From has a mailbox without a domain name"),
            Self::SeveralDomains => f.write_str("From has mailboxes of several domains"),
            Self::Syntax(what) => write!(f, "From cannot be read: {what}"),
        }
    }
}

/// The author domain of a message.
///
/// RFC 9989 §5.3.1: exactly one From field, and one domain in all of its mailboxes. Every field
/// that any reader could take for From counts as one.
pub fn author(header: &HeaderBlock) -> Author {
    let mut fields = from_fields(header);
    let domain = match (fields.next(), fields.next()) {
        (None, _) => Err(Malformed::Missing),
        (Some(_), Some(_)) => Err(Malformed::SeveralFields),
        (Some(_), None) if header.iter().any(hides_from) => Err(Malformed::SeveralFields),
        (Some(field), None) if !field.name.eq_ignore_ascii_case(b"from") => Err(Malformed::Name),
        (Some(field), None) => mailboxes::domain(field.value),
    };
    domain.map_or_else(Author::Malformed, Author::Domain)
}

/// One mailbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mailbox {
    /// The local part, without the quotes that it may stand in.
    pub local_part: Vec<u8>,
    /// The domain, normalized.
    pub domain: String,
}

/// All mailboxes in the value of a field that is a list of addresses: From, Sender, Reply-To.
/// What has no domain name, as `joe` and `joe@[192.0.2.1]`, makes all of the field malformed.
pub fn mailboxes(value: &[u8]) -> Result<Vec<Mailbox>, Malformed> {
    mailboxes::all(value)
}

/// The fields that some reader takes for From.
pub(crate) fn from_fields(header: &HeaderBlock) -> impl Iterator<Item = Field<'_>> {
    header.iter().filter(|field| is_from_to_some(field.name))
}

/// Whether a field's name is From once white space and octets that no name may hold (RFC 5322
/// §3.6.8) are left out.
fn is_from_to_some(name: &[u8]) -> bool {
    let mut letters = name.iter().filter(|octet| octet.is_ascii_graphic());
    b"from".iter().all(|letter| letters.next().is_some_and(|o| o.eq_ignore_ascii_case(letter)))
        && letters.next().is_none()
}

/// Whether the field's value holds another line that some reader takes for From: one that stands
/// behind a CR or LF and does not begin with the white space of a fold.
fn hides_from(field: Field<'_>) -> bool {
    let ends = memchr2_iter(b'\r', b'\n', field.value);
    ends.map(|end| &field.value[end + 1..]).any(|line| {
        !matches!(line.first(), Some(b' ' | b'\t'))
            && memchr3(b':', b'\r', b'\n', line)
                .is_some_and(|end| line[end] == b':' && is_from_to_some(&line[..end]))
    })
}

/// The domain of an envelope address without its angle brackets, normalized; `None` for the null
/// reverse path, an address literal and what is no domain name. A quoted local part may hold `@`
/// (RFC 5321 §4.1.2).
pub fn sender_domain(address: &str) -> Option<String> {
    let domain = if address.starts_with('"') {
        let (_, length) = cfws::quoted(address.as_bytes()).ok()?;
        address.get(length..)?.strip_prefix('@')?
    } else {
        address.rsplit_once('@')?.1
    };
    normalize(domain)
}

/// Whether an address is the entry, or of the domain that the entry is.
pub(crate) fn is_or_is_at(address: &str, entry: &str) -> bool {
    address.eq_ignore_ascii_case(entry) || sender_domain(address).as_deref() == Some(entry)
}
