//! What a domain's names are to show: the records of its keys, and the policies of the command line
//! and of `[publish]`.

use mailseal::auth::dmarc::Policy;
use mailseal::config::{self, Config};
use mailseal::dns::key_record::KeyRecord;
use mailseal::dns::policy::{Dmarc, check, report_authorizations};
use mailseal::dns::records::Record;
use mailseal::dns::{Kind, Wanted};
use mailseal::keys::{DomainName, Store, StoreError};

use super::args::{DmarcPolicy, Policies};
use crate::cmd::UsageError;
use crate::cmd::print::complain;

/// The keys' records; those left out are complained of. A domain without keys has none.
pub(super) fn keys(
    config: &Config,
    policies: &Policies,
    domain: &DomainName,
) -> Result<Vec<KeyRecord>, StoreError> {
    let strict = policies.strict || config.publish.dkim_strict;
    match KeyRecord::of_domain(&Store::new(&config.sign.keys), domain, strict) {
        Ok((keys, problems)) => {
            for problem in &problems {
                complain(&problem.to_string());
            }
            Ok(keys)
        }
        Err(StoreError::NoDomain { .. } | StoreError::NoStore(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The policy records, each with what it is for.
pub(super) fn policies(
    publish: &config::Publish,
    flags: &Policies,
    domain: &DomainName,
) -> Result<Vec<(Wanted, &'static str)>, UsageError> {
    let mut wanted = Vec::new();
    let mut add = |kind, name: String, text: Option<String>, note| {
        if let Some(text) = text {
            check(kind, &text).map_err(UsageError)?;
            wanted.push((Wanted { name, kind, text: Some(text) }, note));
        }
        Ok(())
    };
    let dmarc = dmarc(flags)?.or_else(|| publish.dmarc_record.clone());
    add(Kind::Dmarc, format!("_dmarc.{domain}"), dmarc, "DMARC")?;
    let spf = flags.spf.clone().or_else(|| publish.spf_record.clone());
    add(Kind::Spf, domain.to_string(), spf, "SPF")?;
    let tls_rpt = tls_rpt(&flags.tls_rua).or_else(|| publish.tls_rpt_record.clone());
    add(Kind::TlsRpt, format!("_smtp._tls.{domain}"), tls_rpt, "reports on TLS")?;
    let id = flags.mta_sts_id.as_deref();
    if id.is_some_and(|id| !(1..=32).contains(&id.len()) || !id.bytes().all(is_alphanumeric)) {
        let reason = "--mta-sts-id: 1 to 32 letters and digits are wanted (RFC 8461 §3.1)";
        return Err(UsageError(reason.to_owned()));
    }
    let mta_sts = id.map(|id| format!("v=STSv1; id={id}"));
    add(Kind::MtaSts, format!("_mta-sts.{domain}"), mta_sts, "MTA-STS")?;
    Ok(wanted)
}

fn is_alphanumeric(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
}

/// By which the domains that get the DMARC reports consent to them.
pub(super) fn consents(domain: &DomainName, policies: &[(Wanted, &'static str)]) -> Vec<Wanted> {
    let dmarc = policies.iter().filter(|(wanted, _)| wanted.kind == Kind::Dmarc);
    let text = dmarc.filter_map(|(wanted, _)| wanted.text.as_deref());
    text.flat_map(|text| report_authorizations(domain.as_str(), text)).collect()
}

/// A record of what is wanted; none where nothing is to be there.
pub(super) fn record(wanted: &Wanted, note: impl Into<String>) -> Option<Record> {
    Some(Record::txt(&wanted.name, wanted.text.clone()?, note))
}

fn dmarc(flags: &Policies) -> Result<Option<String>, UsageError> {
    let Some(policy) = flags.dmarc_policy else { return Ok(None) };
    let dmarc = Dmarc {
        policy: policy.into(),
        subdomains: flags.sp.map(Into::into),
        nonexistent: flags.np.map(Into::into),
        report_to: flags.rua.clone(),
        is_dkim_strict: flags.adkim_strict,
        is_spf_strict: flags.aspf_strict,
        is_testing: flags.testing,
    };
    dmarc.text().map(Some).map_err(UsageError)
}

fn tls_rpt(addresses: &[String]) -> Option<String> {
    let uri = |address: &String| match address.split_once(':') {
        Some(("mailto" | "https", _)) => address.clone(),
        _ => format!("mailto:{address}"),
    };
    let uris: Vec<String> = addresses.iter().map(uri).collect();
    (!uris.is_empty()).then(|| format!("v=TLSRPTv1; rua={}", uris.join(",")))
}

impl From<DmarcPolicy> for Policy {
    fn from(policy: DmarcPolicy) -> Self {
        match policy {
            DmarcPolicy::None => Self::None,
            DmarcPolicy::Quarantine => Self::Quarantine,
            DmarcPolicy::Reject => Self::Reject,
        }
    }
}
