//! Whether a pending key can sign: what DNS shows of its record, and for how long it has. Pure.
//!
//! A verifier that asked before the record was there remembers that for the zone's negative-cache
//! time (RFC 2308 §5), and one that asks a lagging server does not find it (RFC 6376 §3.6.2). So a
//! key signs when every server that answers has the record and that time has passed.

use std::fmt;

use super::policy::Policy;
use super::sighting::{Shown, Sighting};
use super::state::{KeyEntry, rfc3339};

/// What a pending key waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Nobody has looked yet.
    NeverAsked,
    /// What was seen at that time is too old; the servers must be asked again.
    Stale(u64),
    /// No authoritative server answers.
    NoneReachable,
    /// These servers do not show the right record.
    Wrong(Vec<String>),
    /// These servers do not answer; they are waited for until then.
    Silent(Vec<String>, u64),
    /// All is published; resolvers may remember until then that there was no record, or other
    /// machines may not have the key before.
    Remembered(u64),
}

/// Whether a key can sign at that time. The servers that come with a yes have been silent for so
/// long that they are no longer waited for; where there are any, the operator is warned.
pub fn readiness(key: &KeyEntry, policy: &Policy, now: u64) -> Result<Vec<String>, Wait> {
    let seen = key.seen.as_ref().ok_or(Wait::NeverAsked)?;
    if seen.count(Shown::Wrong) > 0 {
        return Err(Wait::Wrong(names(seen, Shown::Wrong)));
    }
    // No server that shows the record, no activation: this has no waiver.
    let known_at = seen.known_everywhere_at().filter(|_| seen.count(Shown::Right) > 0);
    let known_at = known_at.ok_or(Wait::NoneReachable)?.saturating_add(policy.distribution_secs);
    let silent_since = seen.showing(Shown::Silent).map(|server| server.since).max();
    let waived_at = silent_since.map_or(0, |since| since.saturating_add(policy.waiver_secs));
    if waived_at > now {
        return Err(Wait::Silent(names(seen, Shown::Silent), waived_at));
    }
    if known_at > now {
        return Err(Wait::Remembered(known_at));
    }
    if seen.is_stale(now) {
        return Err(Wait::Stale(seen.asked));
    }
    Ok(names(seen, Shown::Silent))
}

fn names(seen: &Sighting, shows: Shown) -> Vec<String> {
    seen.showing(shows).map(|server| server.server.clone()).collect()
}

impl Wait {
    /// When waiting ends, where time alone decides that.
    pub fn until(&self) -> Option<u64> {
        match self {
            Self::Silent(_, until) | Self::Remembered(until) => Some(*until),
            _ => None,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverAsked => f.write_str("its record has not been looked for yet"),
            Self::Stale(asked) => {
                write!(f, "its record was last looked for at {}", rfc3339(*asked))
            }
            Self::NoneReachable => f.write_str("no authoritative name server answers"),
            Self::Wrong(servers) => {
                write!(f, "its record is not right at {}", servers.join(", "))
            }
            Self::Silent(servers, until) => {
                let (servers, until) = (servers.join(", "), rfc3339(*until));
                write!(f, "no answer from {servers}, waited for until {until}")
            }
            Self::Remembered(until) => write!(
                f,
                "its record is published, and not everybody may know it before {}",
                rfc3339(*until)
            ),
        }
    }
}
