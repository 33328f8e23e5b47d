//! Records that nobody reads any more: ADSP (RFC 5617, Historic), the policy of `DomainKeys` (RFC 4870).

use super::{Finding, texts};
use crate::dns::resolver::{Dns, LookupError};

pub(super) async fn lint(dns: &Dns, domain: &str) -> Result<Vec<Finding>, LookupError> {
    let mut findings = Vec::new();
    let of_old = [
        (format!("_adsp._domainkey.{domain}"), "dkim=", "ADSP is Historic (RFC 5617); remove it"),
        (format!("_domainkey.{domain}"), "o=", "DomainKeys is Historic (RFC 4870); remove it"),
    ];
    for (name, tag, text) in of_old {
        let is_one = |text: &Vec<u8>| {
            text.split(|octet| *octet == b';')
                .any(|part| part.trim_ascii().starts_with(tag.as_bytes()))
        };
        if texts(dns, &name).await?.iter().any(is_one) {
            findings.push(Finding::fault(name, text));
        }
    }
    Ok(findings)
}
