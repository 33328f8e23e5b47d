//! What comes next for a key, when, and what the operator must do now. Pure.

use std::fmt;

use super::domain::{DomainName, Selector};
use super::lifecycle::{leaves_at, successor};
use super::policy::Policy;
use super::readiness::{Wait, readiness};
use super::sighting::Shown;
use super::state::{Algorithm, DomainState, KeyEntry, KeyState, rfc3339};

/// How long a key should sign at most where there is no schedule: half a year.
const AGE_SECS_MAX: u64 = 183 * 24 * 3600;

/// What a key has before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outlook {
    /// The key.
    pub selector: Selector,
    /// The next step.
    pub next: NextStep,
    /// When that is, at the earliest, in seconds since 1970; none where time alone does not decide.
    pub at: Option<u64>,
    /// What the operator must do now: one sentence without a full stop; none where that is nothing.
    pub todo: Option<String>,
}

/// The next step of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NextStep {
    /// It signs.
    Activate,
    /// It signs if the operator says so, as a newer key signs already.
    OnOrder,
    /// A successor is made.
    Rotate,
    /// Its record is replaced by one with an empty `p=`.
    Revoke,
    /// Its private half is destroyed.
    Remove,
    /// None.
    Nothing,
}

impl NextStep {
    /// The step in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::OnOrder => "on order",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
            Self::Remove => "remove",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What all keys of a domain have before them, in the order of the state.
pub fn outlooks(
    domain: &DomainName,
    state: &DomainState,
    policy: &Policy,
    now: u64,
) -> Vec<Outlook> {
    let view = View { domain, state, policy, now };
    state.keys.iter().map(|key| view.outlook(key)).collect()
}

struct View<'a> {
    domain: &'a DomainName,
    state: &'a DomainState,
    policy: &'a Policy,
    now: u64,
}

impl View<'_> {
    fn outlook(&self, key: &KeyEntry) -> Outlook {
        let leaves_at = leaves_at(key, self.policy);
        let (next, at, todo) = match key.state {
            KeyState::Pending => self.pending(key),
            KeyState::Active => (NextStep::Rotate, leaves_at, self.active(key)),
            KeyState::Retiring => {
                let until = leaves_at.map(rfc3339).unwrap_or_default();
                (NextStep::Revoke, leaves_at, Some(format!("leave its record until {until}")))
            }
            KeyState::Revoked => (NextStep::Remove, leaves_at, self.revoked(key)),
            KeyState::Removed => (NextStep::Nothing, None, None),
        };
        Outlook { selector: key.selector.clone(), next, at, todo }
    }

    fn pending(&self, key: &KeyEntry) -> (NextStep, Option<u64>, Option<String>) {
        let (domain, selector) = (self.domain, &key.selector);
        if successor(self.state, key.algorithm).is_none_or(|next| next.selector != *selector) {
            let todo = format!(
                "a newer key signs or is pending: revoke this one (mailseal keys revoke {domain} \
                 {selector}), or activate it by name"
            );
            return (NextStep::OnOrder, None, Some(todo));
        }
        match readiness(key, self.policy, self.now) {
            Ok(_) => (NextStep::Activate, Some(self.now), self.companion(key)),
            Err(wait) => (NextStep::Activate, wait.until(), self.todo_for(&wait)),
        }
    }

    fn todo_for(&self, wait: &Wait) -> Option<String> {
        let domain = self.domain;
        match wait {
            Wait::NeverAsked => Some(format!("publish its record (mailseal dns records {domain})")),
            Wait::Wrong(servers) => Some(format!(
                "publish its record (mailseal dns records {domain}): it is not right at {}",
                servers.join(", ")
            )),
            Wait::NoneReachable => Some(format!(
                "see why no authoritative name server of {domain} answers (mailseal dns verify \
                 {domain})"
            )),
            Wait::Silent(servers, until) => Some(format!(
                "see why {} does not answer; from {} on it is not waited for",
                servers.join(", "),
                rfc3339(*until)
            )),
            Wait::Stale(_) => Some(format!(
                "have mailseal serve running, or run mailseal keys rotate {domain} --continue"
            )),
            Wait::Remembered(_) => None,
        }
    }

    /// The key that a ready one waits for, as they rotate in step.
    fn companion(&self, key: &KeyEntry) -> Option<String> {
        let others = Algorithm::ALL.into_iter().filter(|other| *other != key.algorithm);
        let waits = |other: &&KeyEntry| readiness(other, self.policy, self.now).is_err();
        let mut others = others.filter_map(|other| successor(self.state, other)).filter(waits);
        let other = others.next().filter(|_| self.policy.together)?;
        Some(format!("it waits for {}, with which it rotates in step", other.selector))
    }

    fn active(&self, key: &KeyEntry) -> Option<String> {
        let domain = self.domain;
        if let Some(servers) = wrong_at(key) {
            return Some(format!(
                "publish its record (mailseal dns records {domain}): it signs, and its record is \
                 not right at {servers}"
            ));
        }
        let age_secs = self.now.saturating_sub(key.since);
        let is_old = self.policy.every_secs.is_none() && age_secs > AGE_SECS_MAX;
        (is_old && successor(self.state, key.algorithm).is_none()).then(|| {
            format!(
                "make a successor (mailseal keys rotate {domain}): it has signed for {} days, and \
                 rotation.every_days is not set",
                age_secs / (24 * 3600)
            )
        })
    }

    fn revoked(&self, key: &KeyEntry) -> Option<String> {
        let shown = key.seen.as_ref().is_some_and(|seen| seen.right_since().is_some());
        let domain = self.domain;
        (!shown)
            .then(|| format!("publish its record with an empty p= (mailseal dns records {domain})"))
    }
}

/// The servers where the key's record was last seen wrong.
pub(super) fn wrong_at(key: &KeyEntry) -> Option<String> {
    let wrong = key.seen.as_ref()?.showing(Shown::Wrong).map(|server| server.server.as_str());
    let wrong: Vec<_> = wrong.collect();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::lifecycle::observe;
    use crate::keys::sighting::{FRESH_SECS, Observation};

    const DAY: u64 = 24 * 3600;

    fn key(name: &str, algorithm: Algorithm, state: KeyState, since: u64) -> KeyEntry {
        let selector = Selector::parse(name).unwrap();
        KeyEntry { state, ..KeyEntry::pending(selector, algorithm, since) }
    }

    fn seen(mut keys: DomainState, asked: u64, servers: &[(&str, Shown)]) -> DomainState {
        let servers = servers.iter().map(|(name, shown)| ((*name).to_owned(), *shown)).collect();
        let observation = Observation { asked, servers, negative_secs: Some(300) };
        for selector in keys.keys.iter().map(|key| key.selector.clone()).collect::<Vec<_>>() {
            observe(&mut keys, &selector, &observation);
        }
        keys
    }

    /// What the first key has before it: the step, when, and what is to be done.
    fn first(keys: &DomainState, now: u64) -> (NextStep, Option<u64>, String) {
        let domain = DomainName::parse("example.org").unwrap();
        let all = outlooks(&domain, keys, &Policy::default(), now);
        assert_eq!(all.len(), keys.keys.len());
        let Outlook { next, at, todo, .. } = all[0].clone();
        (next, at, todo.unwrap_or_default())
    }

    #[test]
    fn a_pending_key_says_what_it_waits_for() {
        let keys = DomainState { keys: vec![key("a", Algorithm::Rsa, KeyState::Pending, 1)] };
        for (servers, at, said) in [
            (None, None, "publish its record (mailseal dns records example.org)"),
            (Some(&[("ns1", Shown::Right), ("ns2", Shown::Wrong)][..]), None, "not right at ns2"),
            (Some(&[("ns1", Shown::Silent)]), None, "why no authoritative name server"),
            (
                Some(&[("ns1", Shown::Right), ("ns2", Shown::Silent)]),
                Some(10 + 3 * DAY),
                "see why ns2 does not answer",
            ),
            (Some(&[("ns1", Shown::Right)]), Some(310), ""),
        ] {
            let keys = servers.map_or(keys.clone(), |servers| seen(keys.clone(), 10, servers));
            let (next, found, todo) = first(&keys, 20);
            assert_eq!((next, found), (NextStep::Activate, at), "{servers:?}");
            assert!(todo.contains(said) && todo.is_empty() == said.is_empty(), "{todo}");
        }
        let ready = seen(keys, 10, &[("ns1", Shown::Right)]);
        assert_eq!(first(&ready, 310), (NextStep::Activate, Some(310), String::new()));
        assert!(first(&ready, 11 + FRESH_SECS).2.contains("mailseal serve running"));
    }

    #[test]
    fn a_ready_key_that_waits_for_another_says_so() {
        let mut keys = DomainState { keys: vec![key("a", Algorithm::Rsa, KeyState::Pending, 1)] };
        keys = seen(keys, 10, &[("ns1", Shown::Right)]);
        keys.keys.push(key("b", Algorithm::Ed25519, KeyState::Pending, 1));
        assert!(first(&keys, 400).2.starts_with("it waits for b"));
        let mut passed = key("a", Algorithm::Rsa, KeyState::Pending, 1);
        passed.selector = Selector::parse("old").unwrap();
        keys.keys.insert(0, passed);
        let (next, _, todo) = first(&keys, 400);
        assert!(
            next == NextStep::OnOrder && todo.contains("keys revoke example.org old"),
            "{todo}"
        );
    }

    #[test]
    fn what_signs_is_to_be_published_and_not_to_grow_old() {
        let keys = DomainState { keys: vec![key("a", Algorithm::Rsa, KeyState::Active, 0)] };
        assert_eq!(first(&keys, 10), (NextStep::Rotate, None, String::new()));
        assert!(first(&keys, 200 * DAY).2.contains("has signed for 200 days"));
        let gone = seen(keys, 10, &[("ns1", Shown::Wrong)]);
        assert!(first(&gone, 20).2.contains("it signs, and its record is not right at ns1"));
    }

    #[test]
    fn what_no_longer_signs_says_until_when_its_record_stays() {
        let of = |state| DomainState { keys: vec![key("a", Algorithm::Rsa, state, 0)] };
        let (next, at, todo) = first(&of(KeyState::Retiring), 10);
        assert_eq!((next, at), (NextStep::Revoke, Some(7 * DAY)));
        assert_eq!(todo, "leave its record until 1970-01-08T00:00:00Z");
        let (next, at, todo) = first(&of(KeyState::Revoked), 10);
        assert_eq!((next, at), (NextStep::Remove, Some(30 * DAY)));
        assert!(todo.contains("with an empty p="));
        let done = seen(of(KeyState::Revoked), 10, &[("ns1", Shown::Right)]);
        assert_eq!(first(&done, 20).2, "");
        assert_eq!(first(&of(KeyState::Removed), 10), (NextStep::Nothing, None, String::new()));
    }
}
