//! `mailseal dns lint`: what is wrong with the records that strangers see.

use anyhow::Context as _;
use mailseal::dns::lint::lint;
use mailseal::keys::state::KeyState;
use mailseal::keys::{Selector, Store, StoreError};

use super::args::Lint;
use super::{deadline, resolver};
use crate::cmd::parse_domain;
use crate::cmd::print::print;
use crate::cmd::{Outcome, UsageError, load};

pub(super) async fn run(args: &Lint) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let config = load(&args.config)?.config;
    let mut selectors = match Store::new(&config.sign.keys).state(&domain) {
        Ok(state) => state.keys,
        Err(StoreError::NoDomain { .. } | StoreError::NoStore(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    // What is not published yet, or no more, is no fault of the zone's.
    selectors.retain(|key| matches!(key.state, KeyState::Active | KeyState::Retiring));
    let mut selectors: Vec<Selector> = selectors.into_iter().map(|key| key.selector).collect();
    for text in &args.selector {
        let selector = Selector::parse(text);
        let selector = selector.map_err(|error| UsageError(format!("selector {error}")))?;
        if !selectors.contains(&selector) {
            selectors.push(selector);
        }
    }
    let dns = resolver(&config)?.until(deadline());
    let findings = lint(&dns, &domain, &selectors).await;
    let findings = findings.with_context(|| format!("{domain}: its records cannot be read"))?;
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    print(&lines.join("\n"))?;
    let is_faulty = findings.iter().any(|finding| finding.is_fault);
    Ok(if is_faulty { Outcome::FaultFound } else { Outcome::Done })
}
