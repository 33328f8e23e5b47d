//! The identities' domains (RFC 7208 §4.1, §4.3).

use crate::message::domain::ascii;

/// An identity longer than this is no address (RFC 5321 §4.5.3.1.3 allows 256 octets); it bounds
/// what macros expand to.
const IDENTITY_BYTES_MAX: usize = 1024;

/// `<sender>`: who is said to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sender {
    /// The local part; `postmaster` where the identity has none (RFC 7208 §4.3).
    pub(super) local_part: String,
    /// The domain in ASCII lower case.
    pub(super) domain: String,
}

impl Sender {
    /// `None` where the identity's domain is malformed, so that the result is none. The HELO name
    /// is bounded with it, as it can stand in the same record's macros.
    pub(super) fn new(identity: &str, helo: &str) -> Option<Self> {
        if identity.len() > IDENTITY_BYTES_MAX || helo.len() > IDENTITY_BYTES_MAX {
            return None;
        }
        let local_part = match identity.rsplit_once('@') {
            Some((local_part, _)) if !local_part.is_empty() => local_part,
            _ => "postmaster",
        };
        Some(Self { local_part: local_part.to_owned(), domain: parse(of(identity))? })
    }
}

/// The identity's domain as sent.
pub(super) fn of(identity: &str) -> &str {
    identity.rsplit_once('@').map_or(identity, |(_, domain)| domain)
}

/// The domain in ASCII lower case and without its final dot; `None` where it is malformed or not
/// of several labels (RFC 7208 §4.3), which address literals and bare addresses are. Internationalized
/// names are A-labels from here on. Other labels than the last are those of a `domain-spec`, which
/// may hold any visible octet (RFC 7208 §7.1): more than a host name's.
pub(super) fn parse(text: &str) -> Option<String> {
    let domain = ascii(text)?;
    let (parents, top) = domain.rsplit_once('.')?;
    let is_well_formed = parents.bytes().all(|octet| octet.is_ascii_graphic()) && is_toplabel(top);
    is_well_formed.then_some(domain)
}

/// RFC 7208 §7.1's `toplabel`: letters, digits and hyphens, and not all digits.
fn is_toplabel(label: &str) -> bool {
    label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_domains() {
        let label = format!("{}.example", "a".repeat(64));
        let long = format!("{}example", "a.".repeat(124));
        for text in [
            "",
            ".",
            "example",
            "example.",
            "a..example",
            ".example",
            "[192.0.2.1]",
            "192.0.2.1",
            "[IPv6:2001:db8::1]",
            "a b.example",
            "a\0.example",
            "a.\r\nexample",
            &label,
            &long,
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn domains_as_the_record_sees_them() {
        assert_eq!(parse("Mail.Example.ORG.").unwrap(), "mail.example.org");
        assert_eq!(parse("B\u{fc}cher.example").unwrap(), "xn--bcher-kva.example");
        assert_eq!(parse("_spf.a+b.example").unwrap(), "_spf.a+b.example");
    }

    #[test]
    fn senders() {
        let sender = Sender::new("\"a@b\"@Example.org", "helo").unwrap();
        assert_eq!(sender.local_part, "\"a@b\"");
        assert_eq!(sender.domain, "example.org");
        assert_eq!(Sender::new("@example.org", "helo").unwrap().local_part, "postmaster");
        assert_eq!(Sender::new("mail.example.org", "helo").unwrap().local_part, "postmaster");
        assert_eq!(Sender::new("a", "helo"), None);
        assert_eq!(Sender::new(&format!("{}@example.org", "a".repeat(1024)), "helo"), None);
        assert_eq!(Sender::new("a@example.org", &"a".repeat(1025)), None);
    }
}
