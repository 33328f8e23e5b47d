//! `mailseal dns publish`: a dynamic update, and what the name servers then show.

use std::time::Duration;

use mailseal::dns::key_record::KeyRecord;
use mailseal::dns::update::Publisher;
use mailseal::dns::{TsigKey, Wanted};
use mailseal::runtime::system_clock;
use tokio::time::{Instant, sleep};

use super::args::Publish;
use super::verify::Report;
use super::wanted::{keys, policies};
use super::{authority, deadline};
use crate::cmd::parse_domain;
use crate::cmd::print::print;
use crate::cmd::{Outcome, UsageError, load};

/// How often the name servers are asked while they follow.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(args: &Publish) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let config = load(&args.config)?.config;
    let usage = |reason: &str| UsageError(reason.to_owned());
    let server = config.publish.server.ok_or_else(|| {
        usage(
            "publish.server is not set; set it to the zone's primary, or print the records with \
               mailseal dns records",
        )
    })?;
    let key_file = args.key_file.as_ref().or(config.publish.key_file.as_ref());
    let key = TsigKey::read(key_file.ok_or_else(|| usage("publish.key_file is not set"))?)?;
    let authority = authority(&config, args.port)?;
    let publisher = Publisher::new(server, &key, config.publish.ttl_secs, authority.clone());

    let keys = keys(&config, &args.policies, &domain)?;
    let mut wanted: Vec<Wanted> = keys.iter().map(KeyRecord::wanted).collect();
    let policies = policies(&config.publish, &args.policies, &domain)?;
    wanted.extend(policies.into_iter().map(|(wanted, _)| wanted));
    if wanted.is_empty() {
        let reason = format!("{domain}: nothing to publish; run: mailseal keys generate {domain}");
        return Err(UsageError(reason).into());
    }
    for published in publisher.publish(&wanted, system_clock(), deadline()).await? {
        print(&published.to_string())?;
    }

    let give_up = Instant::now() + Duration::from_secs(args.wait_secs);
    loop {
        let mut report = Report::new(config.rotation.overlap_secs);
        report.add(&authority, &wanted, false, deadline()).await;
        if report.is_right() || Instant::now() + INTERVAL > give_up {
            return report.end();
        }
        sleep(INTERVAL).await;
    }
}
