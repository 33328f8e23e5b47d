//! Everything that judging a message needs, built once and shared by all messages.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::{self, Config};
use crate::dns::{Resolver, ResolverError};
use crate::keys::{KeyRing, StoreError};
use crate::rules::{RuleErrors, RuleSet};
use crate::scan::Scanner;

/// Says the time in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Configuration, keys, rules, resolver and scanner.
pub struct Runtime {
    /// What the operator set.
    pub config: Config,
    /// The authserv-ids that are ours, in all spellings that the configuration names.
    pub authserv_ids: Vec<String>,
    /// The keys that sign.
    pub keys: KeyRing,
    /// What is wrong with the key store; the other keys sign all the same.
    pub key_problems: Vec<StoreError>,
    /// The rules.
    pub rules: RuleSet,
    /// The one door to DNS.
    pub resolver: Resolver,
    /// The scanner, where one is configured.
    pub scanner: Option<Scanner>,
    /// The time in seconds since 1970: the system's clock, unless a test has its own.
    pub clock: Clock,
}

/// Why there can be no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The rules are broken.
    #[error(transparent)]
    Rules(#[from] RuleErrors),
    /// No resolver can be set up.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
}

impl Runtime {
    /// Reads what the configuration names and sets everything up.
    pub fn build(config: Config) -> Result<Self, RuntimeError> {
        let (keys, key_problems) = KeyRing::load(&config.sign.keys);
        let rules = match &config.rules {
            config::Rules { dir, dir_required: true, .. } => RuleSet::load(dir)?,
            config::Rules { dir, dir_required: false, .. } => RuleSet::load_if_present(dir)?,
        };
        let resolver = Resolver::new(&config.dns)?;
        let scanner = Scanner::new(&config.clamav);
        let mut authserv_ids = vec![config.identity.authserv_id.clone()];
        authserv_ids.extend(config.identity.authserv_ids_ours.iter().cloned());
        Ok(Self {
            config,
            authserv_ids,
            keys,
            key_problems,
            rules,
            resolver,
            scanner,
            clock: Arc::new(system_clock),
        })
    }
}

fn system_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
