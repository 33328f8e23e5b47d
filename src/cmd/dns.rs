//! `mailseal dns`: the records of a domain.

use mailseal::dkim::record::dns_text;
use mailseal::dns::records::TxtRecord;
use mailseal::keys::domain::record_name;
use mailseal::keys::state::{KeyState, rfc3339};
use mailseal::keys::{DomainName, Key, Selector, Store, StoreError};

use super::keys::{open_store, parse_domain};
use super::print::{complain, print};
use super::{Outcome, UsageError};
use crate::cli::{ConfigArg, Dns};

pub(crate) fn run(command: &Dns) -> anyhow::Result<Outcome> {
    match command {
        Dns::Records { domain, config } => records(domain, config),
    }
}

fn records(domain: &str, config: &ConfigArg) -> anyhow::Result<Outcome> {
    let domain = parse_domain(domain)?;
    let store = open_store(config)?;
    let mut lines = key_lines(&store, &domain, |_| true)?;
    if lines.is_empty() {
        let reason = format!("{domain}: no key to publish; run: mailseal keys generate {domain}");
        return Err(UsageError(reason).into());
    }
    lines.push(
        "; DMARC, if the domain has no such record yet. It asks for reports alone; name a mailbox\n\
         ; that is read, and go on to p=quarantine when the reports show that all mail passes."
            .to_owned(),
    );
    lines.push(format!("; {}", TxtRecord::dmarc_to_begin_with(domain.as_str())));
    print(&lines.join("\n"))?;
    Ok(Outcome::Done)
}

/// The records of the published keys that are `wanted`, each below a comment on its state.
pub(super) fn key_lines(
    store: &Store,
    domain: &DomainName,
    wanted: impl Fn(&Selector) -> bool,
) -> Result<Vec<String>, StoreError> {
    let (keys, problems) = store.keys(domain)?;
    for problem in &problems {
        complain(&problem.to_string());
    }
    let published = keys.iter().filter(|key| key.state().is_published() && wanted(key.selector()));
    published.map(key_line).collect()
}

fn key_line(key: &Key) -> Result<String, StoreError> {
    let what = match key.state() {
        KeyState::Retiring => "no longer signs; keep it for the mail on its way",
        KeyState::Active => "signs",
        _ => "does not sign yet",
    };
    let (selector, state, since) = (key.selector(), key.state(), rfc3339(key.since()));
    let record = key_record(key)?;
    Ok(format!("; {selector} is {state} since {since}: {what}\n{record}"))
}

fn key_record(key: &Key) -> Result<TxtRecord, StoreError> {
    let public_key = key.signing_key()?.public_key();
    let name = record_name(key.selector(), key.domain())?;
    Ok(TxtRecord { name, text: dns_text(key.algorithm().into(), &public_key, false, false) })
}
