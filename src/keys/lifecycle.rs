//! What becomes of a key: Pending, Active, Retiring, Revoked, Removed. Pure: the state and the
//! time in, the next state out.
//!
//! At most one key of an algorithm is active, and key and selector change in one step.

use super::domain::Selector;
use super::state::{Algorithm, DomainState, KeyEntry, KeyState, rfc3339};

/// A transition that the lifecycle does not have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LifecycleError {
    /// Nothing to activate.
    #[error("no key is pending; run: mailseal keys generate DOMAIN")]
    NonePending,
    /// No key has that selector.
    #[error("no key has the selector {0}; mailseal keys list shows the keys")]
    Unknown(Selector),
    /// Only pending keys can be activated.
    #[error("the key {0} is {1}; only a pending key can be activated")]
    NotPending(Selector, KeyState),
}

/// Puts a new key at the end, pending.
pub(super) fn add_pending(
    state: &mut DomainState,
    selector: Selector,
    algorithm: Algorithm,
    now: u64,
) {
    state.keys.push(KeyEntry { selector, algorithm, state: KeyState::Pending, since: now });
}

/// Activates one pending key, or the newest of each algorithm; what was active before it retires.
/// Returns the selectors that are active now.
pub(super) fn activate(
    state: &mut DomainState,
    selector: Option<&Selector>,
    now: u64,
) -> Result<Vec<Selector>, LifecycleError> {
    let chosen = match selector {
        Some(selector) => vec![pending(state, selector)?],
        None => newest_pending(state),
    };
    if chosen.is_empty() {
        return Err(LifecycleError::NonePending);
    }
    for (selector, algorithm) in &chosen {
        for key in state.keys.iter_mut().filter(|key| key.algorithm == *algorithm) {
            let next = match key.state {
                KeyState::Pending if key.selector == *selector => KeyState::Active,
                KeyState::Active => KeyState::Retiring,
                _ => continue,
            };
            (key.state, key.since) = (next, now);
        }
    }
    Ok(chosen.into_iter().map(|(selector, _)| selector).collect())
}

fn pending(
    state: &DomainState,
    selector: &Selector,
) -> Result<(Selector, Algorithm), LifecycleError> {
    let unknown = || LifecycleError::Unknown(selector.clone());
    let key = state.entry(selector).ok_or_else(unknown)?;
    match key.state {
        KeyState::Pending => Ok((key.selector.clone(), key.algorithm)),
        other => Err(LifecycleError::NotPending(selector.clone(), other)),
    }
}

fn newest_pending(state: &DomainState) -> Vec<(Selector, Algorithm)> {
    let newest = |algorithm| {
        let of_it = |key: &&KeyEntry| key.algorithm == algorithm && key.state == KeyState::Pending;
        // The last of equals: of the same second, the one made later.
        let key = state.keys.iter().filter(of_it).max_by_key(|key| key.since)?;
        Some((key.selector.clone(), algorithm))
    };
    [Algorithm::Rsa, Algorithm::Ed25519].into_iter().filter_map(newest).collect()
}

/// The dated selector of a new key, `s2026-11-a`, with the first letter that `is_taken` leaves.
pub(super) fn dated_selector(now: u64, is_taken: impl Fn(&Selector) -> bool) -> Option<Selector> {
    let month = rfc3339(now);
    let month = month.get(.."2026-11".len())?;
    let names = (b'a'..=b'z').map(|letter| format!("s{month}-{}", char::from(letter)));
    names.filter_map(|name| Selector::parse(&name).ok()).find(|selector| !is_taken(selector))
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Ed25519, Rsa};
    use super::KeyState::{Active, Pending, Retiring};
    use super::*;

    fn selector(text: &str) -> Selector {
        Selector::parse(text).unwrap()
    }

    fn state(keys: &[(&str, Algorithm, KeyState, u64)]) -> DomainState {
        let entry = |(name, algorithm, state, since): &(&str, _, _, _)| KeyEntry {
            selector: selector(name),
            algorithm: *algorithm,
            state: *state,
            since: *since,
        };
        DomainState { keys: keys.iter().map(entry).collect() }
    }

    #[test]
    fn the_newest_of_each_algorithm_replaces_the_active_one() {
        let mut keys = state(&[
            ("a", Rsa, Active, 1),
            ("b", Ed25519, Active, 1),
            ("c", Rsa, Pending, 2),
            ("d", Rsa, Pending, 3),
        ]);
        assert_eq!(activate(&mut keys, None, 9), Ok(vec![selector("d")]));
        let expected = state(&[
            ("a", Rsa, Retiring, 9),
            ("b", Ed25519, Active, 1),
            ("c", Rsa, Pending, 2),
            ("d", Rsa, Active, 9),
        ]);
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_named_key_is_activated_alone() {
        let mut keys = state(&[("a", Rsa, Pending, 1), ("b", Rsa, Pending, 2)]);
        assert_eq!(activate(&mut keys, Some(&selector("a")), 9), Ok(vec![selector("a")]));
        assert_eq!(keys, state(&[("a", Rsa, Active, 9), ("b", Rsa, Pending, 2)]));
    }

    #[test]
    fn what_is_not_pending_stays_as_it_is() {
        let before = state(&[("a", Rsa, Active, 1), ("b", Rsa, Retiring, 1)]);
        let mut keys = before.clone();
        assert_eq!(activate(&mut keys, None, 9), Err(LifecycleError::NonePending));
        for (name, error) in [
            ("a", LifecycleError::NotPending(selector("a"), Active)),
            ("b", LifecycleError::NotPending(selector("b"), Retiring)),
            ("c", LifecycleError::Unknown(selector("c"))),
        ] {
            assert_eq!(activate(&mut keys, Some(&selector(name)), 9), Err(error));
        }
        assert_eq!(keys, before);
    }

    #[test]
    fn selectors_are_dated_and_lettered() {
        let now = 1_795_261_620;
        let named = |taken: &[&str]| {
            dated_selector(now, |selector| taken.contains(&selector.as_str()))
                .map(|s| s.to_string())
        };
        assert_eq!(named(&[]).as_deref(), Some("s2026-11-a"));
        assert_eq!(named(&["s2026-11-a", "s2026-11-b"]).as_deref(), Some("s2026-11-c"));
        assert_eq!(dated_selector(now, |_| true), None);
    }
}
