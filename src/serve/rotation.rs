//! Takes every domain's keys as far as they can go, and watches their records, while serving.
//!
//! Failure: what cannot be asked or written now is tried again at the next look; mail is signed
//! with what there is.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep};

use crate::config::LostRecord;
use crate::dns::Authority;
use crate::keys::lifecycle::leaves_at;
use crate::keys::state::{Algorithm, DomainState, KeyState};
use crate::keys::{DomainName, Selector, Stamp, Store};
use crate::rotation::drift::{Drift, Policies, Watched};
use crate::rotation::look::Look;
use crate::rotation::{LOOK, Rotation, Step, StepError, blocking};
use crate::runtime::Runtime;

/// How often it is seen whether a look is due.
const TICK: Duration = Duration::from_secs(2);
/// So many domains are looked at at once.
const DOMAINS_AT_ONCE: usize = 8;
/// After so many domains it is seen again which come first.
const ROUND_DOMAINS_MAX: usize = 64;

/// What is known of a domain between looks.
#[derive(Default)]
struct Domain {
    next: Option<Instant>,
    /// The store as the last look left it: what somebody else changed is looked at at once.
    stamp: Stamp,
    watched: Watched,
    /// What kept the last look from its end; told when it changes.
    trouble: Option<String>,
}

/// What a look at a domain brought.
struct Looked {
    /// What it went by.
    runtime: Arc<Runtime>,
    domain: DomainName,
    step: Result<Step, StepError>,
    policies: Policies,
    state: DomainState,
    stamp: Stamp,
}

/// Rotates and watches for as long as it is polled. Where `is_reading` nothing is written.
pub(super) async fn run(runtime: Arc<ArcSwap<Runtime>>, is_reading: bool) {
    let mut known: HashMap<DomainName, Domain> = HashMap::new();
    let mut before = runtime.load_full();
    loop {
        let current = runtime.load_full();
        if says_otherwise(&before, &current) {
            for entry in known.values_mut() {
                entry.next = None;
            }
        }
        let due = due(&current, &mut known).await;
        let is_full = due.len() == ROUND_DOMAINS_MAX;
        before = current;
        // A round may take minutes: each look goes by what is in force when it begins.
        let looks = due
            .into_iter()
            .map(|(domain, stamp)| look(runtime.load_full(), is_reading, domain, stamp));
        let mut looks = pin!(stream::iter(looks).buffer_unordered(DOMAINS_AT_ONCE));
        while let Some(looked) = looks.next().await {
            let entry = known.entry(looked.domain.clone()).or_default();
            entry.stamp = looked.stamp;
            entry.next = Some(Instant::now() + pause(&looked));
            tell(&looked, entry);
        }
        if !is_full {
            sleep(TICK).await;
        }
    }
}

/// Whether a reload changed what looks go by. Another key ring has none of its keys suspended.
fn says_otherwise(before: &Runtime, after: &Runtime) -> bool {
    let (old, new) = (&before.config, &after.config);
    !Arc::ptr_eq(&before.keys, &after.keys)
        || old.rotation != new.rotation
        || old.publish != new.publish
        || old.watch != new.watch
        || old.dns != new.dns
}

/// What a look needs. Blocks on the disk: a store is found by what lies there.
fn rotation(runtime: &Runtime, is_reading: bool) -> Rotation {
    let store = Store::new(&runtime.config.sign.keys);
    let mut policy = runtime.config.rotation.clone();
    policy.primary &= !is_reading && !store.is_read_only();
    Rotation {
        store,
        policy,
        publish: runtime.config.publish.clone(),
        authority: Authority::new(runtime.resolver.clone()),
        via_resolver: runtime.config.watch.via_resolver,
    }
}

/// The domains to look at now, and their stamps: those whose keys somebody changed, those that are
/// new, and those whose time has come. What is gone is forgotten.
async fn due(
    runtime: &Runtime,
    known: &mut HashMap<DomainName, Domain>,
) -> Vec<(DomainName, Stamp)> {
    let root = runtime.config.sign.keys.clone();
    let stamps = move || {
        let store = Store::new(root);
        // The key ring tells what is wrong with the store.
        let (domains, _) = store.domains().ok()?;
        let stamped = |domain| (store.stamp(&domain), domain);
        Some(domains.into_iter().map(stamped).collect::<Vec<_>>())
    };
    let Ok(Some(stamps)) = tokio::task::spawn_blocking(stamps).await else { return Vec::new() };
    let present: HashSet<&DomainName> = stamps.iter().map(|(_, domain)| domain).collect();
    for (gone, _) in known.extract_if(|domain, _| !present.contains(domain)) {
        runtime.metrics.forget(&gone);
    }
    let now = Instant::now();
    let place = |(stamp, domain): (Stamp, DomainName)| {
        let entry = known.get(&domain);
        let is_changed = entry.is_some_and(|entry| entry.stamp != stamp);
        let next = entry.and_then(|entry| entry.next);
        let is_due = is_changed || next.is_none_or(|next| next <= now);
        is_due.then_some((!is_changed, next, domain, stamp))
    };
    let mut due: Vec<_> = stamps.into_iter().filter_map(place).collect();
    due.sort_by_key(|(is_as_left, next, ..)| (*is_as_left, *next));
    due.truncate(ROUND_DOMAINS_MAX);
    due.into_iter().map(|(_, _, domain, stamp)| (domain, stamp)).collect()
}

async fn look(runtime: Arc<Runtime>, is_reading: bool, domain: DomainName, found: Stamp) -> Looked {
    let by = Arc::clone(&runtime);
    let rotation = blocking(move || rotation(&by, is_reading)).await;
    let dns = runtime.resolver.until(Instant::now() + LOOK);
    let now = (runtime.clock)();
    let (step, policies) = tokio::join!(rotation.step(&domain, now), Policies::ask(&dns, &domain));
    let (store, name) = (rotation.store, domain.clone());
    let read = move || store.state(&name).unwrap_or_default();
    let state = blocking(read).await;
    let stamp = step.as_ref().ok().and_then(|step| left(step, &state)).unwrap_or(found);
    Looked { runtime, domain, step, policies, state, stamp }
}

/// The store as the step left it; none where the looks are not of the keys as they are now, so that
/// there is another look at once.
fn left(step: &Step, state: &DomainState) -> Option<Stamp> {
    let is_as_seen =
        |look: &Look| state.entry(&look.selector).is_some_and(|key| key.state == look.state);
    step.stamp.filter(|_| step.looks.iter().all(is_as_seen))
}

/// When the next look is due.
fn pause(looked: &Looked) -> Duration {
    let watch = &looked.runtime.config.watch;
    let is_pending = looked.state.keys.iter().any(|key| key.state == KeyState::Pending);
    let has_failed = looked.step.as_ref().map_or(true, |step| step.published.is_err());
    if is_pending || has_failed { watch.pending } else { watch.every }
}

fn tell(looked: &Looked, known: &mut Domain) {
    let Looked { runtime, domain, step, policies, state, .. } = looked;
    let trouble = match step {
        Ok(Step { published: Err(error), .. }) => Some(format!("nothing is published: {error}")),
        Ok(_) => None,
        // The line names the domain.
        Err(StepError::Dns { error, .. }) => {
            Some(format!("its name servers cannot be found: {error}"))
        }
        Err(error) => Some(error.to_string()),
    };
    count(runtime, domain, state);
    if let Some(trouble) = trouble.as_ref().filter(|_| trouble != known.trouble) {
        tracing::warn!("keys of {domain}: {trouble}");
    }
    known.trouble = trouble;
    let Ok(step) = step else { return };
    for event in &step.events {
        if event.is_warning() {
            tracing::warn!("keys of {domain}: {event}");
        } else {
            tracing::info!("keys of {domain}: {event}");
        }
    }
    for published in step.published.iter().flatten() {
        tracing::info!("keys of {domain}: {published}");
    }
    let drift = known.watched.compare(domain, &step.looks, policies.clone());
    for fault in &drift.news {
        tracing::warn!("records of {domain}: {fault}");
    }
    for fault in &drift.mended {
        tracing::info!("records of {domain}: mended: {fault}");
    }
    suspend(runtime, domain, &drift);
    runtime.metrics.set_record_faults(domain, drift.faults);
}

/// Where the operator wants that, a key whose record nobody shows does not sign.
fn suspend(runtime: &Runtime, domain: &DomainName, drift: &Drift) {
    let stops = runtime.config.watch.on_lost_record == LostRecord::Stop;
    let lost: &[Selector] = if stops { &drift.lost } else { &[] };
    if runtime.keys.suspend(domain, lost) {
        for selector in lost {
            tracing::warn!("keys of {domain}: {selector} stops signing until its record is back");
        }
    }
}

/// What the store says, whatever DNS does.
fn count(runtime: &Runtime, domain: &DomainName, state: &DomainState) {
    for algorithm in Algorithm::ALL {
        match state.active(algorithm) {
            Some(key) => {
                let due = leaves_at(key, &runtime.config.rotation);
                runtime.metrics.set_key(domain, algorithm, key.since, due);
            }
            None => runtime.metrics.forget_key(domain, algorithm),
        }
    }
}
