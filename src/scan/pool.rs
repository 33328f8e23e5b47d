//! All clamds: which of them a scan asks, and how many scans there are at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::clamd_conf::ClamdConf;
use super::server::{Server, Turn};
use crate::config::{Balance, Clamav};

/// How long a scan may wait until another one ends.
const SLOT_TIMEOUT: Duration = Duration::from_secs(10);

/// The servers and the slots for scans.
#[derive(Debug)]
pub(super) struct Pool {
    servers: Vec<Arc<Server>>,
    conf: Option<ClamdConf>,
    balance: Balance,
    slots: Arc<Semaphore>,
    slots_max: usize,
    waiting: AtomicUsize,
}

impl Pool {
    pub(super) fn new(config: &Clamav) -> Self {
        let conf = ClamdConf::read(&config.clamd_conf);
        let server = |endpoint| Arc::new(Server::new(endpoint, conf.as_ref()));
        Self {
            servers: config.servers.iter().cloned().map(server).collect(),
            conf,
            balance: config.balance,
            slots: Arc::new(Semaphore::new(config.scans_max)),
            slots_max: config.scans_max,
            waiting: AtomicUsize::new(0),
        }
    }

    /// Whether that `clamd.conf` says what it said when it was read.
    pub(super) fn knows(&self, clamd_conf: &Path) -> bool {
        ClamdConf::read(clamd_conf) == self.conf
    }

    pub(super) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// How many slots are taken.
    pub(super) fn under_way(&self) -> usize {
        self.slots_max.saturating_sub(self.slots.available_permits())
    }

    /// How many scans wait for a slot.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A slot for a scan; `None` where none came free in time.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::one(&self.waiting);
        timeout(SLOT_TIMEOUT, self.slots.clone().acquire_owned()).await.ok()?.ok()
    }

    /// A turn at the next server that is in service and not among `asked`.
    pub(super) fn turn(&self, asked: &[Arc<Server>]) -> Option<Turn> {
        let is_new = |server: &&Arc<Server>| !asked.iter().any(|old| Arc::ptr_eq(old, server));
        let mut candidates: Vec<&Arc<Server>> = self.servers.iter().filter(is_new).collect();
        if self.balance == Balance::Load {
            // A stable sort: servers with as many scans keep their order.
            candidates.sort_by_key(|server| server.under_way());
        }
        candidates.into_iter().find_map(Server::admit)
    }

    /// Why there is no server to ask.
    pub(super) fn why_none(&self) -> String {
        let fault = |server: &Arc<Server>| format!("{}: {}", server.endpoint, server.last_fault());
        let faults: Vec<String> = self.servers.iter().map(fault).collect();
        format!("no clamd is in service: {}", faults.join(", "))
    }
}

/// A scan that waits for a slot; it counts for as long as it does, and no longer where it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn one(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
