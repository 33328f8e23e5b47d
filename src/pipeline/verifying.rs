//! What verifying a message starts, and what it gives.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Plan, Subject};
use crate::auth::lookups::Lookups;
use crate::auth::{Authentication, arc};
use crate::dkim::digest::{BodyHashes, BodyWant};
use crate::dkim::verify::{self, Check};
use crate::dns::Late;
use crate::message::envelope::Client;
use crate::message::limit::Limit;
use crate::message::origin::Origin;
use crate::message::received::{self, ReceivedFrom};
use crate::scan::Scanned;

impl Subject {
    /// Starts what the envelope has not started yet, and what the header tells to look up.
    pub(super) fn start_verifying(&mut self, mut lookups: Lookups) -> (Lookups, Vec<BodyWant>) {
        if self.origin == Origin::Relay {
            // What was asked of the relay itself says nothing of the message.
            lookups = lookups.afresh();
            self.look_behind_relay();
            lookups.start_iprev(&self.runtime, &self.envelope.client);
        }
        if !lookups.has_spf() {
            lookups.start_spf(&self.runtime, &self.envelope);
        }
        let signatures = verify::begin(&self.headers, self.now);
        if signatures.left_out > 0 {
            self.reasons.push(format!("{} more signatures were not verified", signatures.left_out));
        }
        let dkim_wants = signatures.checks.iter().filter_map(|check| match check {
            Check::Pending(pending) => Some(pending.body_want()),
            Check::Done(_) => None,
        });
        let mut wants: Vec<BodyWant> = dkim_wants.collect();
        let chain = arc::begin(&self.headers, self.now);
        if let arc::Check::Pending(pending) = &chain {
            wants.extend(pending.body_wants());
        }
        lookups.start_dmarc(&self.runtime, &self.author, &signatures.checks);
        lookups.start_dkim(&self.runtime, &self.headers, signatures);
        lookups.start_arc(&self.runtime, &self.headers, chain, self.envelope.client.addr);
        (lookups, wants)
    }

    /// Puts the client that a trusted relay names in the place of the relay.
    fn look_behind_relay(&mut self) {
        let relays = &self.runtime.config.identity.trusted_relays;
        let envelope = Arc::make_mut(&mut self.envelope);
        if let Some(ReceivedFrom { addr, helo }) = received::client(&self.headers, relays) {
            envelope.client = Client { addr: Some(addr), name: None };
            envelope.helo = Some(helo);
        } else {
            // SPF of the relay's own address would fail, and say nothing.
            envelope.client.addr = None;
            self.reasons.push("SPF not checked: the relay names no client".to_owned());
        }
    }

    /// The limits of time by which look-ups and the scan were cut short.
    pub(super) fn late(&self, (own, client): (Late, Late), scan: Option<&Scanned>) -> Vec<Limit> {
        let is_scan = scan.is_some_and(|scan| scan.is_late);
        let is_over = Instant::now() >= self.deadline;
        let reached = [
            (Limit::DnsTime, own.is_look_up() || client.is_look_up()),
            (Limit::ScanTime, is_scan && !is_over),
            (Limit::MessageTime, own.is_message() || client.is_message() || is_scan && is_over),
        ];
        reached.into_iter().filter_map(|(limit, is_reached)| is_reached.then_some(limit)).collect()
    }

    pub(super) async fn authenticate(
        &self,
        plan: &Plan,
        lookups: Lookups,
        hashes: &BodyHashes,
    ) -> Authentication {
        match plan {
            Plan::Verify => {
                lookups.settle(&self.runtime.resolver.until(self.deadline), hashes).await
            }
            Plan::Sign(_) | Plan::Pass => Authentication::default(),
        }
    }
}
