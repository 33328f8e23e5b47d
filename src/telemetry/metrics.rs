//! What is counted, for Prometheus (`OpenMetrics` 1.0 text).
//!
//! A counter only grows, and starts anew with the process. Every label has few values, none of them
//! a stranger's: rule names and domains are the operator's own.

mod dns;
mod process;
mod serving;

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::keys::DomainName;
use crate::keys::state::Algorithm;
use crate::result::AuthResult;
use crate::scan::Load;
use crate::verdict::{Change, Times, Verdict};

pub use self::dns::DnsMetrics;
pub(crate) use self::serving::Open;
pub use self::serving::ServingMetrics;

/// The upper bounds of the time of a message, a stage or a look-up, in seconds.
const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 30.0];

/// The same of scans, from a signature's look-up to what Sendmail (10 s) and all of a message's
/// budget (30 s) allow.
const SCAN_SECONDS: [f64; 13] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics of one process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    messages: Family<MessageLabels, Counter>,
    results: Family<ResultLabels, Counter>,
    signatures: Counter,
    not_signed: Family<ReasonLabels, Counter>,
    scans: Family<ScanLabels, Counter>,
    scan_wait_seconds: Histogram,
    scan_seconds: Histogram,
    hits: Family<HitLabels, Counter>,
    message_seconds: Histogram,
    stage_seconds: Family<StageLabels, Histogram, fn() -> Histogram>,
    /// Look-ups.
    pub dns: DnsMetrics,
    /// Connections, limits and reloads.
    pub serving: ServingMetrics,
    key_since: Family<KeyLabels, Gauge>,
    key_due: Family<KeyLabels, Gauge>,
    record_faults: Family<DomainLabels, Gauge>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct MessageLabels {
    origin: &'static str,
    role: &'static str,
    disposition: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ResultLabels {
    method: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ScanLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct VersionLabels {
    version: &'static str,
}

/// What is so at the moment of a scrape.
#[derive(Debug, Default)]
pub struct Moment {
    /// How busy the scanner is, where there is one.
    pub load: Option<Load>,
    /// Whether new mail is taken.
    pub is_ready: bool,
    /// What messages under way hold together.
    pub held_bytes: usize,
    /// Domains that have a key that signs.
    pub signing_domains: usize,
    /// How many connections there may be.
    pub connections_max: usize,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ServerLabels {
    server: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct HitLabels {
    rule: String,
    shadow: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct KeyLabels {
    domain: DomainName,
    algorithm: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct DomainLabels {
    domain: DomainName,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            messages: Family::default(),
            results: Family::default(),
            signatures: Counter::default(),
            not_signed: Family::default(),
            scans: Family::default(),
            scan_wait_seconds: Histogram::new(SCAN_SECONDS),
            scan_seconds: Histogram::new(SCAN_SECONDS),
            hits: Family::default(),
            message_seconds: Histogram::new(SECONDS),
            stage_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            dns: DnsMetrics::default(),
            serving: ServingMetrics::default(),
            key_since: Family::default(),
            key_due: Family::default(),
            record_faults: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts a message that was judged.
    pub fn count(&self, verdict: &Verdict, elapsed: Duration) {
        let labels = MessageLabels {
            origin: verdict.origin.as_str(),
            role: verdict.role.as_str(),
            disposition: verdict.disposition.as_str(),
        };
        self.messages.get_or_create(&labels).inc();
        self.message_seconds.observe(elapsed.as_secs_f64());
        self.count_results(verdict);
        self.count_stages(&verdict.trail.times, elapsed);
        if let Some(scan) = &verdict.scan {
            self.scans.get_or_create(&ScanLabels { result: scan.label() }).inc();
        }
        if let Some(times) = verdict.scan_times {
            self.scan_wait_seconds.observe(times.wait.as_secs_f64());
            self.scan_seconds.observe(times.whole.as_secs_f64());
        }
        let is_signature = |change: &&Change| matches!(change, Change::InsertHeader { name, .. } if name == "DKIM-Signature");
        let signatures = verdict.changes.iter().filter(is_signature).count();
        self.signatures.inc_by(signatures as u64);
        for reason in &verdict.not_signed {
            self.not_signed.get_or_create(&ReasonLabels { reason: reason.label() }).inc();
        }
        for limit in &verdict.limits {
            self.serving.limit_reached(*limit);
        }
        for hit in &verdict.hits {
            self.hits
                .get_or_create(&HitLabels {
                    rule: hit.rule.clone(),
                    shadow: hit.shadow.to_string(),
                })
                .inc();
        }
    }

    fn count_stages(&self, times: &Times, elapsed: Duration) {
        let Times { body, authenticate, rules, scan, sign } = *times;
        let ours = body + authenticate.max(rules).max(scan) + sign;
        for (stage, time) in [
            // What the client takes for RCPT and DATA.
            ("client", elapsed.saturating_sub(ours)),
            ("body", body),
            ("authenticate", authenticate),
            ("rules", rules),
            ("scan", scan),
            ("sign", sign),
        ] {
            let labels = StageLabels { stage };
            self.stage_seconds.get_or_create(&labels).observe(time.as_secs_f64());
        }
    }

    fn count_results(&self, verdict: &Verdict) {
        let count = |method, result: AuthResult| {
            self.results.get_or_create(&ResultLabels { method, result: result.as_str() }).inc();
        };
        let auth = &verdict.auth;
        if let Some(iprev) = &auth.iprev {
            count("iprev", iprev.result);
        }
        for spf in &auth.spf {
            count("spf", spf.result);
        }
        for dkim in &auth.dkim {
            count("dkim", dkim.result);
        }
        if let Some(arc) = &auth.arc {
            count("arc", arc.result);
        }
        if let Some(dmarc) = &auth.dmarc {
            count("dmarc", dmarc.result);
        }
    }

    /// Tells since when a domain's key of an algorithm signs, and when it is due for a successor.
    pub fn set_key(&self, domain: &DomainName, algorithm: Algorithm, since: u64, due: Option<u64>) {
        let labels = KeyLabels { domain: domain.clone(), algorithm: algorithm.to_string() };
        self.key_since.get_or_create(&labels).set(since.cast_signed());
        match due {
            Some(due) => self.key_due.get_or_create(&labels).set(due.cast_signed()),
            None => i64::from(self.key_due.remove(&labels)),
        };
    }

    /// Tells how many of a domain's records DNS does not show as they should be.
    pub fn set_record_faults(&self, domain: &DomainName, faults: usize) {
        let labels = DomainLabels { domain: domain.clone() };
        self.record_faults.get_or_create(&labels).set(i64::try_from(faults).unwrap_or(i64::MAX));
    }

    /// Tells nothing more of a domain that is gone.
    pub fn forget(&self, domain: &DomainName) {
        self.record_faults.remove(&DomainLabels { domain: domain.clone() });
        for algorithm in Algorithm::ALL {
            self.forget_key(domain, algorithm);
        }
    }

    /// Tells nothing more of a domain's key of an algorithm.
    pub fn forget_key(&self, domain: &DomainName, algorithm: Algorithm) {
        let labels = KeyLabels { domain: domain.clone(), algorithm: algorithm.to_string() };
        self.key_since.remove(&labels);
        self.key_due.remove(&labels);
    }

    /// Everything, as it is scraped.
    pub fn to_text(&self, moment: &Moment) -> String {
        let mut text = String::new();
        let mut all = Registry::default();
        process::register(all.sub_registry_with_prefix("process"));
        let ours = all.sub_registry_with_prefix("mailseal");
        self.register(ours);
        moment.register(ours);
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &all);
        text
    }

    /// The names and what they mean. Metrics are shared values: a registry lives for one scrape.
    fn register(&self, all: &mut Registry) {
        all.register("messages", "Messages judged", self.messages.clone());
        all.register("message_seconds", "From MAIL to the verdict", self.message_seconds.clone());
        all.register(
            "stage_seconds",
            "What a message's stages took; authenticate, rules and scan run side by side",
            self.stage_seconds.clone(),
        );
        self.dns.register(all);
        self.serving.register(all);
        all.register("auth_results", "Authentication results (RFC 8601)", self.results.clone());
        all.register("signatures", "DKIM signatures made", self.signatures.clone());
        all.register("not_signed", "Why mail of ours was not signed", self.not_signed.clone());
        all.register("scans", "What the scanner said of messages", self.scans.clone());
        all.register(
            "scan_wait_seconds",
            "How long messages waited at their end for the scan: what it adds to their delivery",
            self.scan_wait_seconds.clone(),
        );
        all.register(
            "scan_seconds",
            "From a message's header to the scan's result, with the time that the MTA took to send it",
            self.scan_seconds.clone(),
        );
        all.register("rule_hits", "Messages that a rule matched", self.hits.clone());
        all.register(
            "key_active_since_timestamp_seconds",
            "When the key came to sign",
            self.key_since.clone(),
        );
        all.register(
            "key_rotation_due_timestamp_seconds",
            "When the key gets a successor, where there is a schedule",
            self.key_due.clone(),
        );
        all.register(
            "record_faults",
            "Records of our domains that DNS does not show as they should be",
            self.record_faults.clone(),
        );
        let lost = Counter::<u64>::default();
        lost.inc_by(super::line::lost());
        all.register("log_lines_lost", "Lines of the log that nobody took", lost);
    }
}

impl Moment {
    fn register(&self, all: &mut Registry) {
        let version = VersionLabels { version: env!("CARGO_PKG_VERSION") };
        all.register("build", "Which mailseal this is", Info::new(version));
        all.register(
            "ready",
            "1 where new mail is taken, as /readyz says",
            number(usize::from(self.is_ready)),
        );
        all.register(
            "held_bytes",
            "What messages under way hold together, limits.memory_bytes_max at most",
            number(self.held_bytes),
        );
        all.register(
            "signing_domains",
            "Domains that have a key that signs",
            number(self.signing_domains),
        );
        all.register(
            "connections_max",
            "Connections that there may be (milter.connections_max)",
            number(self.connections_max),
        );
        if let Some(load) = &self.load {
            register_load(all, load);
        }
    }
}

fn number(count: usize) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    gauge
}

/// The gauges of one moment.
fn register_load(all: &mut Registry, load: &Load) {
    all.register(
        "scans_in_flight",
        "Scans that have a turn, clamav.scans_max at most",
        number(load.under_way),
    );
    all.register(
        "scans_waiting",
        "Messages that wait for a turn to be scanned",
        number(load.waiting),
    );
    let in_service: Family<ServerLabels, Gauge> = Family::default();
    for (server, is_in_service) in &load.servers {
        let labels = ServerLabels { server: server.to_string() };
        in_service.get_or_create(&labels).set(i64::from(*is_in_service));
    }
    all.register(
        "scan_server_in_service",
        "1 where the clamd is asked, 0 where it failed and rests (circuit breaker)",
        in_service,
    );
}

impl EncodeLabelValue for DomainName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}
