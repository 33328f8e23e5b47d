//! What is counted of look-ups.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::SECONDS;

/// The counts of one process; cheap to clone.
#[derive(Clone, Debug)]
pub struct DnsMetrics {
    lookups: Family<Labels, Counter>,
    seconds: Histogram,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Labels {
    result: &'static str,
    source: &'static str,
}

impl Default for DnsMetrics {
    fn default() -> Self {
        Self { lookups: Family::default(), seconds: Histogram::new(SECONDS) }
    }
}

impl DnsMetrics {
    /// Counts a look-up; `waited` is how long servers were waited for, if they were.
    pub(crate) fn count(&self, result: &'static str, waited: Option<Duration>) {
        let source = if waited.is_some() { "servers" } else { "cache" };
        self.lookups.get_or_create(&Labels { result, source }).inc();
        if let Some(waited) = waited {
            self.seconds.observe(waited.as_secs_f64());
        }
    }

    pub(super) fn register(&self, all: &mut Registry) {
        all.register(
            "dns_lookups",
            "Look-ups, by what they came to and whether a server was waited for",
            self.lookups.clone(),
        );
        all.register(
            "dns_lookup_seconds",
            "How long look-ups waited for servers",
            self.seconds.clone(),
        );
    }
}
