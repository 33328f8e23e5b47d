//! Mail from outside that looks like ours: its author is of one of our domains and nothing vouches
//! for that, or the name that readers show in the place of the author holds an address of ours.
//!
//! Vouched for is an author domain for which DMARC passes, here or at a trusted ARC sealer, and one
//! without a DMARC record where SPF or DKIM passes for it, or for a domain above or below it.

use super::own_domains::OwnDomains;
use super::shown::shown;
use crate::auth::Authentication;
use crate::auth::spf::Identity;
use crate::message::address;
use crate::message::domain::{is_within, normalize};
use crate::message::header::HeaderBlock;
use crate::result::AuthResult;

/// How many addresses of a From field are looked at; nobody reads more.
const ADDRESSES_MAX: usize = 100;

/// Octets of an address that is shown and looked at.
const ADDRESS_BYTES_MAX: usize = 320;

/// What looks like ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Spoof {
    /// The author domain, one of ours.
    Author(String),
    /// An address of ours that From shows beside its own.
    DisplayName(String),
}

/// What of the header looks like ours and is not.
pub(crate) fn spoof(
    headers: &HeaderBlock,
    auth: &Authentication,
    own: OwnDomains<'_>,
) -> Option<Spoof> {
    let mut authors: Vec<String> = address::from_fields(headers)
        .filter_map(|field| address::mailboxes(field.value).ok())
        .flatten()
        .map(|mailbox| mailbox.domain)
        .filter(|domain| own.hold(domain))
        .collect();
    authors.dedup();
    if !authors.is_empty() {
        let forged = authors.into_iter().find(|author| !is_vouched_for(auth, author));
        return forged.map(Spoof::Author);
    }
    address::from_fields(headers)
        .find_map(|field| own_address(&shown(field.value), own))
        .map(Spoof::DisplayName)
}

/// Whether the author domain is whose it says. What DNS did not answer is no proof of a forgery:
/// `policy.temperror` says what is done about it.
fn is_vouched_for(auth: &Authentication, author: &str) -> bool {
    let dmarc = auth.dmarc.as_ref().map(|dmarc| dmarc.result);
    matches!(dmarc, Some(AuthResult::Pass | AuthResult::Temperror))
        || auth.arc_override().is_some()
        || passing(auth).any(|domain| is_within(author, domain) || is_within(domain, author))
}

/// The domains for which SPF or DKIM passes; a pass that any client has says nothing, nor does a
/// signature of a part.
fn passing(auth: &Authentication) -> impl Iterator<Item = &str> {
    let of_spf = auth.spf.iter().filter(|spf| {
        spf.result == AuthResult::Pass && spf.identity == Identity::MailFrom && !spf.any_client
    });
    let of_dkim = auth
        .dkim
        .iter()
        .filter(|signature| signature.result == AuthResult::Pass && signature.covers_body);
    of_spf.map(|spf| spf.domain.as_str()).chain(of_dkim.map(|signature| signature.domain.as_str()))
}

/// The first address of ours in what a reader of From sees.
fn own_address(text: &str, own: OwnDomains<'_>) -> Option<String> {
    let mut at_signs = text.match_indices('@').map(|(at, _)| at).take(ADDRESSES_MAX);
    at_signs.find_map(|at| {
        let local_part = last_word(&text[..at]);
        let domain = first_word(&text[at + 1..]).trim_end_matches('.');
        let is_ours =
            !local_part.is_empty() && normalize(domain).is_some_and(|name| own.hold(&name));
        is_ours.then(|| format!("{local_part}@{domain}"))
    })
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

/// The word that a text ends with, or as much of it as is looked at.
fn last_word(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .take_while(|(at, c)| is_of_word(*c) && text.len() - at <= ADDRESS_BYTES_MAX)
        .last();
    start.map_or("", |(start, _)| &text[start..])
}

fn first_word(text: &str) -> &str {
    let is_of_domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = text
        .char_indices()
        .find(|(at, c)| !is_of_domain(*c) || *at >= ADDRESS_BYTES_MAX)
        .map_or(text.len(), |(end, _)| end);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::keys::KeyRing;

    fn address_in(from: &str) -> Option<String> {
        let named = HashSet::from(["example.org".to_owned()]);
        own_address(
            &shown(from.as_bytes()),
            OwnDomains { named: &named, keys: &KeyRing::default() },
        )
    }

    #[test]
    fn addresses_of_ours_are_found_wherever_they_are_shown() {
        for (from, expected) in [
            ("\"ceo@example.org\" <joe@evil.example>", "ceo@example.org"),
            ("CEO (ceo@example.org) <joe@evil.example>", "ceo@example.org"),
            ("=?utf-8?q?The_Boss_=3Cceo=40example.org=3E?= <joe@evil.example>", "ceo@example.org"),
            ("=?utf-8?b?Y2VvQGV4YW1wbGUub3Jn?= <joe@evil.example>", "ceo@example.org"),
            ("ceo@Mail.Example.ORG. <joe@evil.example>", "ceo@mail.example.org"),
            ("\"ceo\u{ff20}example\u{ff0e}org\" <joe@evil.example>", "ceo@example.org"),
            ("\"'ceo@example.org' via List\" <list@lists.example>", "'ceo@example.org"),
        ] {
            assert_eq!(address_in(from).as_deref(), Some(expected), "{from}");
        }
        for from in [
            "Joe <joe@evil.example>",
            "\"ceo at example.org\" <joe@evil.example>",
            "\"@example.org\" <joe@evil.example>",
            "\"ceo@example.org.evil.example\" <joe@evil.example>",
            "\"ceo@notexample.org\" <joe@evil.example>",
            "",
        ] {
            assert_eq!(address_in(from), None, "{from}");
        }
    }

    #[test]
    fn a_field_of_at_signs_costs_little() {
        let text = format!("{}@example.org", "a@".repeat(500_000));
        assert_eq!(address_in(&text), None);
        let long = format!("{}@example.org", "\u{e4}".repeat(500_000));
        assert!(address_in(&long).is_some_and(|address| address.len() < 400));
    }
}
