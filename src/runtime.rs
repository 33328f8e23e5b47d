//! Everything that judging a message needs, built once and shared by all messages.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::checks::logins::Logins;
use crate::config::{self, Config, ConfigErrors};
use crate::dns::{Resolver, ResolverError};
use crate::keys::LiveRing;
use crate::remarks::{Remark, remarks};
use crate::rules::{RuleErrors, RuleSet};
use crate::scan::Scanner;
use crate::telemetry::metrics::Metrics;
use crate::work::WorkThreads;

/// Says the time in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Configuration, keys, rules, resolver and scanner.
pub struct Runtime {
    /// What the operator set.
    pub config: Config,
    /// The authserv-ids that are ours, in all spellings that the configuration names.
    pub authserv_ids: Vec<String>,
    /// The keys that sign.
    pub keys: Arc<LiveRing>,
    /// What is wrong with the key store; the other keys sign all the same.
    pub key_problems: Vec<String>,
    /// `identity.local_domains`.
    pub local_domains: HashSet<String>,
    /// Who may write as whom, where `identity_gate.map` says it.
    pub logins: Option<Logins>,
    /// The rules.
    pub rules: RuleSet,
    /// The one door to DNS.
    pub resolver: Resolver,
    /// The scanner, where one is configured.
    pub scanner: Option<Scanner>,
    /// What it goes on without, and what deserves a word; as it was when this was built.
    pub remarks: Vec<Remark>,
    /// What is counted.
    pub metrics: Metrics,
    /// Where what takes long is done.
    pub(crate) work: Arc<WorkThreads>,
    /// The time in seconds since 1970: the system's clock, unless a test has its own.
    pub clock: Clock,
}

/// Why there can be no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The rules are broken.
    #[error(transparent)]
    Rules(#[from] RuleErrors),
    /// `identity_gate.map` is broken.
    #[error(transparent)]
    Logins(#[from] ConfigErrors),
    /// No resolver can be set up.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// The system has no threads for us.
    #[error("cannot set up threads for large messages: {0}")]
    Threads(io::Error),
}

impl Runtime {
    /// Reads what the configuration names and sets everything up.
    pub fn build(config: Config) -> Result<Self, RuntimeError> {
        let (keys, key_problems) = LiveRing::load(&config.sign.keys);
        let metrics = Metrics::default();
        let runtime = Self {
            local_domains: config.identity.local_domains.iter().cloned().collect(),
            logins: load_logins(&config)?,
            rules: load_rules(&config.rules)?,
            resolver: Resolver::counting(&config.dns, metrics.dns.clone())?,
            scanner: Scanner::new(&config.clamav),
            authserv_ids: authserv_ids(&config.identity),
            config,
            keys: Arc::new(keys),
            key_problems,
            remarks: Vec::new(),
            metrics,
            work: Arc::new(WorkThreads::build().map_err(RuntimeError::Threads)?),
            clock: Arc::new(system_clock),
        };
        Ok(runtime.remarked())
    }

    fn remarked(self) -> Self {
        Self { remarks: remarks(&self), ..self }
    }

    /// The runtime of another configuration, with the caches, counts and keys of this one where the
    /// configuration, and what it takes from the system, leave them alone.
    pub fn rebuild(&self, config: Config) -> Result<Self, RuntimeError> {
        let (keys, key_problems) = if config.sign.keys == self.config.sign.keys {
            (Arc::clone(&self.keys), Vec::new())
        } else {
            let (keys, problems) = LiveRing::load(&config.sign.keys);
            (Arc::new(keys), problems)
        };
        let is_replaced = || config.dns.servers.is_empty() && self.resolver.is_replaced();
        let resolver = if config.dns == self.config.dns && !is_replaced() {
            self.resolver.clone()
        } else {
            let resolver = Resolver::counting(&config.dns, self.metrics.dns.clone())?;
            tracing::info!(servers = ?resolver.addrs(), "other DNS servers or settings");
            resolver
        };
        let clamd_conf = &config.clamav.clamd_conf;
        let knows_it = self.scanner.as_ref().is_none_or(|scanner| scanner.knows(clamd_conf));
        let scanner = if config.clamav == self.config.clamav && knows_it {
            self.scanner.clone()
        } else {
            Scanner::new(&config.clamav)
        };
        let runtime = Self {
            local_domains: config.identity.local_domains.iter().cloned().collect(),
            logins: load_logins(&config)?,
            rules: load_rules(&config.rules)?,
            resolver,
            scanner,
            authserv_ids: authserv_ids(&config.identity),
            config,
            keys,
            key_problems,
            remarks: Vec::new(),
            metrics: self.metrics.clone(),
            work: Arc::clone(&self.work),
            clock: Arc::clone(&self.clock),
        };
        Ok(runtime.remarked())
    }
}

/// The rules that the configuration names.
fn load_rules(config: &config::Rules) -> Result<RuleSet, RuleErrors> {
    match config {
        config::Rules { dir, dir_required: true, .. } => RuleSet::load(dir),
        config::Rules { dir, dir_required: false, .. } => RuleSet::load_if_present(dir),
    }
}

fn load_logins(config: &Config) -> Result<Option<Logins>, ConfigErrors> {
    config.identity_gate.map_in_force().map(|path| Logins::load(path)).transpose()
}

fn authserv_ids(config: &config::Identity) -> Vec<String> {
    [&config.authserv_id].into_iter().chain(&config.authserv_ids_ours).cloned().collect()
}

/// The system's time in seconds since 1970.
pub fn system_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
