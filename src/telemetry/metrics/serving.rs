//! What is counted of connections, transactions, limits and reloads.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::message::limit::Limit;

/// The counts of one process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ServingMetrics {
    connections: Family<ResultLabels, Counter>,
    connections_open: Gauge,
    transactions_open: Gauge,
    limits: Family<LimitLabels, Counter>,
    failures: Counter,
    reloads: Family<ResultLabels, Counter>,
    reload_successful: Gauge,
    reload_time: Gauge,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// One of what a gauge tells the number of, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Open(Gauge);

impl Open {
    fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ServingMetrics {
    /// Counts a connection of an MTA.
    pub(crate) fn connected(&self) -> Open {
        self.connection("accepted");
        Open::of(&self.connections_open)
    }

    /// Counts one that there will not be: `refused` or `failed`.
    pub(crate) fn not_connected(&self, result: &'static str) {
        self.connection(result);
    }

    fn connection(&self, result: &'static str) {
        self.connections.get_or_create(&ResultLabels { result }).inc();
    }

    /// Counts a message on its way in.
    pub(crate) fn transaction(&self) -> Open {
        Open::of(&self.transactions_open)
    }

    /// Counts that something came up against a limit.
    pub(crate) fn limit_reached(&self, limit: Limit) {
        self.limits.get_or_create(&LimitLabels { limit: limit.key() }).inc();
    }

    /// Counts a message that could not be judged by a fault of ours.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }

    /// Counts a reload. Starting is the first.
    pub(crate) fn reloaded(&self, is_taken: bool) {
        let result = if is_taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&ResultLabels { result }).inc();
        self.in_force(is_taken);
    }

    /// Tells that what is in force is, or is not, what the files say.
    pub(crate) fn in_force(&self, is_taken: bool) {
        self.reload_successful.set(i64::from(is_taken));
        if is_taken {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.reload_time.set(now.as_secs().cast_signed());
        }
    }

    pub(super) fn register(&self, all: &mut Registry) {
        all.register(
            "connections",
            "Connections of MTAs: accepted, refused by milter.allow_peers, or failed",
            self.connections.clone(),
        );
        all.register("connections_open", "Connections now", self.connections_open.clone());
        all.register(
            "transactions_open",
            "Messages on their way in now",
            self.transactions_open.clone(),
        );
        all.register(
            "limit_reached",
            "Messages that came up against a limit, by its key; milter.connections_max: how often \
             connections had to wait",
            self.limits.clone(),
        );
        all.register(
            "failures",
            "Messages that were not judged by a fault of mailseal's",
            self.failures.clone(),
        );
        all.register("reloads", "Reloads, taken or refused", self.reloads.clone());
        all.register(
            "last_reload_successful",
            "1 where what is in force is what the files said at the last look",
            self.reload_successful.clone(),
        );
        all.register(
            "last_reload_success_timestamp_seconds",
            "When what is in force was read",
            self.reload_time.clone(),
        );
    }
}
