//! The DMARC record (RFC 9989 §4.7, §4.8, §4.10) and the consent to its reports (RFC 9990 §4).

use super::{Finding, texts};
use crate::auth::dmarc::record::{Author, Record};
use crate::dns::policy::{cautions, report_authorizations, tags};
use crate::dns::resolver::{Dns, LookupError};
use crate::dns::wanted::Kind;
use crate::text::visible;

/// The tags of RFC 9989.
const KNOWN: [&str; 11] = ["v", "p", "sp", "np", "adkim", "aspf", "fo", "rua", "ruf", "t", "psd"];
/// Those of RFC 7489 that it removed.
const REMOVED: [&str; 3] = ["pct", "rf", "ri"];

pub(super) async fn lint(dns: &Dns, domain: &str) -> Result<Vec<Finding>, LookupError> {
    let name = format!("_dmarc.{domain}");
    let mut records = texts(dns, &name).await?;
    records.retain(|text| Kind::Dmarc.is_meant(text));
    let text = match &records[..] {
        [] => return Ok(vec![missing(dns, &name, domain).await?]),
        [text] => String::from_utf8_lossy(text).into_owned(),
        several => {
            let count = several.len();
            let text = format!("there are {count} DMARC records, so that none counts; leave one");
            return Ok(vec![Finding::fault(name, text)]);
        }
    };
    let mut findings: Vec<Finding> =
        of_record(&text).into_iter().map(|fault| Finding::fault(&name, fault)).collect();
    findings.extend(cautions(&text).into_iter().map(|caution| Finding::note(&name, caution)));
    for consent in report_authorizations(domain, &text) {
        let texts = texts(dns, &consent.name).await?;
        if !texts.iter().any(|text| Kind::Dmarc.is_meant(text)) {
            let text = "rua= names this other domain, and it does not consent: no report is sent; \
                        ask for a TXT record v=DMARC1 there";
            findings.push(Finding::fault(consent.name, text));
        }
    }
    Ok(findings)
}

/// A domain below another has its record (RFC 9989 §4.10).
async fn missing(dns: &Dns, name: &str, domain: &str) -> Result<Finding, LookupError> {
    let mut above = domain;
    for _ in 0..8 {
        let Some((_, parent)) = above.split_once('.').filter(|(_, rest)| rest.contains('.')) else {
            break;
        };
        above = parent;
        let texts = texts(dns, &format!("_dmarc.{above}")).await?;
        if texts.iter().any(|text| Kind::Dmarc.is_meant(text)) {
            return Ok(Finding::note(name, format!("no record; that of _dmarc.{above} counts")));
        }
    }
    let advice = "publish one, v=DMARC1; p=none with rua= to begin with";
    Ok(Finding::fault(name, format!("there is no DMARC record; {advice}")))
}

fn of_record(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(record) = Record::parse(text.as_bytes()) else {
        return vec!["it does not begin with v=DMARC1; and so counts for nothing".to_owned()];
    };
    if !tags(text).any(|(tag, _)| tag.eq_ignore_ascii_case("p")) {
        faults.push("there is no p=; it counts as p=none, or for nothing without rua=".to_owned());
    } else if record.policy(Author::Itself).is_none() {
        faults.push("its policy cannot be read, so that it counts for nothing".to_owned());
    }
    for (tag, value) in tags(text) {
        let name = tag.to_ascii_lowercase();
        let value = value.to_ascii_lowercase();
        let name = name.as_str();
        let is_valid = match name {
            "p" | "sp" | "np" => matches!(&*value, "none" | "quarantine" | "reject"),
            "adkim" | "aspf" => matches!(&*value, "r" | "s"),
            "t" => matches!(&*value, "y" | "n"),
            "psd" => matches!(&*value, "y" | "n" | "u"),
            "rua" => record.rua.len() == value.split(',').count(),
            _ => true,
        };
        if REMOVED.contains(&name) {
            faults.push(format!("{name}= is gone since RFC 9989; remove it"));
        } else if !KNOWN.contains(&name) {
            faults.push(format!("{}= is no tag of DMARC; remove it", visible(name)));
        } else if !is_valid {
            faults.push(format!("{name}={} is not valid", visible(&value)));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_records() {
        for (text, said) in [
            ("v=DMARC1; rua=mailto:a@example.org", vec!["there is no p="]),
            ("v=DMARC1; p=nine", vec!["counts for nothing", "p=nine is not valid"]),
            ("v=DMARC1; p=none; pct=50; rf=afrf; ri=1", vec!["pct=", "rf=", "ri="]),
            ("v=DMARC1; p=none; x-y=1; adkim=q", vec!["x-y= is no tag", "adkim=q"]),
            ("v=DMARC1; p=none; rua=a@example.org", vec!["rua="]),
            ("v=dmarc1; p=none", vec!["does not begin"]),
            ("v=DMARC1; P=None; np=reject; t=y; fo=1; ruf=mailto:a@b.c; psd=n", vec![]),
        ] {
            let faults = of_record(text);
            assert_eq!(faults.len(), said.len(), "{text}: {faults:?}");
            assert!(
                faults.iter().zip(said).all(|(fault, said)| fault.contains(said)),
                "{faults:?}"
            );
        }
    }
}
