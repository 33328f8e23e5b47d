//! Domain names and selectors as a signature may give them (RFC 6376 §3.5 `d=`, `i=`, `s=`).

use crate::message::domain::{self, NAME_OCTETS_MAX};

/// A signing domain in ASCII lower case: two or more labels of letters, digits and hyphens.
/// U-labels, which internationalized header fields may hold (RFC 8616 §5), become A-labels.
pub fn domain(value: &[u8]) -> Option<String> {
    selector(value).filter(|name| name.contains('.') && !name.contains('_'))
}

/// A selector in ASCII lower case: labels as in a domain, one or more of them. Underscores, which
/// the grammar lacks, are in use, and harmless in a query.
pub fn selector(value: &[u8]) -> Option<String> {
    // RFC 6376 §3.5's names end in a label: no final dot.
    let text = std::str::from_utf8(value).ok().filter(|text| !text.ends_with('.'))?;
    domain::normalize(text)
}

/// Where the key of a signature is published (§3.6.2.1); `None` where that is no name of the DNS.
pub fn key_name(selector: &str, domain: &str) -> Option<String> {
    let name = format!("{selector}._domainkey.{domain}");
    (name.len() <= NAME_OCTETS_MAX).then_some(name)
}
