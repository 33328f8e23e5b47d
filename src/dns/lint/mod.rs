//! A domain's mail records as a stranger finds them: what breaks mail, weakens it, or is of old.
//!
//! Failure: a look-up that fails without an answer ends the lint with its [`LookupError`]; what is
//! not known is not called sound.

mod adsp;
mod dkim;
mod dmarc;
mod networks;
mod spf;

use std::fmt;

use super::resolver::{Dns, LookupError};
use crate::keys::{DomainName, Selector};
use crate::text::visible;

/// Something about a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The name of the record.
    pub name: String,
    /// What was found, and the remedy: one sentence, safe to print.
    pub text: String,
    /// Whether it is to be mended; what is not is good to know.
    pub is_fault: bool,
}

impl Finding {
    fn fault(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), is_fault: true }
    }

    fn note(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), is_fault: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.is_fault { "" } else { "note: " };
        write!(f, "{}: {note}{}", visible(&self.name), self.text)
    }
}

/// Looks at the domain's SPF and DMARC records, the key records of these selectors, and at what
/// ADSP and `DomainKeys` left.
pub async fn lint(
    dns: &Dns,
    domain: &DomainName,
    selectors: &[Selector],
) -> Result<Vec<Finding>, LookupError> {
    let mut findings = spf::lint(dns, domain.as_str()).await?;
    findings.extend(dmarc::lint(dns, domain.as_str()).await?);
    for selector in selectors {
        findings.extend(dkim::lint(dns, domain, selector).await?);
    }
    findings.extend(adsp::lint(dns, domain.as_str()).await?);
    Ok(findings)
}

/// All TXT records of a name; none where it has none.
async fn texts(dns: &Dns, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
    match dns.txt(name).await {
        Err(error) if error.is_void() => Ok(Vec::new()),
        found => found,
    }
}
