//! The policy records of a domain: DMARC and the authorization of its reports (RFC 9989 §4.7, RFC
//! 9990 §4), SPF (RFC 7208), TLS reporting (RFC 8460), MTA-STS (RFC 8461). Pure.
//!
//! What is built here or given by the operator is read by the parsers that judge mail, and what
//! they would leave out is refused.

use std::fmt::Write as _;

use super::wanted::{Kind, Wanted};
use crate::auth::dmarc::Policy;
use crate::auth::dmarc::record::{Author, Record};
use crate::auth::spf;
use crate::config::error::quoted;
use crate::message::domain::normalize;

/// A DMARC record in parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dmarc {
    /// `p`.
    pub policy: Policy,
    /// `sp`, of subdomains.
    pub subdomains: Option<Policy>,
    /// `np`, of names that do not exist.
    pub nonexistent: Option<Policy>,
    /// `rua`: addresses, with or without `mailto:`.
    pub report_to: Vec<String>,
    /// `adkim=s`.
    pub is_dkim_strict: bool,
    /// `aspf=s`.
    pub is_spf_strict: bool,
    /// `t=y`: receivers are to go one step easier.
    pub is_testing: bool,
}

impl Dmarc {
    /// The record's text; the error says what cannot be in it.
    pub fn text(&self) -> Result<String, String> {
        let mut text = format!("v=DMARC1; p={}", self.policy.as_str());
        for (tag, policy) in [("sp", self.subdomains), ("np", self.nonexistent)] {
            if let Some(policy) = policy {
                let _ = write!(text, "; {tag}={}", policy.as_str());
            }
        }
        for (tag, is_set) in [
            ("adkim=s", self.is_dkim_strict),
            ("aspf=s", self.is_spf_strict),
            ("t=y", self.is_testing),
        ] {
            if is_set {
                let _ = write!(text, "; {tag}");
            }
        }
        if !self.report_to.is_empty() {
            let uris: Result<Vec<String>, String> =
                self.report_to.iter().map(|address| mailto(address)).collect();
            let _ = write!(text, "; rua={}", uris?.join(","));
        }
        check(Kind::Dmarc, &text)?;
        Ok(text)
    }
}

/// Whether a record says what its author means; the error says where not.
pub fn check(kind: Kind, text: &str) -> Result<(), String> {
    if !text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Err(format!("{} is not printable ASCII", quoted(text)));
    }
    match kind {
        Kind::Key => Ok(()),
        Kind::Dmarc => check_dmarc(text),
        Kind::Spf => match spf::record::select(&[text.as_bytes().to_vec()]) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(format!("{} is no SPF record: it begins with v=spf1", quoted(text))),
            Err(reason) => Err(format!("{}: {reason}", quoted(text))),
        },
        // RFC 8460 §3, RFC 8461 §3.1: what follows the version.
        Kind::TlsRpt => check_tags(kind, text, "rua"),
        Kind::MtaSts => check_tags(kind, text, "id"),
    }
}

fn check_dmarc(text: &str) -> Result<(), String> {
    let record = Record::parse(text.as_bytes())
        .ok_or_else(|| format!("{} is no DMARC record: it begins with v=DMARC1;", quoted(text)))?;
    for (tag, value) in tags(text) {
        let is_policy = matches!(value, "none" | "quarantine" | "reject");
        match tag {
            "p" | "sp" | "np" if !is_policy => {
                return Err(format!("{tag}={value}: one of none, quarantine, reject is wanted"));
            }
            "rua" if record.rua.len() != value.split(',').count() => {
                return Err(format!("{}: a part of it is no URI", quoted(value)));
            }
            "pct" | "rf" | "ri" => return Err(format!("{tag}= is gone since RFC 9989")),
            _ => {}
        }
    }
    let policy = record.policy(Author::Itself).filter(|_| tags(text).any(|(tag, _)| tag == "p"));
    policy.map(drop).ok_or_else(|| format!("{} has no p=", quoted(text)))
}

fn check_tags(kind: Kind, text: &str, wanted: &str) -> Result<(), String> {
    let has_version = tags(text).next() == kind.version().split_once('=');
    let value = tags(text).find(|(tag, _)| *tag == wanted).map(|(_, value)| value);
    if has_version && value.is_some_and(|value| !value.is_empty()) {
        return Ok(());
    }
    let version = kind.version();
    Err(format!("{} is not {version}; {wanted}=...", quoted(text)))
}

/// The tags of a record that is read leniently.
pub(super) fn tags(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let tags = text.split(';').filter_map(|tag| tag.split_once('='));
    tags.map(|(name, value)| (name.trim(), value.trim()))
}

/// An address as a URI of `rua` (RFC 9989 §4.7: `,`, `!` and `;` are percent-encoded).
fn mailto(address: &str) -> Result<String, String> {
    let bare = address.strip_prefix("mailto:").unwrap_or(address);
    let fault = || format!("{} is no address for reports", quoted(address));
    let (local, domain) = bare.rsplit_once('@').ok_or_else(fault)?;
    let domain = normalize(domain).ok_or_else(fault)?;
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"\"<>\\@".contains(&octet);
    if local.is_empty() || !local.bytes().all(is_plain) {
        return Err(fault());
    }
    let local = local.replace(',', "%2C").replace('!', "%21").replace(';', "%3B");
    Ok(format!("mailto:{local}@{domain}"))
}

/// What to mind before a DMARC record is published.
pub fn cautions(text: &str) -> Vec<&'static str> {
    let mut cautions = Vec::new();
    let rejects = tags(text).any(|(tag, value)| matches!(tag, "p" | "sp") && value == "reject");
    if rejects {
        cautions.push(
            "p=reject breaks mail through lists and forwarders: a domain whose users write to \
             lists should not have it, and none may that relies on SPF alone (RFC 9989 §7.4)",
        );
    }
    if !tags(text).any(|(tag, _)| tag == "rua") {
        cautions.push("without rua= nobody tells you whose mail fails");
    }
    cautions
}

/// The records by which others consent to reports on the domain (RFC 9990 §4): one for each domain
/// of `rua` that is neither above nor below it. They belong to the others' zones.
pub fn report_authorizations(domain: &str, dmarc: &str) -> Vec<Wanted> {
    let uris = tags(dmarc).filter(|(tag, _)| *tag == "rua").flat_map(|(_, uris)| uris.split(','));
    let mut hosts: Vec<String> = uris.filter_map(report_host).collect();
    hosts.sort();
    hosts.dedup();
    hosts.retain(|host| !is_within(host, domain) && !is_within(domain, host));
    let wanted = |host: String| Wanted {
        name: format!("{domain}._report._dmarc.{host}"),
        kind: Kind::Dmarc,
        text: Some("v=DMARC1".to_owned()),
    };
    hosts.into_iter().map(wanted).collect()
}

fn report_host(uri: &str) -> Option<String> {
    let (_, host) = uri.trim().strip_prefix("mailto:")?.rsplit_once('@')?;
    normalize(host.split(['!', '?']).next()?)
}

fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dmarc() -> Dmarc {
        Dmarc {
            policy: Policy::Quarantine,
            subdomains: None,
            nonexistent: None,
            report_to: Vec::new(),
            is_dkim_strict: false,
            is_spf_strict: false,
            is_testing: false,
        }
    }

    #[test]
    fn records_are_built_of_parts() {
        assert_eq!(dmarc().text().unwrap(), "v=DMARC1; p=quarantine");
        let full = Dmarc {
            subdomains: Some(Policy::None),
            nonexistent: Some(Policy::Reject),
            report_to: vec!["a,b@Example.ORG".into(), "mailto:c@bücher.example".into()],
            is_dkim_strict: true,
            is_spf_strict: true,
            is_testing: true,
            ..dmarc()
        };
        assert_eq!(
            full.text().unwrap(),
            "v=DMARC1; p=quarantine; sp=none; np=reject; adkim=s; aspf=s; t=y; \
             rua=mailto:a%2Cb@example.org,mailto:c@xn--bcher-kva.example"
        );
        for address in ["a", "@example.org", "a b@example.org", "a@", "a@b c", "a\"@example.org"] {
            let report_to = vec![address.to_owned()];
            assert!(Dmarc { report_to, ..dmarc() }.text().is_err(), "{address}");
        }
    }

    #[test]
    fn what_parsers_would_leave_out_is_refused() {
        for (kind, text) in [
            (Kind::Dmarc, "v=DMARC1; p=quarantine; rua=mailto:a@example.org"),
            (Kind::Spf, "v=spf1 mx -all"),
            (Kind::TlsRpt, "v=TLSRPTv1; rua=mailto:a@example.org"),
            (Kind::MtaSts, "v=STSv1; id=20261121"),
        ] {
            assert_eq!(check(kind, text), Ok(()), "{text}");
        }
        for (kind, text) in [
            (Kind::Dmarc, "p=none"),
            (Kind::Dmarc, "v=DMARC1; p=nine"),
            (Kind::Dmarc, "v=DMARC1; p=none; sp=x"),
            (Kind::Dmarc, "v=DMARC1; rua=mailto:a@example.org"),
            (Kind::Dmarc, "v=DMARC1; p=none; rua=a@example.org"),
            (Kind::Dmarc, "v=DMARC1; p=none; pct=50"),
            (Kind::Dmarc, "v=DMARC1; p=none\n"),
            (Kind::Spf, "v=spf1 mx -al"),
            (Kind::Spf, "mx -all"),
            (Kind::TlsRpt, "v=TLSRPTv1"),
            (Kind::MtaSts, "v=STSv2; id=1"),
        ] {
            assert!(check(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn others_consent_to_reports() {
        let dmarc = "v=DMARC1; p=none; rua=mailto:a@example.org,mailto:b@mail.example.org!10m,\
                     mailto:c@third.example,mailto:d@third.example,https://x.example";
        let names: Vec<String> = report_authorizations("example.org", dmarc)
            .into_iter()
            .map(|record| record.name)
            .collect();
        assert_eq!(names, ["example.org._report._dmarc.third.example"]);
        assert!(report_authorizations("a.example.org", "rua=mailto:a@example.org").is_empty());
        assert_eq!(report_authorizations("aexample.org", "rua=mailto:a@example.org").len(), 1);
    }

    #[test]
    fn cautions_are_for_those_who_need_them() {
        assert_eq!(cautions("v=DMARC1; p=reject").len(), 2);
        assert!(cautions("v=DMARC1; p=quarantine; np=reject; rua=mailto:a@b.c").is_empty());
    }
}
