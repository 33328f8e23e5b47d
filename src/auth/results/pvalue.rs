//! Values of foreign origin in the words of RFC 8601 §2.2's grammar.

use crate::message::address::sender_domain;
use crate::message::{cfws, domain};

/// The longest value that is written. A line holds 998 octets (RFC 5322 §2.1.1).
const VALUE_OCTETS_MAX: usize = 900;
/// The longest reason; a longer one is cut.
const REASON_OCTETS_MAX: usize = 200;

/// A `pvalue`: a token, an address or a domain name as it is, all else as a quoted string.
/// `None` where no line can hold it.
pub(super) fn pvalue(text: &str) -> Option<String> {
    let text = if text.is_ascii() { text.to_owned() } else { ascii(text) };
    let value = if is_address(&text) { text } else { value(&text) };
    (value.len() <= VALUE_OCTETS_MAX).then_some(value)
}

/// A `value` (RFC 2045 §5.1): a token, or else a quoted string.
pub(super) fn value(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(is_token) { text.to_owned() } else { quote(text) }
}

/// A value of Received-SPF (RFC 7208 §9.1): a dot-atom, or else a quoted string. `None` where no
/// line can hold it.
pub(super) fn dotted(text: &str) -> Option<String> {
    let text = if text.is_ascii() { text.to_owned() } else { ascii(text) };
    let value = if is_dot_atom(&text) { text } else { quote(&text) };
    (value.len() <= VALUE_OCTETS_MAX).then_some(value)
}

/// A reason for people, as a quoted string. Nothing in it needs an escape: there are readers that
/// look for `;` and `"` without minding quotes and backslashes.
pub(super) fn reason(text: &str) -> String {
    let plain = text.chars().take(REASON_OCTETS_MAX).map(|c| match c {
        '"' => '\'',
        '\\' => '/',
        ';' => ',',
        '(' => '[',
        ')' => ']',
        ' '..='~' => c,
        _ => '?',
    });
    let cut = if text.chars().nth(REASON_OCTETS_MAX).is_some() { "..." } else { "" };
    format!("\"{}{cut}\"", plain.collect::<String>())
}

/// A host name as a comment; `None` where it is none.
pub(super) fn comment(name: &str) -> Option<String> {
    domain::normalize(name).map(|name| format!("({name})"))
}

fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// What stands for a value with characters above ASCII. The message may pass hosts without
/// SMTPUTF8: a domain name has its A-labels, a local part has nothing and RFC 8601 §2.2 lets it be
/// left out.
fn ascii(text: &str) -> String {
    sender_domain(text).or_else(|| domain::normalize(text)).unwrap_or_else(|| text.to_owned())
}

/// `[ [ local-part ] "@" ] domain-name`, but for a bare domain name, which is a token.
fn is_address(text: &str) -> bool {
    let Some((local_part, domain)) = split(text) else { return false };
    let is_name = |name: &str| {
        !name.contains('_') && domain::normalize(name).is_some_and(|n| n.eq_ignore_ascii_case(name))
    };
    is_local_part(local_part) && is_name(domain)
}

fn split(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('"') {
        let (_, length) = cfws::quoted(text.as_bytes()).ok()?;
        Some((text.get(..length)?, text.get(length..)?.strip_prefix('@')?))
    } else {
        text.rsplit_once('@')
    }
}

/// Empty, a dot-atom, or one quoted string of printable ASCII, which `split` has found whole.
fn is_local_part(text: &str) -> bool {
    let printable = |octet: u8| octet == b' ' || octet.is_ascii_graphic();
    text.is_empty() || (text.starts_with('"') && text.bytes().all(printable)) || is_dot_atom(text)
}

/// RFC 5322 §3.2.3.
fn is_dot_atom(text: &str) -> bool {
    let is_atext =
        |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// RFC 2045 §5.1.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_by_the_grammar() {
        for (text, written) in [
            ("example.org", "example.org"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "\"2001:db8::1\""),
            ("a@example.org", "a@example.org"),
            ("@example.org", "@example.org"),
            ("prvs=1/2@example.org", "prvs=1/2@example.org"),
            ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("\"a\\\";b\"@example.org", "\"a\\\";b\"@example.org"),
            ("\"a\"; b@example.org", "\"\\\"a\\\"; b@example.org\""),
            ("a@[192.0.2.1]", "\"a@[192.0.2.1]\""),
            ("a b@example.org", "\"a b@example.org\""),
            ("a@b@example.org", "\"a@b@example.org\""),
            ("a(b)@example.org", "\"a(b)@example.org\""),
            ("a\r\nb", "\"a??b\""),
            ("a\0", "\"a?\""),
            ("abc/def=", "\"abc/def=\""),
            ("m\u{fc}ller@m\u{fc}ller.example", "xn--mller-kva.example"),
            ("m\u{fc}ller.example", "xn--mller-kva.example"),
            ("m\u{fc}ller", "xn--mller-kva"),
            ("\u{fc} \u{fc}", "\"? ?\""),
        ] {
            assert_eq!(pvalue(text).as_deref(), Some(written), "{text:?}");
        }
        assert_eq!(pvalue(&"a".repeat(901)), None);
    }

    #[test]
    fn reasons_need_no_escape() {
        assert_eq!(reason("a \"b\"; (c\\d)\r\n\0"), "\"a 'b', [c/d]???\"");
        assert_eq!(reason(&"a".repeat(201)), format!("\"{}...\"", "a".repeat(200)));
    }
}
