//! `mailseal dns verify`: what the name servers show against what they should.

use anyhow::bail;
use futures_util::future::join_all;
use mailseal::dns::drift::{Expected, Standing};
use mailseal::dns::key_record::KeyRecord;
use mailseal::dns::{Authority, LookupError, Wanted};
use tokio::time::Instant;

use super::args::Verify;
use super::wanted::{consents, keys, policies};
use super::{authority, deadline};
use crate::cmd::parse_domain;
use crate::cmd::print::{complain, print};
use crate::cmd::{Outcome, UsageError, load};

pub(super) async fn run(args: &Verify) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let config = load(&args.config)?.config;
    let authority = authority(&config, args.port)?;
    let policies = policies(&config.publish, &args.policies, &domain)?;
    let keys = keys(&config, &args.policies, &domain)?;
    let mut wanted: Vec<Wanted> = keys.iter().map(KeyRecord::wanted).collect();
    wanted.extend(consents(&domain, &policies));
    wanted.extend(policies.into_iter().map(|(wanted, _)| wanted));
    if wanted.is_empty() {
        let reason = format!("{domain}: no key to verify; run: mailseal keys generate {domain}");
        return Err(UsageError(reason).into());
    }
    let mut report = Report::new(config.rotation.overlap_secs);
    if !args.via_resolver {
        report.add(&authority, &wanted, false, deadline()).await;
    }
    report.add(&authority, &wanted, true, deadline()).await;
    report.end()
}

/// What helps where a server of the zone does not answer.
const AUTHORITY: &str = "mend the server, or remove its NS record";
/// What helps where a resolver does not: no zone names it.
const RESOLVER: &str = "mend this resolver, or name another in dns.servers";

/// What was found of all names.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// A time to live above this outlasts the overlap in which the old key stays published.
    ttl_secs_max: Option<u32>,
    right: Vec<String>,
    faults: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    /// Of a store whose old keys stay published for so long.
    pub(super) fn new(overlap_secs: u64) -> Self {
        Self { ttl_secs_max: u32::try_from(overlap_secs).ok(), ..Self::default() }
    }

    /// Asks the authoritative servers, or the resolver's, for all names at once.
    pub(super) async fn add(
        &mut self,
        authority: &Authority,
        wanted: &[Wanted],
        via_resolver: bool,
        deadline: Instant,
    ) {
        let expected: Vec<Expected> =
            wanted.iter().filter_map(|wanted| wanted.expected(self.ttl_secs_max)).collect();
        let ask = |expected: &Expected| {
            let name = expected.name.clone();
            async move {
                if via_resolver {
                    authority.txt_via_resolver(&name, deadline).await
                } else {
                    authority.txt(&name, deadline).await
                }
            }
        };
        for (expected, observed) in expected.iter().zip(join_all(expected.iter().map(ask)).await) {
            match observed {
                Ok(observation) => {
                    let standing = expected.standing(&observation);
                    self.judge(
                        expected,
                        &standing,
                        if via_resolver { RESOLVER } else { AUTHORITY },
                    );
                }
                Err(error) => self.failures.push(no_servers(&expected.name, &error)),
            }
        }
    }

    /// `remedy` is that of a server that does not answer.
    fn judge(&mut self, expected: &Expected, standing: &Standing, remedy: &str) {
        let name = &expected.name;
        if standing.faults.is_empty() && !standing.right.is_empty() {
            self.right.push(format!("{name}: right on {}", standing.right.join(", ")));
        }
        self.faults.extend(standing.faults.iter().map(ToString::to_string));
        let is_failure = standing.right.is_empty() && standing.faults.is_empty();
        for (server, cause) in &standing.unreachable {
            let line = format!("{server}: {name}: {cause}; {remedy}");
            if is_failure { &mut self.failures } else { &mut self.faults }.push(line);
        }
        if is_failure && standing.unreachable.is_empty() {
            self.failures.push(format!("{name}: no name server answers for it"));
        }
    }

    pub(super) fn is_right(&self) -> bool {
        self.faults.is_empty() && self.failures.is_empty()
    }

    /// Prints all; a fault is an outcome, and where DNS failed alone an error.
    pub(super) fn end(self) -> anyhow::Result<Outcome> {
        print(&self.right.join("\n"))?;
        print(&self.faults.join("\n"))?;
        for failure in &self.failures {
            complain(failure);
        }
        match (self.faults.is_empty(), self.failures.len()) {
            (true, 0) => Ok(Outcome::Done),
            (false, _) => Ok(Outcome::FaultFound),
            (true, failures) => bail!("DNS failed, so that {failures} answers are missing"),
        }
    }
}

fn no_servers(name: &str, error: &LookupError) -> String {
    match error {
        LookupError::NotFound | LookupError::Empty => {
            format!("{name}: the resolver knows no zone that it lies in")
        }
        LookupError::Temporary(cause) => format!("{name}: its name servers are not found: {cause}"),
    }
}
