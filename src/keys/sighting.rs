//! What DNS showed of a key's record: at each authoritative server, and since when.
//!
//! The right record of a pending, active or retiring key holds its public half; that of a revoked
//! key has an empty `p=`, or is gone.

use serde::{Deserialize, Serialize};

use super::state::time;
use crate::text::visible_start;

/// The most servers of one zone that are kept; zones have a handful.
const SERVERS_MAX: usize = 32;

/// The longest name of a server that is kept, in octets.
const SERVER_OCTETS_MAX: usize = 255;

/// The negative-cache time of a zone that does not tell it: what RFC 2308 §5 recommends at most.
pub const NEGATIVE_SECS_DEFAULT: u32 = 3 * 3600;

/// How long a sighting is worth something, in seconds: what has been seen before that may have
/// changed.
pub const FRESH_SECS: u64 = 3600;

/// What the servers answered when they were asked once: the input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observation {
    /// When they were asked, in seconds since 1970.
    pub asked: u64,
    /// All authoritative servers of the zone, by address or name, and what each showed.
    pub servers: Vec<(String, Shown)>,
    /// How long resolvers remember that there was no record: the lesser of the SOA record's TTL
    /// and its MINIMUM (RFC 2308 §5). None where no server told.
    pub negative_secs: Option<u32>,
}

/// What one server shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// The right record.
    Right,
    /// No record, another one, several, or a broken one.
    Wrong,
    /// No answer, or one that is no answer (SERVFAIL, REFUSED).
    Silent,
}

/// What is remembered of a key's record, as the state file has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// When the servers were last asked, in seconds since 1970.
    #[serde(with = "time")]
    pub asked: u64,
    /// The longest negative-cache time that the zone told: what a resolver remembers was told then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_secs: Option<u32>,
    /// The servers, in the order in which they were last told.
    #[serde(default, rename = "server")]
    pub servers: Vec<Server>,
}

/// One authoritative server.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its address or name.
    pub server: String,
    /// What it shows.
    pub shows: Shown,
    /// Since when it has shown that, without a break that was noticed.
    #[serde(with = "time")]
    pub since: u64,
    /// Since when it has shown the right record and no wrong one; silence does not end this.
    #[serde(default, with = "super::state::time_or_none", skip_serializing_if = "Option::is_none")]
    pub right_since: Option<u64>,
}

impl Sighting {
    /// What is known after an observation, given what was known before.
    pub fn after(before: Option<&Self>, observation: &Observation) -> Self {
        let asked = observation.asked;
        let mut servers: Vec<Server> = Vec::new();
        for (name, shows) in &observation.servers {
            let name = visible_start(name, SERVER_OCTETS_MAX);
            if !servers.iter().any(|known| known.server == name) {
                let known = before.and_then(|before| before.server(&name));
                servers.push(Server::after(known, name, *shows, asked));
            }
        }
        // Where there are more than can be kept, those in the way of activation are.
        if servers.len() > SERVERS_MAX {
            servers.sort_by_key(|server| server.shows == Shown::Right);
            servers.truncate(SERVERS_MAX);
        }
        let told_before = before.and_then(|before| before.negative_secs);
        Self { asked, negative_secs: observation.negative_secs.max(told_before), servers }
    }

    /// Whether this says more than what was known before, or renews what is about to be stale.
    pub fn is_news(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| {
            self.servers != before.servers
                || self.negative_secs != before.negative_secs
                || self.asked.abs_diff(before.asked) >= FRESH_SECS / 2
        })
    }

    /// How many servers show that.
    pub fn count(&self, shows: Shown) -> usize {
        self.showing(shows).count()
    }

    /// The servers that show that.
    pub fn showing(&self, shows: Shown) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(move |server| server.shows == shows)
    }

    /// When the last server began to show the right record; none while one shows a wrong one.
    pub fn right_since(&self) -> Option<u64> {
        if self.count(Shown::Wrong) > 0 {
            return None;
        }
        self.servers.iter().filter_map(|server| server.right_since).max()
    }

    /// When no resolver remembers any more that there was no record; none while a server shows a
    /// wrong one.
    pub fn known_everywhere_at(&self) -> Option<u64> {
        let negative_secs = self.negative_secs.unwrap_or(NEGATIVE_SECS_DEFAULT);
        Some(self.right_since()?.saturating_add(negative_secs.into()))
    }

    /// Whether it is too old to act upon.
    pub fn is_stale(&self, now: u64) -> bool {
        now.abs_diff(self.asked) > FRESH_SECS
    }

    fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.server == name)
    }
}

impl Server {
    fn after(before: Option<&Self>, server: String, shows: Shown, asked: u64) -> Self {
        let same = before.filter(|before| before.shows == shows);
        // Of a time to come, as a clock that was wrong writes it down, nothing is known.
        let right_before = before.and_then(|before| before.right_since).map(|at| at.min(asked));
        let right_since = match shows {
            Shown::Right => right_before.or(Some(asked)),
            Shown::Silent => right_before,
            Shown::Wrong => None,
        };
        Self { server, shows, since: same.map_or(asked, |same| same.since.min(asked)), right_since }
    }
}

#[cfg(test)]
mod tests {
    use super::Shown::{Right, Silent, Wrong};
    use super::*;

    fn seen(asks: &[(u64, &[(&str, Shown)])]) -> Sighting {
        let mut seen = None;
        for (asked, servers) in asks {
            let servers =
                servers.iter().map(|(name, shown)| ((*name).to_owned(), *shown)).collect();
            let observation = Observation { asked: *asked, servers, negative_secs: Some(300) };
            seen = Some(Sighting::after(seen.as_ref(), &observation));
        }
        seen.unwrap()
    }

    #[test]
    fn the_last_server_to_show_the_record_counts() {
        assert_eq!(seen(&[(1, &[("a", Right), ("b", Wrong)])]).right_since(), None);
        let both = seen(&[(1, &[("a", Right), ("b", Wrong)]), (2, &[("a", Right), ("b", Right)])]);
        assert_eq!(both.right_since(), Some(2));
    }

    #[test]
    fn silence_ends_nothing_and_a_wrong_answer_ends_all() {
        let silent = [(1, &[("a", Right)][..]), (2, &[("a", Silent)]), (3, &[("a", Right)])];
        assert_eq!(seen(&silent).right_since(), Some(1));
        assert_eq!(seen(&silent[..2]).servers[0].since, 2);
        let wrong = [(1, &[("a", Right)][..]), (2, &[("a", Wrong)]), (3, &[("a", Right)])];
        assert_eq!(seen(&wrong).right_since(), Some(3));
    }

    #[test]
    fn a_clock_that_was_wrong_holds_nothing_up() {
        let back = seen(&[(9_000_000, &[("a", Right)]), (9, &[("a", Right)])]);
        assert_eq!((back.right_since(), back.servers[0].since), (Some(9), 9));
    }

    #[test]
    fn a_server_that_comes_later_counts_from_then() {
        let late = [(1, &[("a", Right), ("b", Silent)][..]), (9, &[("a", Silent), ("b", Right)])];
        assert_eq!(seen(&late).right_since(), Some(9));
        let new = [(1, &[("a", Right)][..]), (9, &[("a", Right), ("b", Right)])];
        assert_eq!(seen(&new).right_since(), Some(9));
    }

    #[test]
    fn servers_are_bounded_and_the_bad_ones_are_kept() {
        let names: Vec<String> = (0..100).map(|i| format!("ns{i}")).collect();
        let mut servers: Vec<_> = names.iter().map(|name| (name.as_str(), Right)).collect();
        servers[99].1 = Wrong;
        let kept = seen(&[(1, &servers)]);
        assert_eq!((kept.servers.len(), kept.right_since()), (SERVERS_MAX, None));
        assert_eq!(seen(&[(1, &[("a\nb;", Right)])]).servers[0].server, "a?b?");
    }

    #[test]
    fn what_is_known_already_is_no_news() {
        let before = seen(&[(1, &[("a", Right)])]);
        let later = |at| seen(&[(1, &[("a", Right)]), (at, &[("a", Right)])]);
        assert!(!later(60).is_news(Some(&before)) && later(60).is_news(None));
        assert!(later(FRESH_SECS).is_news(Some(&before)));
        assert!(later(60).is_stale(61 + FRESH_SECS) && !later(60).is_stale(60 + FRESH_SECS));
    }
}
