//! `mailseal keys status`.

use futures_util::stream::{self, StreamExt as _};
use mailseal::rotation::Rotation;
use mailseal::rotation::status::DomainStatus;
use mailseal::runtime::system_clock;
use serde::Serialize;

use super::{listed, rotation};
use crate::cli::{ConfigArg, Status};
use crate::cmd::parse_domain;
use crate::cmd::print::{complain, print};
use crate::cmd::{Outcome, load};

/// So many domains are asked about at once.
const DOMAINS_AT_ONCE: usize = 16;

#[derive(Serialize)]
struct Report {
    /// Whether this machine changes the store.
    primary: bool,
    domains: Vec<DomainStatus>,
    problems: Vec<String>,
}

pub(super) async fn status(args: &Status) -> anyhow::Result<Outcome> {
    let rotation = rotation(load(&args.config)?.config, args.via_resolver)?;
    let report = report(&rotation, args.domain.as_deref(), !args.offline).await?;
    if args.json {
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&text(&report))?;
        for problem in &report.problems {
            complain(problem);
        }
    }
    let is_well =
        report.problems.is_empty() && !report.domains.iter().any(DomainStatus::wants_attention);
    Ok(if is_well { Outcome::Done } else { Outcome::FaultFound })
}

/// `keys list --json`: the same object, of what is written down; only faults of the store are any.
pub(super) async fn list(config: &ConfigArg) -> anyhow::Result<Outcome> {
    let rotation = rotation(load(config)?.config, false)?;
    let report = report(&rotation, None, false).await?;
    print(&serde_json::to_string_pretty(&report)?)?;
    let of_domains = report.domains.iter().map(|domain| domain.problems.len());
    listed(report.problems.len() + of_domains.sum::<usize>())
}

async fn report(
    rotation: &Rotation,
    domain: Option<&str>,
    is_online: bool,
) -> anyhow::Result<Report> {
    let (domains, problems) = match domain {
        Some(domain) => (vec![parse_domain(domain)?], Vec::new()),
        None => rotation.store.domains()?,
    };
    let now = system_clock();
    let asked = domains.iter().map(|domain| rotation.status(domain, is_online, now));
    Ok(Report {
        primary: rotation.policy.primary,
        domains: stream::iter(asked).buffered(DOMAINS_AT_ONCE).collect().await,
        problems: problems.iter().map(ToString::to_string).collect(),
    })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    if !report.primary {
        text.push_str("this machine reads its keys only (rotation.primary = false)\n");
    }
    if report.domains.is_empty() {
        text.push_str("no keys; mailseal keys generate DOMAIN makes one\n");
    }
    report.domains.iter().fold(text, |text, domain| text + &domain.to_string())
}
