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
use crate::rotation::{LOOK, Rotation, Step, StepError};
use crate::runtime::Runtime;

/// How often it is seen whether a look is due.
const TICK: Duration = Duration::from_secs(2);
/// So many domains are looked at at once.
const DOMAINS_AT_ONCE: usize = 8;

/// What is known of a domain between looks.
#[derive(Default)]
struct Domain {
    next: Option<Instant>,
    /// The store as the last look left it: what somebody else changed is looked at at once.
    stamp: Stamp,
    watched: Watched,
}

/// What a look at a domain brought.
struct Looked {
    domain: DomainName,
    step: Result<Step, StepError>,
    policies: Policies,
    state: DomainState,
    stamp: Stamp,
}

/// Rotates and watches for as long as it is polled. Where `is_reading` nothing is written.
pub(super) async fn run(runtime: Arc<ArcSwap<Runtime>>, is_reading: bool) {
    let mut known: HashMap<DomainName, Domain> = HashMap::new();
    loop {
        let runtime = runtime.load_full();
        let rotation = rotation(&runtime, is_reading);
        let looks = due(&runtime, &rotation.store, &mut known).await.into_iter();
        let looks = looks.map(|domain| look(&runtime, &rotation, domain));
        let mut looks = pin!(stream::iter(looks).buffer_unordered(DOMAINS_AT_ONCE));
        while let Some(looked) = looks.next().await {
            let entry = known.entry(looked.domain.clone()).or_default();
            entry.stamp = looked.stamp;
            entry.next = Some(Instant::now() + pause(&runtime, &looked));
            tell(&runtime, &looked, &mut entry.watched);
        }
        sleep(TICK).await;
    }
}

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

/// The domains to look at now: those whose time has come, those whose keys somebody changed, and
/// those that are new. What is gone is forgotten.
async fn due(
    runtime: &Runtime,
    store: &Store,
    known: &mut HashMap<DomainName, Domain>,
) -> Vec<DomainName> {
    let store = store.clone();
    let stamps = move || {
        // The key ring tells what is wrong with the store.
        let domains = store.domains().map(|(domains, _)| domains).unwrap_or_default();
        let stamped = |domain| (store.stamp(&domain), domain);
        domains.into_iter().map(stamped).collect::<Vec<_>>()
    };
    let Ok(stamps) = tokio::task::spawn_blocking(stamps).await else { return Vec::new() };
    let present: HashSet<&DomainName> = stamps.iter().map(|(_, domain)| domain).collect();
    for (gone, _) in known.extract_if(|domain, _| !present.contains(domain)) {
        runtime.metrics.forget(&gone);
    }
    let now = Instant::now();
    let is_due = |(stamp, domain): &(Stamp, DomainName)| {
        known
            .get(domain)
            .is_none_or(|entry| entry.stamp != *stamp || entry.next.is_none_or(|next| next <= now))
    };
    stamps.into_iter().filter(is_due).map(|(_, domain)| domain).collect()
}

async fn look(runtime: &Runtime, rotation: &Rotation, domain: DomainName) -> Looked {
    let dns = runtime.resolver.until(Instant::now() + LOOK);
    let now = (runtime.clock)();
    let (step, policies) = tokio::join!(rotation.step(&domain, now), Policies::ask(&dns, &domain));
    let (store, name) = (rotation.store.clone(), domain.clone());
    let read = move || (store.stamp(&name), store.state(&name).unwrap_or_default());
    let (stamp, state) = tokio::task::spawn_blocking(read).await.unwrap_or_default();
    Looked { domain, step, policies, state, stamp }
}

/// When the next look is due.
fn pause(runtime: &Runtime, looked: &Looked) -> Duration {
    let watch = &runtime.config.watch;
    let is_pending = looked.state.keys.iter().any(|key| key.state == KeyState::Pending);
    if is_pending || looked.step.is_err() { watch.pending } else { watch.every }
}

fn tell(runtime: &Runtime, looked: &Looked, watched: &mut Watched) {
    let Looked { domain, step, policies, state, .. } = looked;
    let step = match step {
        Ok(step) => step,
        Err(error) => return tracing::warn!("keys: {error}"),
    };
    for event in &step.events {
        if event.is_warning() {
            tracing::warn!("keys of {domain}: {event}");
        } else {
            tracing::info!("keys of {domain}: {event}");
        }
    }
    match &step.published {
        Ok(published) => {
            for published in published {
                tracing::info!("keys of {domain}: {published}");
            }
        }
        Err(error) => tracing::warn!("keys of {domain}: nothing is published: {error}"),
    }
    let drift = watched.compare(domain, &step.looks, policies.clone());
    for fault in &drift.news {
        tracing::warn!("records of {domain}: {fault}");
    }
    for fault in &drift.mended {
        tracing::info!("records of {domain}: mended: {fault}");
    }
    suspend(runtime, domain, &drift);
    count(runtime, domain, state, drift.faults);
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

fn count(runtime: &Runtime, domain: &DomainName, state: &DomainState, faults: usize) {
    runtime.metrics.set_record_faults(domain, faults);
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
