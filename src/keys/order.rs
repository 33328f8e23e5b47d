//! What the operator orders, and which transitions carry it out. Pure.
//!
//! An order that would break mail is refused with what to do instead; most take a `force`, whose
//! price is in the event that comes of it.

use super::advice::wrong_at;
use super::domain::Selector;
use super::event::Grounds;
use super::lifecycle::{Transition, leaves_at, rotated, successor};
use super::policy::Policy;
use super::readiness::{Wait, readiness};
use super::state::{Algorithm, DomainState, KeyEntry, KeyState, rfc3339};

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

/// Why an order is not carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LifecycleError {
    /// The store belongs to another machine.
    #[error(
        "rotation.primary is false: this machine only reads its key store; run this on the primary"
    )]
    NotPrimary,
    /// Nothing to activate.
    #[error("no key is pending; run: mailseal keys generate DOMAIN")]
    NonePending,
    /// No key has that selector.
    #[error("no key has the selector {0}; mailseal keys list shows the keys")]
    Unknown(Selector),
    /// Only pending keys can be activated.
    #[error("the key {0} is {1}; only a pending key can be activated")]
    NotPending(Selector, KeyState),
    /// The key would sign before everybody can verify it.
    #[error("the key {0} must wait: {1}; --force does not wait, and mail may fail verification")]
    NotReady(Selector, Wait),
    /// A rotation is under way.
    #[error("the key {0} is already pending; activate it, or revoke it, before the next rotation")]
    AlreadyPending(Selector),
    /// Only active keys can be retired.
    #[error("the key {0} is {1}; only an active key can be retired")]
    NotActive(Selector, KeyState),
    /// Nothing would sign.
    #[error(
        "no other key of the domain would sign; rotate and activate a successor first (that \
         retires {0}), or say --force, and mail leaves unsigned"
    )]
    LastActive(Selector),
    /// It would be withdrawn while it signs.
    #[error(
        "the key {0} signs; rotate and activate a successor first (that retires it), or say --now \
         in an emergency"
    )]
    StillSigns(Selector),
    /// Mail is on its way that needs the record.
    #[error(
        "mail signed with {0} may be on its way until {1}; wait, or say --now, and such mail fails \
         verification"
    )]
    Retained(Selector, String),
    /// A compromised key signs, and nothing is there to take over.
    #[error(
        "the key {0} signs and no successor is ready{1}; rotate, publish and activate one, or say \
         --force, and mail leaves unsigned"
    )]
    NoSuccessor(Selector, String),
    /// It is withdrawn already.
    #[error("the key {0} is {1} already")]
    Withdrawn(Selector, KeyState),
    /// No key to go back to.
    #[error("no key is retiring, so that there is none to go back to")]
    NoneRetiring,
    /// The record of the key before is gone.
    #[error("the record of {0} was not right at {1}; publish it again, or say --force")]
    RecordGone(Selector, String),
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
    let next = successor(state, key.algorithm).map(|next| grounds(next, false, policy, now));
    let suffers = format!(
        "mail that it signed and that arrives before {} fails",
        rfc3339(now.saturating_add(policy.retention_secs()))
    );
    match next {
        Some(Ok(next)) => {
            Ok(vec![Transition::Activate(vec![next]), Transition::Revoke(selector, Some(suffers))])
        }
        // An unsigned message is better than one whose key nobody finds: the successor waits.
        _ if force => {
            let suffers = format!("{suffers}; new mail leaves unsigned until a successor signs");
            Ok(vec![Transition::Revoke(selector, Some(suffers))])
        }
        Some(Err(error)) => Err(LifecycleError::NoSuccessor(selector, format!(": {error}"))),
        None => Err(LifecycleError::NoSuccessor(selector, String::new())),
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
