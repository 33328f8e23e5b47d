//! How the operator wants keys to live, in seconds.

use super::state::Algorithm;

/// `[rotation]`, as the lifecycle reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Whether this machine changes the store; else it only reads.
    pub primary: bool,
    /// How long a key signs before a successor is made; none: only when the operator says so.
    pub every_secs: Option<u64>,
    /// How long the record of a key that no longer signs stays published.
    pub overlap_secs: u64,
    /// How long the MTA keeps a message in its queue: no record is withdrawn before.
    pub queue_secs: u64,
    /// How long a key is revoked before its private half is destroyed.
    pub revoked_secs: u64,
    /// How long the other machines take to get a copy of the store.
    pub distribution_secs: u64,
    /// After how long a server that does not answer is no longer waited for.
    pub waiver_secs: u64,
    /// What a rotation makes; empty: a key of each algorithm that signs.
    pub algorithms: Vec<Algorithm>,
    /// Whether the algorithms rotate in step.
    pub together: bool,
    /// What new selectors look like.
    pub selectors: SelectorStyle,
    /// The size of new RSA keys.
    pub rsa_bits: u32,
}

/// What new selectors look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SelectorStyle {
    /// `s2026-11-a`.
    Dated,
    /// Not to be guessed, so that nobody can ask for a record before it is published.
    Random,
}

const DAY: u64 = 24 * 3600;

impl Default for Policy {
    /// The defaults of the configuration.
    fn default() -> Self {
        Self {
            primary: true,
            every_secs: None,
            overlap_secs: 7 * DAY,
            queue_secs: 5 * DAY,
            revoked_secs: 30 * DAY,
            distribution_secs: 0,
            waiver_secs: 3 * DAY,
            algorithms: Vec::new(),
            together: true,
            selectors: SelectorStyle::Dated,
            rsa_bits: 2048,
        }
    }
}

impl Policy {
    /// How long the record of a key stays published after it signed last: never less than mail may
    /// lie in a queue, counted from when the last machine has learned that it no longer signs.
    pub fn retention_secs(&self) -> u64 {
        self.overlap_secs.max(self.queue_secs).saturating_add(self.distribution_secs)
    }
}
