//! `mailseal dns records`: prints what to publish.

use mailseal::config::Config;
use mailseal::dns::Kind;
use mailseal::dns::key_record::KeyRecord;
use mailseal::dns::policy::cautions;
use mailseal::dns::records::{Data, Format, Record, format};
use mailseal::keys::{DomainName, Selector, Store, StoreError};

use super::args::{self, Records};
use super::wanted::{consents, keys, policies, record};
use crate::cmd::parse_domain;
use crate::cmd::print::{complain, print};
use crate::cmd::{Outcome, UsageError, load};

pub(super) fn run(args: &Records) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let zone = args.delegate_to.as_deref().map(parse_domain).transpose()?;
    let config = load(&args.config)?.config;
    let mut records = records(&config, args, &domain)?;
    if records.is_empty() {
        let reason = format!("{domain}: no key to publish; run: mailseal keys generate {domain}");
        return Err(UsageError(reason).into());
    }
    if let Some(zone) = zone {
        records = delegated(records, &domain, &zone);
    }
    let mut text = format(&records, args.format.into(), config.publish.ttl_secs);
    let has_dmarc = records.iter().any(|record| record.name == format!("_dmarc.{domain}"));
    if args.format == args::Format::Zone && !has_dmarc {
        let record = Record::dmarc_to_begin_with(domain.as_str());
        text = format!("{text}\n{DMARC_ADVICE}\n; {record}");
    }
    print(&text)?;
    Ok(Outcome::Done)
}

const DMARC_ADVICE: &str = "\
; DMARC, if the domain has no such record yet. It asks for reports alone; name a mailbox
; that is read, and go on to p=quarantine when the reports show that all mail passes.";

fn records(config: &Config, args: &Records, domain: &DomainName) -> anyhow::Result<Vec<Record>> {
    let keys = keys(config, &args.policies, domain)?;
    let policies = policies(&config.publish, &args.policies, domain)?;
    for (wanted, _) in policies.iter().filter(|(wanted, _)| wanted.kind == Kind::Dmarc) {
        for caution in wanted.text.iter().flat_map(|text| cautions(text)) {
            complain(&format!("caution: {}: {caution}", wanted.name));
        }
    }
    let mut records: Vec<Record> = keys.iter().filter_map(KeyRecord::record).collect();
    records.extend(policies.iter().filter_map(|(wanted, note)| record(wanted, *note)));
    let consents = consents(domain, &policies);
    let note = "consent to the DMARC reports, for the zone of those who get them";
    records.extend(consents.iter().filter_map(|wanted| record(wanted, note)));
    Ok(records)
}

/// The records of names with an underscore below another zone, and the aliases that lead there.
fn delegated(records: Vec<Record>, domain: &DomainName, zone: &DomainName) -> Vec<Record> {
    let mut delegated = Vec::new();
    for record in records {
        let is_ours = record.name.ends_with(&format!(".{domain}"));
        if !is_ours || !record.name.starts_with('_') && !record.name.contains("._domainkey.") {
            delegated.push(record);
            continue;
        }
        let target = format!("{}.{zone}", record.name);
        let note = format!("for the zone of {domain}, once: it leads to that of {zone}");
        delegated.push(Record { name: record.name, data: Data::Cname(target.clone()), note });
        let note = format!("for the zone of {zone}: {}", record.note);
        delegated.push(Record { name: target, data: record.data, note });
    }
    delegated
}

impl From<args::Format> for Format {
    fn from(format: args::Format) -> Self {
        match format {
            args::Format::Zone => Self::Zone,
            args::Format::Nsupdate => Self::Nsupdate,
            args::Format::Json => Self::Json,
            args::Format::Plain => Self::Plain,
        }
    }
}

/// The records of the published keys that are `wanted`, each below a comment on its state.
pub(in crate::cmd) fn key_lines(
    store: &Store,
    domain: &DomainName,
    is_strict: bool,
    wanted: impl Fn(&Selector) -> bool,
) -> Result<Vec<String>, StoreError> {
    let (keys, problems) = KeyRecord::of_domain(store, domain, is_strict)?;
    for problem in &problems {
        complain(&problem.to_string());
    }
    let keys = keys.iter().filter(|key| wanted(&key.selector));
    let records = keys.filter_map(KeyRecord::record);
    Ok(records.map(|record| format!("; {}\n{record}", record.note)).collect())
}
