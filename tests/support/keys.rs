//! The key store, as its operator and the daemon use it.

use std::path::Path;
use std::sync::Arc;

use mailseal::keys::{
    DomainName, Event, KeyRing, LiveRing, Order, Policy, Selector, Store, StoreError,
};

/// Has a key sign whatever DNS shows, or the newest of each algorithm.
pub fn forced(
    store: &Store,
    domain: &DomainName,
    selector: Option<&Selector>,
    now: u64,
) -> Result<Vec<Event>, StoreError> {
    let order = Order::Activate { selector: selector.cloned(), force: true };
    store.order(domain, &order, &Policy::default(), now)
}

/// The keys that sign, and what is wrong with the store.
pub fn load_ring(root: &Path) -> (Arc<KeyRing>, Vec<String>) {
    let (ring, problems) = LiveRing::load(root);
    (ring.current(), problems)
}
