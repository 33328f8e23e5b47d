//! Domain names and selectors as a signature may give them (RFC 6376 §3.5 `d=`, `i=`, `s=`).

use std::borrow::Cow;

/// A signing domain in ASCII lower case: two or more labels of letters, digits and hyphens.
/// U-labels, which internationalized header fields may hold (RFC 8616 §5), become A-labels.
pub fn domain(value: &[u8]) -> Option<String> {
    let name = ascii_lower(value)?;
    let valid = name.len() <= 253 && name.contains('.') && name.split('.').all(is_host_label);
    valid.then_some(name)
}

/// A selector in ASCII lower case: labels as in a domain, one or more of them. Underscores, which
/// the grammar lacks, are in use, and harmless in a query.
pub fn selector(value: &[u8]) -> Option<String> {
    let name = ascii_lower(value)?;
    let valid =
        name.len() <= 253 && name.split('.').all(|label| is_host_label(&label.replace('_', "x")));
    valid.then_some(name)
}

/// Where the key of a signature is published (§3.6.2.1); `None` where that is no name of the DNS.
pub fn key_name(selector: &str, domain: &str) -> Option<String> {
    let name = format!("{selector}._domainkey.{domain}");
    (name.len() <= 253).then_some(name)
}

/// Whether `name` is `domain` or below it; both are in lower case.
pub fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn ascii_lower(value: &[u8]) -> Option<String> {
    // Bounded before IDNA's mapping, which is the costly part: a U-label is at most 4 octets a
    // letter, and no label has more than 63 of those.
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= 1024)?;
    if text.is_ascii() {
        return Some(text.to_ascii_lowercase());
    }
    idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::STD3).ok().map(Cow::into_owned)
}

fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
