//! What becomes of a key: Pending, Active, Retiring, Revoked, Removed. Pure: the state, the policy,
//! what DNS showed and the time in; what is due, and the next state, out.
//!
//! At most one key of an algorithm is active, and key and selector change in one step. A record
//! stays published for as long as mail signed with it may be on its way (RFC 6376 §6.1.2 has
//! verifiers look it up when the message arrives, whenever that is).

use super::domain::Selector;
use super::event::{Event, Grounds};
use super::policy::Policy;
use super::readiness::readiness;
use super::sighting::{Observation, Sighting};
use super::state::{Algorithm, DomainState, KeyEntry, KeyState};

/// A change of the state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transition {
    /// New keys are made, pending. Their selectors are chosen when that is done.
    Make(Vec<Algorithm>),
    /// These sign; what signed before retires.
    Activate(Vec<(Selector, Grounds)>),
    /// It no longer signs, and nothing takes its place.
    Retire(Selector),
    /// Its record is replaced by one with an empty `p=`. With a reason where mail suffers.
    Revoke(Selector, Option<String>),
    /// Its private half is destroyed.
    Remove(Selector),
    /// These retiring keys sign again; what signed before retires.
    RollBack(Vec<Selector>),
}

/// What is due, in the order in which it is done; nothing on a machine that is not the primary.
pub fn due(state: &DomainState, policy: &Policy, now: u64) -> Vec<Transition> {
    if !policy.primary {
        return Vec::new();
    }
    let mut due: Vec<Transition> = activation(state, policy, now).into_iter().collect();
    for key in &state.keys {
        let selector = key.selector.clone();
        match key.state {
            _ if leaves_at(key, policy).is_none_or(|at| at > now) => {}
            KeyState::Retiring => due.push(Transition::Revoke(selector, None)),
            KeyState::Revoked => due.push(Transition::Remove(selector)),
            _ => {}
        }
    }
    let made = to_make(state, policy, now);
    due.extend((!made.is_empty()).then_some(Transition::Make(made)));
    due
}

/// When time alone ends a key's state, in seconds since 1970. For an active key that is when a
/// successor is made, as the schedule is today; for a retiring or revoked one the later of what
/// was promised when it came there, and what the policy says today.
pub fn leaves_at(key: &KeyEntry, policy: &Policy) -> Option<u64> {
    let secs = match key.state {
        KeyState::Active => return Some(key.since.saturating_add(policy.every_secs?)),
        KeyState::Retiring => policy.retention_secs(),
        KeyState::Revoked => policy.revoked_secs,
        KeyState::Pending | KeyState::Removed => return None,
    };
    Some(key.since.saturating_add(secs).max(key.due.unwrap_or(0)))
}

/// The pending key of an algorithm that takes over by itself: the newest that was made since the
/// active one came to sign. An older one was passed over, and waits to be named.
pub fn successor(state: &DomainState, algorithm: Algorithm) -> Option<&KeyEntry> {
    let place = |key: &KeyEntry| state.keys.iter().position(|other| other.selector == key.selector);
    let active = state.active(algorithm).map(|key| (key.since, place(key)));
    let pending = |key: &&KeyEntry| key.algorithm == algorithm && key.state == KeyState::Pending;
    let newest = state.keys.iter().filter(pending).max_by_key(|key| (key.since, place(key)))?;
    (Some((newest.since, place(newest))) > active).then_some(newest)
}

/// What a rotation of the domain makes.
pub fn rotated(state: &DomainState, policy: &Policy) -> Vec<Algorithm> {
    if !policy.algorithms.is_empty() {
        return policy.algorithms.clone();
    }
    let active = |algorithm: &Algorithm| state.active(*algorithm).is_some();
    let algorithms: Vec<_> = Algorithm::ALL.into_iter().filter(active).collect();
    if algorithms.is_empty() { vec![Algorithm::Rsa] } else { algorithms }
}

/// The pending keys that take over, where all that rotate in step are ready.
fn activation(state: &DomainState, policy: &Policy, now: u64) -> Option<Transition> {
    let successors = Algorithm::ALL.into_iter().filter_map(|algorithm| successor(state, algorithm));
    let (mut ready, mut waiting) = (Vec::new(), 0);
    for key in successors {
        match readiness(key, policy, now) {
            Ok(silent) => ready.push((key.selector.clone(), Grounds::seen(silent))),
            Err(_) => waiting += 1,
        }
    }
    let held = policy.together && waiting > 0;
    (!ready.is_empty() && !held).then_some(Transition::Activate(ready))
}

/// The algorithms that are due for a new key: those whose key has signed long enough, and in step
/// with them, or where they have no key yet, the others.
fn to_make(state: &DomainState, policy: &Policy, now: u64) -> Vec<Algorithm> {
    let is_old = |algorithm: &Algorithm| {
        let active = state.active(*algorithm);
        active.and_then(|key| leaves_at(key, policy)).is_some_and(|at| at <= now)
    };
    let algorithms = rotated(state, policy);
    if !algorithms.iter().any(is_old) {
        return Vec::new();
    }
    let takes_part = |algorithm: &Algorithm| {
        policy.together || is_old(algorithm) || state.active(*algorithm).is_none()
    };
    let lacks_one = |algorithm: &Algorithm| successor(state, *algorithm).is_none();
    algorithms.into_iter().filter(takes_part).filter(lacks_one).collect()
}

/// Carries a transition out on the state and says what happened. New keys come in by `add`; what a
/// key's state does not allow is left alone.
pub fn apply(
    state: &mut DomainState,
    transition: &Transition,
    policy: &Policy,
    now: u64,
) -> Vec<Event> {
    let change = &mut Change { state, policy, now };
    match transition {
        Transition::Make(_) => Vec::new(),
        Transition::Activate(keys) => {
            let activated = keys.iter().filter_map(|(selector, grounds)| {
                change.swap(selector, KeyState::Pending, |selector, retired| {
                    let grounds = grounds.clone();
                    Event::Activated { selector, retired, grounds }
                })
            });
            activated.collect()
        }
        Transition::RollBack(keys) => {
            let event = |selector, retired| Event::RolledBack { selector, retired };
            let back = |selector| change.swap(selector, KeyState::Retiring, event);
            keys.iter().filter_map(back).collect()
        }
        Transition::Retire(selector) => {
            let is_done = change.enter(selector, &[KeyState::Active], KeyState::Retiring);
            is_done.then(|| Event::Retired(selector.clone())).into_iter().collect()
        }
        Transition::Revoke(selector, suffers) => {
            let from = [KeyState::Pending, KeyState::Active, KeyState::Retiring];
            let is_done = change.enter(selector, &from, KeyState::Revoked);
            let event = || Event::Revoked { selector: selector.clone(), suffers: suffers.clone() };
            is_done.then(event).into_iter().collect()
        }
        Transition::Remove(selector) => {
            let is_done = change.enter(selector, &[KeyState::Revoked], KeyState::Removed);
            is_done.then(|| Event::Removed(selector.clone())).into_iter().collect()
        }
    }
}

/// Puts a new key at the end, pending.
pub fn add(state: &mut DomainState, selector: Selector, algorithm: Algorithm, now: u64) -> Event {
    state.keys.push(KeyEntry::pending(selector.clone(), algorithm, now));
    Event::Made { selector, algorithm }
}

/// Writes down what DNS showed of a key's record, where that is news.
pub fn observe(state: &mut DomainState, selector: &Selector, observation: &Observation) {
    let Some(key) = state.entry_mut(selector) else { return };
    let seen = Sighting::after(key.seen.as_ref(), observation);
    if key.state != KeyState::Removed && seen.is_news(key.seen.as_ref()) {
        key.seen = Some(seen);
    }
}

/// A state that is being changed.
struct Change<'a> {
    state: &'a mut DomainState,
    policy: &'a Policy,
    now: u64,
}

impl Change<'_> {
    /// Has a key sign that was in the state `from`; `event` tells of it and of the key that retired
    /// for it.
    fn swap(
        &mut self,
        selector: &Selector,
        from: KeyState,
        event: impl FnOnce(Selector, Option<Selector>) -> Event,
    ) -> Option<Event> {
        let next = self.state.entry(selector).filter(|key| key.state == from)?;
        let retired = self.state.active(next.algorithm).map(|key| key.selector.clone());
        if let Some(retired) = &retired {
            self.enter(retired, &[KeyState::Active], KeyState::Retiring);
        }
        self.enter(selector, &[from], KeyState::Active);
        Some(event(selector.clone(), retired))
    }

    fn enter(&mut self, selector: &Selector, from: &[KeyState], to: KeyState) -> bool {
        let Some(key) = self.state.entry_mut(selector).filter(|key| from.contains(&key.state))
        else {
            return false;
        };
        (key.state, key.since, key.due) = (to, self.now, None);
        key.due = leaves_at(key, self.policy);
        // From here on another record is the right one.
        if matches!(to, KeyState::Revoked | KeyState::Removed) {
            key.seen = None;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Ed25519, Rsa};
    use super::KeyState::{Active, Pending, Removed, Retiring, Revoked};
    use super::*;
    use crate::keys::readiness::Wait;
    use crate::keys::sighting::Shown;

    const DAY: u64 = 24 * 3600;

    fn selector(text: &str) -> Selector {
        Selector::parse(text).unwrap()
    }

    fn state(keys: &[(&str, Algorithm, KeyState, u64)]) -> DomainState {
        let entry = |(name, algorithm, state, since): &(&str, _, _, _)| KeyEntry {
            state: *state,
            ..KeyEntry::pending(selector(name), *algorithm, *since)
        };
        DomainState { keys: keys.iter().map(entry).collect() }
    }

    fn show(state: &mut DomainState, name: &str, asked: u64, servers: &[(&str, Shown)]) {
        let servers = servers.iter().map(|(name, shown)| ((*name).to_owned(), *shown)).collect();
        let observation = Observation { asked, servers, negative_secs: Some(300) };
        observe(state, &selector(name), &observation);
    }

    fn run(state: &mut DomainState, policy: &Policy, now: u64) -> Vec<Event> {
        let due = due(state, policy, now);
        due.iter().flat_map(|transition| apply(state, transition, policy, now)).collect()
    }

    fn states(state: &DomainState) -> Vec<KeyState> {
        state.keys.iter().map(|key| key.state).collect()
    }

    #[test]
    fn a_key_goes_through_its_life() {
        let policy = Policy::default();
        let mut keys = state(&[("a", Rsa, Active, 0), ("b", Rsa, Pending, 10)]);
        show(&mut keys, "b", 20, &[("ns1", Shown::Right), ("ns2", Shown::Wrong)]);
        show(&mut keys, "b", 100, &[("ns1", Shown::Right), ("ns2", Shown::Right)]);
        assert_eq!(due(&keys, &policy, 399), []);
        let events = run(&mut keys, &policy, 400);
        let retired = Some(selector("a"));
        let activated =
            Event::Activated { selector: selector("b"), retired, grounds: Grounds::Seen };
        assert_eq!((events, states(&keys)), (vec![activated], vec![Retiring, Active]));
        assert_eq!(keys.keys[0].due, Some(400 + 7 * DAY));

        assert_eq!(due(&keys, &policy, 399 + 7 * DAY), []);
        run(&mut keys, &policy, 400 + 7 * DAY);
        assert_eq!(states(&keys), [Revoked, Active]);
        assert_eq!(due(&keys, &policy, 399 + 37 * DAY), []);
        run(&mut keys, &policy, 400 + 37 * DAY);
        assert_eq!(states(&keys), [Removed, Active]);
        assert_eq!(due(&keys, &policy, u64::MAX), []);
    }

    #[test]
    fn the_longer_of_overlap_and_queue_counts_and_a_promise_is_kept() {
        let mut keys = state(&[("a", Rsa, Active, 0), ("b", Rsa, Pending, 1)]);
        let policy = Policy { overlap_secs: DAY, distribution_secs: 60, ..Policy::default() };
        let swap = Transition::Activate(vec![(selector("b"), Grounds::Seen)]);
        apply(&mut keys, &swap, &policy, 10);
        assert_eq!(keys.keys[0].due, Some(10 + 5 * DAY + 60));
        let shorter = Policy { queue_secs: DAY, ..policy.clone() };
        assert_eq!(leaves_at(&keys.keys[0], &shorter), Some(10 + 5 * DAY + 60));
        let longer = Policy { queue_secs: 9 * DAY, ..policy };
        assert_eq!(leaves_at(&keys.keys[0], &longer), Some(10 + 9 * DAY + 60));
    }

    #[test]
    fn a_schedule_makes_successors_once() {
        let policy = Policy { every_secs: Some(100), ..Policy::default() };
        let mut keys = state(&[("a", Rsa, Active, 0), ("b", Ed25519, Active, 50)]);
        assert_eq!(due(&keys, &policy, 99), []);
        assert_eq!(due(&keys, &policy, 100), [Transition::Make(vec![Rsa, Ed25519])]);
        let apart = Policy { together: false, ..policy.clone() };
        assert_eq!(due(&keys, &apart, 100), [Transition::Make(vec![Rsa])]);
        add(&mut keys, selector("c"), Rsa, 100);
        assert_eq!(due(&keys, &policy, 100), [Transition::Make(vec![Ed25519])]);
        add(&mut keys, selector("d"), Ed25519, 100);
        assert_eq!(due(&keys, &policy, 1000), []);
        let both = Policy { algorithms: vec![Rsa, Ed25519], ..policy };
        let keys = state(&[("a", Rsa, Active, 0)]);
        assert_eq!(due(&keys, &both, 100), [Transition::Make(vec![Rsa, Ed25519])]);
        assert_eq!(due(&state(&[]), &both, 1000), [], "what never signed is on no schedule");
    }

    #[test]
    fn both_algorithms_swap_in_step_or_apart() {
        let policy = Policy::default();
        let mut keys = state(&[("a", Rsa, Pending, 0), ("b", Ed25519, Pending, 0)]);
        show(&mut keys, "a", 0, &[("ns1", Shown::Right)]);
        assert_eq!(due(&keys, &policy, 300), []);
        let apart = Policy { together: false, ..policy.clone() };
        let first = vec![(selector("a"), Grounds::Seen)];
        assert_eq!(due(&keys, &apart, 300), [Transition::Activate(first.clone())]);
        show(&mut keys, "b", 100, &[("ns1", Shown::Right)]);
        assert_eq!(due(&keys, &policy, 399), []);
        let both = [first, vec![(selector("b"), Grounds::Seen)]].concat();
        assert_eq!(due(&keys, &policy, 400), [Transition::Activate(both)]);
    }

    #[test]
    fn a_silent_server_is_waited_for_and_then_waived() {
        let policy = Policy { waiver_secs: 5000, ..Policy::default() };
        let mut keys = state(&[("a", Rsa, Pending, 0)]);
        let half = [("ns1", Shown::Right), ("ns2", Shown::Silent)];
        for asked in [10, 2000, 5009] {
            show(&mut keys, "a", asked, &half);
            assert_eq!(due(&keys, &policy, asked), [], "at {asked}");
        }
        let silent = Wait::Silent(vec!["ns2".to_owned()], 5010);
        assert_eq!(readiness(&keys.keys[0], &policy, 5009), Err(silent));
        let waived = Grounds::Waived(vec!["ns2".to_owned()]);
        let first = vec![(selector("a"), waived)];
        assert_eq!(due(&keys, &policy, 5010), [Transition::Activate(first)]);
        // The server that comes back late begins anew.
        show(&mut keys, "a", 5011, &[("ns1", Shown::Right), ("ns2", Shown::Right)]);
        assert_eq!(due(&keys, &policy, 5310), []);
        assert_eq!(due(&keys, &policy, 5311).len(), 1);
    }

    #[test]
    fn without_an_answer_no_key_begins_to_sign() {
        let policy = Policy { waiver_secs: 0, ..Policy::default() };
        let mut keys = state(&[("a", Rsa, Pending, 0)]);
        assert_eq!(due(&keys, &policy, u64::MAX), []);
        for servers in [&[][..], &[("ns1", Shown::Silent)]] {
            show(&mut keys, "a", 10_000, servers);
            assert_eq!(readiness(&keys.keys[0], &policy, 10_000), Err(Wait::NoneReachable));
        }
        // Nor on the word of servers that have since fallen silent, or that were asked long ago.
        show(&mut keys, "a", 10_001, &[("ns1", Shown::Right)]);
        assert_eq!(readiness(&keys.keys[0], &policy, 20_000), Err(Wait::Stale(10_001)));
        show(&mut keys, "a", 20_000, &[("ns1", Shown::Silent)]);
        assert_eq!(readiness(&keys.keys[0], &policy, 20_001), Err(Wait::NoneReachable));
    }

    #[test]
    fn what_was_passed_over_waits_to_be_named() {
        let keys = state(&[("a", Rsa, Pending, 1), ("b", Rsa, Active, 5), ("c", Rsa, Pending, 2)]);
        assert_eq!(successor(&keys, Rsa), None);
        let keys = state(&[("b", Rsa, Active, 5), ("c", Rsa, Pending, 5), ("d", Rsa, Pending, 5)]);
        assert_eq!(successor(&keys, Rsa).map(|key| key.selector.as_str()), Some("d"));
    }

    #[test]
    fn a_machine_that_is_not_the_primary_does_nothing() {
        let policy = Policy { primary: false, every_secs: Some(1), ..Policy::default() };
        let mut keys =
            state(&[("a", Rsa, Retiring, 0), ("b", Rsa, Active, 0), ("c", Rsa, Pending, 1)]);
        show(&mut keys, "c", 100 * DAY, &[("ns1", Shown::Right)]);
        assert_eq!(due(&keys, &policy, 100 * DAY + 300), []);
        assert_eq!(due(&keys, &Policy { primary: true, ..policy }, 100 * DAY + 300).len(), 2);
    }

    #[test]
    fn what_a_state_does_not_allow_is_left_alone() {
        let before =
            state(&[("a", Rsa, Removed, 0), ("b", Rsa, Active, 0), ("c", Rsa, Retiring, 0)]);
        let mut keys = before.clone();
        for transition in [
            Transition::Activate(vec![
                (selector("a"), Grounds::Seen),
                (selector("c"), Grounds::Seen),
            ]),
            Transition::RollBack(vec![selector("a"), selector("x")]),
            Transition::Retire(selector("c")),
            Transition::Revoke(selector("a"), None),
            Transition::Remove(selector("b")),
            Transition::Remove(selector("c")),
        ] {
            assert_eq!(apply(&mut keys, &transition, &Policy::default(), 9), []);
        }
        assert_eq!(keys, before);
    }
}
