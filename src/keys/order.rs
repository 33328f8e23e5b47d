//! What the operator orders, and which transitions carry it out. Pure.
//!
//! An order that would break mail is refused with what to do instead; most take a `force`, whose
//! price is in the event that comes of it.

use super::advice::wrong_at;
use super::domain::Selector;
use super::event::Grounds;
use super::lifecycle::{Transition, leaves_at, rotated, successor};
use super::policy::Policy;
use super::readiness::readiness;
use super::state::{Algorithm, DomainState, KeyEntry, KeyState, rfc3339};

pub use super::refusal::LifecycleError;

/// What the operator orders for a domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Make the next keys, of these algorithms or of those that the policy rotates.
    Rotate(Option<Vec<Algorithm>>),
    /// Sign with a pending key, or the newest of each algorithm.
    Activate {
        /// The key.
        selector: Option<Selector>,
        /// Whatever DNS shows.
        force: bool,
    },
    /// Sign no longer with a key that has no successor.
    Retire {
        /// The key.
        selector: Selector,
        /// Even where no key of the domain is left to sign.
        force: bool,
    },
    /// Withdraw a key.
    Revoke {
        /// The key.
        selector: Selector,
        /// In an emergency: though mail is on its way that it signed. A pending successor that is
        /// ready takes over in the same step.
        now: bool,
        /// Even where nothing takes over.
        force: bool,
    },
    /// Sign again with the key before, of that algorithm or of those that were swapped last.
    RollBack {
        /// The algorithm.
        algorithm: Option<Algorithm>,
        /// Even where the record of the key before has been seen to be gone.
        force: bool,
    },
}

/// The transitions that carry an order out.
pub fn plan(
    state: &DomainState,
    order: &Order,
    policy: &Policy,
    now: u64,
) -> Result<Vec<Transition>, LifecycleError> {
    if !policy.primary {
        return Err(LifecycleError::NotPrimary);
    }
    match order {
        Order::Rotate(algorithms) => rotate(state, algorithms.as_deref(), policy),
        Order::Activate { selector, force } => {
            activate(state, selector.as_ref(), *force, policy, now)
        }
        Order::Retire { selector, force } => retire(state, selector, *force),
        Order::Revoke { selector, now: at_once, force } => {
            let key = known(state, selector)?;
            match key.state {
                KeyState::Revoked | KeyState::Removed => {
                    Err(LifecycleError::Withdrawn(selector.clone(), key.state))
                }
                KeyState::Pending => Ok(vec![Transition::Revoke(selector.clone(), None)]),
                KeyState::Retiring => revoke_retiring(key, *at_once || *force, policy, now),
                KeyState::Active if *at_once || *force => {
                    revoke_active(state, key, *force, policy, now)
                }
                KeyState::Active => Err(LifecycleError::StillSigns(selector.clone())),
            }
        }
        Order::RollBack { algorithm, force } => roll_back(state, *algorithm, *force),
    }
}

fn known<'a>(state: &'a DomainState, selector: &Selector) -> Result<&'a KeyEntry, LifecycleError> {
    state.entry(selector).ok_or_else(|| LifecycleError::Unknown(selector.clone()))
}

fn rotate(
    state: &DomainState,
    algorithms: Option<&[Algorithm]>,
    policy: &Policy,
) -> Result<Vec<Transition>, LifecycleError> {
    let algorithms = algorithms.map_or_else(|| rotated(state, policy), <[_]>::to_vec);
    let pending = algorithms.iter().find_map(|algorithm| successor(state, *algorithm));
    let lacks_one = |algorithm: &Algorithm| successor(state, *algorithm).is_none();
    let made: Vec<_> = algorithms.iter().copied().filter(lacks_one).collect();
    match pending {
        // Where one of two was made, a repeated order makes the other.
        Some(pending) if made.is_empty() => {
            Err(LifecycleError::AlreadyPending(pending.selector.clone()))
        }
        _ => Ok(vec![Transition::Make(made)]),
    }
}

fn activate(
    state: &DomainState,
    selector: Option<&Selector>,
    force: bool,
    policy: &Policy,
    now: u64,
) -> Result<Vec<Transition>, LifecycleError> {
    let chosen = match selector {
        Some(selector) => vec![known(state, selector)?],
        None => newest_pending(state),
    };
    if chosen.is_empty() {
        return Err(LifecycleError::NonePending);
    }
    let grounds = |key: &KeyEntry| grounds(key, force, policy, now);
    let keys: Result<Vec<_>, _> = chosen.into_iter().map(grounds).collect();
    Ok(vec![Transition::Activate(keys?)])
}

/// The newest pending key of each algorithm, also one that was passed over.
fn newest_pending(state: &DomainState) -> Vec<&KeyEntry> {
    let newest = |algorithm| {
        let pending =
            |key: &&KeyEntry| key.algorithm == algorithm && key.state == KeyState::Pending;
        // The last of equals: of the same second, the one made later.
        state.keys.iter().filter(pending).max_by_key(|key| key.since)
    };
    Algorithm::ALL.into_iter().filter_map(newest).collect()
}

fn grounds(
    key: &KeyEntry,
    force: bool,
    policy: &Policy,
    now: u64,
) -> Result<(Selector, Grounds), LifecycleError> {
    let selector = key.selector.clone();
    if key.state != KeyState::Pending {
        return Err(LifecycleError::NotPending(selector, key.state));
    }
    match readiness(key, policy, now) {
        Ok(silent) => Ok((selector, Grounds::seen(silent))),
        Err(wait) if force => Ok((selector, Grounds::Forced(wait))),
        Err(wait) => Err(LifecycleError::NotReady(selector, wait)),
    }
}

fn retire(
    state: &DomainState,
    selector: &Selector,
    force: bool,
) -> Result<Vec<Transition>, LifecycleError> {
    let key = known(state, selector)?;
    if key.state != KeyState::Active {
        return Err(LifecycleError::NotActive(selector.clone(), key.state));
    }
    let is_other =
        |other: &KeyEntry| other.state == KeyState::Active && other.selector != *selector;
    if !force && !state.keys.iter().any(is_other) {
        return Err(LifecycleError::LastActive(selector.clone()));
    }
    Ok(vec![Transition::Retire(selector.clone())])
}

fn revoke_retiring(
    key: &KeyEntry,
    early: bool,
    policy: &Policy,
    now: u64,
) -> Result<Vec<Transition>, LifecycleError> {
    let selector = key.selector.clone();
    match leaves_at(key, policy).filter(|at| *at > now) {
        None => Ok(vec![Transition::Revoke(selector, None)]),
        Some(at) if early => {
            let suffers =
                format!("mail that it signed and that arrives before {} fails", rfc3339(at));
            Ok(vec![Transition::Revoke(selector, Some(suffers))])
        }
        Some(at) => Err(LifecycleError::Retained(selector, rfc3339(at))),
    }
}

/// A ready successor takes over and the key is revoked, in one write of the state.
fn revoke_active(
    state: &DomainState,
    key: &KeyEntry,
    force: bool,
    policy: &Policy,
    now: u64,
) -> Result<Vec<Transition>, LifecycleError> {
    let selector = key.selector.clone();
    let next = successor(state, key.algorithm).map(|next| (next, readiness(next, policy, now)));
    let suffers = format!(
        "mail that it signed and that arrives before {} fails",
        rfc3339(now.saturating_add(policy.retention_secs()))
    );
    match next {
        Some((next, Ok(silent))) => {
            let next = (next.selector.clone(), Grounds::seen(silent));
            Ok(vec![Transition::Activate(vec![next]), Transition::Revoke(selector, Some(suffers))])
        }
        // An unsigned message is better than one whose key nobody finds: the successor waits.
        _ if force => {
            let suffers = format!("{suffers}; new mail leaves unsigned until a successor signs");
            Ok(vec![Transition::Revoke(selector, Some(suffers))])
        }
        next => {
            let waits = next.and_then(|(next, ready)| Some((&next.selector, ready.err()?)));
            let waits = waits.map(|(next, wait)| format!(": the key {next} must wait: {wait}"));
            Err(LifecycleError::NoSuccessor(selector, waits.unwrap_or_default()))
        }
    }
}

fn roll_back(
    state: &DomainState,
    algorithm: Option<Algorithm>,
    force: bool,
) -> Result<Vec<Transition>, LifecycleError> {
    let retiring = |key: &&KeyEntry| {
        key.state == KeyState::Retiring && algorithm.is_none_or(|named| named == key.algorithm)
    };
    let last = state.keys.iter().filter(retiring).map(|key| key.since).max();
    let swapped = |key: &&KeyEntry| retiring(key) && Some(key.since) == last;
    let mut back: Vec<&KeyEntry> = Vec::new();
    for key in state.keys.iter().filter(swapped) {
        // One of an algorithm: of the same second, the one made later.
        back.retain(|other| other.algorithm != key.algorithm);
        back.push(key);
    }
    if back.is_empty() {
        return Err(LifecycleError::NoneRetiring);
    }
    if let Some((key, wrong)) = back.iter().find_map(|key| Some((key, wrong_at(key)?)))
        && !force
    {
        return Err(LifecycleError::RecordGone(key.selector.clone(), wrong));
    }
    Ok(vec![Transition::RollBack(back.into_iter().map(|key| key.selector.clone()).collect())])
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Ed25519, Rsa};
    use super::KeyState::{Active, Pending, Removed, Retiring, Revoked};
    use super::*;
    use crate::keys::lifecycle::observe;
    use crate::keys::readiness::Wait;
    use crate::keys::sighting::{Observation, Shown};

    const DAY: u64 = 24 * 3600;

    fn selector(text: &str) -> Selector {
        Selector::parse(text).unwrap()
    }

    /// Keys named a, b, c, ..., each in its state since its place in seconds.
    fn state(keys: &[(Algorithm, KeyState)]) -> DomainState {
        let entry = |(index, (algorithm, state)): (usize, &(Algorithm, KeyState))| {
            let name = char::from(b'a' + index as u8).to_string();
            let pending = KeyEntry::pending(selector(&name), *algorithm, index as u64);
            KeyEntry { state: *state, ..pending }
        };
        DomainState { keys: keys.iter().enumerate().map(entry).collect() }
    }

    fn seen(mut keys: DomainState, name: &str, shown: Shown) -> DomainState {
        let servers = vec![("ns1".to_owned(), shown)];
        let observation = Observation { asked: 1000, servers, negative_secs: Some(300) };
        observe(&mut keys, &selector(name), &observation);
        keys
    }

    fn planned(keys: &DomainState, order: &Order) -> Result<Vec<Transition>, LifecycleError> {
        plan(keys, order, &Policy::default(), 1300)
    }

    fn activation(name: &str, grounds: Grounds) -> Transition {
        Transition::Activate(vec![(selector(name), grounds)])
    }

    #[test]
    fn a_rotation_makes_what_signs_and_is_not_begun_twice() {
        let rotate = Order::Rotate(None);
        assert_eq!(planned(&state(&[]), &rotate), Ok(vec![Transition::Make(vec![Rsa])]));
        let both = [(Rsa, Active), (Ed25519, Active)];
        let made = Ok(vec![Transition::Make(vec![Rsa, Ed25519])]);
        assert_eq!(planned(&state(&both), &rotate), made);
        let begun = state(&[both[0], both[1], (Rsa, Pending)]);
        assert_eq!(planned(&begun, &rotate), Ok(vec![Transition::Make(vec![Ed25519])]));
        let again = Order::Rotate(Some(vec![Rsa]));
        assert_eq!(planned(&begun, &again), Err(LifecycleError::AlreadyPending(selector("c"))));
    }

    #[test]
    fn activation_waits_for_dns_or_is_forced() {
        let keys = state(&[(Rsa, Active), (Rsa, Pending)]);
        let activate = |force| Order::Activate { selector: None, force };
        let unseen = Err(LifecycleError::NotReady(selector("b"), Wait::NeverAsked));
        assert_eq!(planned(&keys, &activate(false)), unseen);
        let forced = activation("b", Grounds::Forced(Wait::NeverAsked));
        assert_eq!(planned(&keys, &activate(true)), Ok(vec![forced]));
        let keys = seen(keys, "b", Shown::Right);
        // What needs no force is not told as forced.
        let ready = Ok(vec![activation("b", Grounds::Seen)]);
        assert_eq!(planned(&keys, &activate(true)), ready);
        assert_eq!(planned(&keys, &activate(false)), ready);
        for (name, error) in [
            ("a", LifecycleError::NotPending(selector("a"), Active)),
            ("x", LifecycleError::Unknown(selector("x"))),
        ] {
            let order = Order::Activate { selector: Some(selector(name)), force: true };
            assert_eq!(planned(&keys, &order), Err(error));
        }
        assert_eq!(planned(&state(&[]), &activate(true)), Err(LifecycleError::NonePending));
    }

    #[test]
    fn the_last_key_that_signs_is_not_retired_by_mistake() {
        let retire = |force| Order::Retire { selector: selector("a"), force };
        let done = Ok(vec![Transition::Retire(selector("a"))]);
        let last = state(&[(Rsa, Active), (Rsa, Pending)]);
        assert_eq!(planned(&last, &retire(false)), Err(LifecycleError::LastActive(selector("a"))));
        assert_eq!(planned(&last, &retire(true)), done);
        let other = state(&[(Ed25519, Active), (Rsa, Active)]);
        assert_eq!(planned(&other, &retire(false)), done);
        let pending = state(&[(Rsa, Pending)]);
        let refused = Err(LifecycleError::NotActive(selector("a"), Pending));
        assert_eq!(planned(&pending, &retire(true)), refused);
    }

    fn revoke(name: &str, now: bool, force: bool) -> Order {
        Order::Revoke { selector: selector(name), now, force }
    }

    #[test]
    fn a_retiring_key_is_revoked_after_its_time_or_at_once_in_an_emergency() {
        let keys = state(&[(Rsa, Retiring), (Rsa, Active), (Rsa, Pending), (Rsa, Revoked)]);
        let until = rfc3339(7 * DAY);
        let retained = Err(LifecycleError::Retained(selector("a"), until.clone()));
        assert_eq!(planned(&keys, &revoke("a", false, false)), retained);
        let suffers = format!("mail that it signed and that arrives before {until} fails");
        let early = Ok(vec![Transition::Revoke(selector("a"), Some(suffers))]);
        assert_eq!(planned(&keys, &revoke("a", true, false)), early);
        let due = plan(&keys, &revoke("a", false, false), &Policy::default(), 7 * DAY);
        assert_eq!(due, Ok(vec![Transition::Revoke(selector("a"), None)]));
        let never_signed = Ok(vec![Transition::Revoke(selector("c"), None)]);
        assert_eq!(planned(&keys, &revoke("c", false, false)), never_signed);
        let again = Err(LifecycleError::Withdrawn(selector("d"), Revoked));
        assert_eq!(planned(&keys, &revoke("d", true, true)), again);
    }

    #[test]
    fn an_active_key_is_revoked_with_its_successor_or_by_force() {
        let keys = state(&[(Rsa, Active), (Rsa, Pending)]);
        let still = Err(LifecycleError::StillSigns(selector("a")));
        assert_eq!(planned(&keys, &revoke("a", false, false)), still);
        let refused = planned(&keys, &revoke("a", true, false)).unwrap_err();
        let said = "the key b must wait: its record has not been looked for yet; rotate, publish";
        assert!(refused.to_string().contains(said), "{refused}");
        let forced = planned(&keys, &revoke("a", true, true)).unwrap();
        let [Transition::Revoke(_, Some(suffers))] = forced.as_slice() else {
            panic!("{forced:?}")
        };
        assert!(suffers.contains("unsigned"), "{suffers}");
        let ready = planned(&seen(keys, "b", Shown::Right), &revoke("a", true, false)).unwrap();
        assert_eq!(ready[0], activation("b", Grounds::Seen));
        assert!(matches!(&ready[1], Transition::Revoke(a, Some(_)) if *a == selector("a")));
        let alone = planned(&state(&[(Rsa, Active)]), &revoke("a", true, false));
        assert_eq!(alone, Err(LifecycleError::NoSuccessor(selector("a"), String::new())));
    }

    #[test]
    fn a_rollback_undoes_the_last_swap() {
        let mut keys =
            state(&[(Rsa, Retiring), (Rsa, Retiring), (Rsa, Active), (Ed25519, Retiring)]);
        keys.keys[3].since = 1;
        let back = |algorithm, force| Order::RollBack { algorithm, force };
        let to = |names: &[&str]| {
            Ok(vec![Transition::RollBack(names.iter().map(|name| selector(name)).collect())])
        };
        assert_eq!(planned(&keys, &back(None, false)), to(&["b", "d"]));
        assert_eq!(planned(&keys, &back(Some(Ed25519), false)), to(&["d"]));
        let gone = seen(keys, "b", Shown::Wrong);
        let refused = Err(LifecycleError::RecordGone(selector("b"), "ns1".to_owned()));
        assert_eq!(planned(&gone, &back(Some(Rsa), false)), refused);
        assert_eq!(planned(&gone, &back(Some(Rsa), true)), to(&["b"]));
        let none = state(&[(Rsa, Removed), (Rsa, Active)]);
        assert_eq!(planned(&none, &back(None, true)), Err(LifecycleError::NoneRetiring));
    }
}
