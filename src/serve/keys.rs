//! Follows the key store: what the command line or another machine changes signs within seconds.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::MissedTickBehavior;

use crate::keys::{LiveRing, Refreshed};
use crate::runtime::Runtime;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps the key ring true to the store, for as long as it is polled.
pub(super) async fn follow(runtime: Arc<ArcSwap<Runtime>>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let keys = Arc::clone(&runtime.load().keys);
        // It only fails where it panics, and then the keys stay as they are.
        let _ = tokio::task::spawn_blocking(move || tell(&keys, &keys.refresh())).await;
    }
}

fn tell(keys: &LiveRing, refreshed: &Refreshed) {
    for problem in &refreshed.problems {
        tracing::error!("key store: {problem}");
    }
    for problem in &refreshed.mended {
        tracing::info!("key store: mended: {problem}");
    }
    let ring = keys.current();
    for domain in &refreshed.changed {
        let keys = ring.for_domain(domain.as_str()).iter();
        let selectors: Vec<_> = keys.map(|key| key.selector().as_str()).collect();
        let selectors = if selectors.is_empty() { "none".to_owned() } else { selectors.join(",") };
        tracing::info!(%domain, %selectors, "the keys that sign have changed");
    }
}
