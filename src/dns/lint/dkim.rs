//! Key records (RFC 6376 §3.6.1, RFC 8301 §3).

use super::{Finding, texts};
use crate::dkim::record::{KeyRecord, PublicKey};
use crate::dkim::tags::TagList;
use crate::dns::resolver::{Dns, LookupError};
use crate::keys::domain::record_name;
use crate::keys::{DomainName, Selector};
use crate::text::visible;

/// "Signers SHOULD use RSA keys of at least 2048 bits" (RFC 8301 §3.2).
const RSA_BITS_ADVISED: u32 = 2048;

pub(super) async fn lint(
    dns: &Dns,
    domain: &DomainName,
    selector: &Selector,
) -> Result<Vec<Finding>, LookupError> {
    let Ok(name) = record_name(selector, domain) else { return Ok(Vec::new()) };
    let texts = texts(dns, &name).await?;
    let mut findings = Vec::new();
    match texts.len() {
        0 => findings.push(Finding::fault(&name, "there is no key record; publish it")),
        1 => {}
        count => {
            let text = format!("there are {count} records; verifiers may take any: leave one");
            findings.push(Finding::fault(&name, text));
        }
    }
    findings.extend(texts.iter().flat_map(|text| of_record(&name, text)));
    Ok(findings)
}

fn of_record(name: &str, text: &[u8]) -> Vec<Finding> {
    let fault = |text: String| Finding::fault(name, text);
    let mut findings = Vec::new();
    if let Ok(tags) = TagList::parse(text) {
        if tags.get("g").is_some() {
            findings.push(fault("g= is gone since RFC 6376; remove it".to_owned()));
        }
        for tag in tags.iter().filter(|tag| !KNOWN.contains(&tag.name)) {
            let name = visible(tag.name);
            findings.push(fault(format!("{name}= is no tag of a key record; remove it")));
        }
    }
    match KeyRecord::parse(text) {
        Err(error) => findings.push(fault(format!("{error}; publish it anew"))),
        Ok(record) => {
            let of_key = of_key(&record).into_iter();
            let finding = |(is_fault, text)| Finding { name: name.to_owned(), text, is_fault };
            findings.extend(of_key.map(finding));
        }
    }
    findings
}

const KNOWN: [&str; 8] = ["v", "g", "h", "k", "n", "p", "s", "t"];

fn of_key(record: &KeyRecord) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    if record.key == PublicKey::Revoked {
        found.push((false, "the key is revoked".to_owned()));
        return found;
    }
    let bits = record.key.bits();
    if matches!(record.key, PublicKey::Rsa { .. }) && bits < RSA_BITS_ADVISED {
        let advice = format!("use {RSA_BITS_ADVISED} or more (RFC 8301)");
        found.push((true, format!("the RSA key has {bits} bits; {advice}")));
    }
    if !record.accepts_sha256 {
        let text = "h= leaves SHA-1 alone, which nobody may verify any more (RFC 8301); remove h=";
        found.push((true, text.to_owned()));
    }
    if record.testing {
        let text =
            "t=y says that the domain is testing, and its mail counts as unsigned; remove it";
        found.push((true, text.to_owned()));
    }
    found
}
