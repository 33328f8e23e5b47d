//! How a change of a domain is brought to disk: the new state, the steps, and what happened. Pure.
//!
//! A private key is on disk under its name before the state file names it, and is destroyed only
//! after the state file says that it is removed. Until the state file is written, the key also has
//! a name that starts with `.new-`: that tells what an interrupted change left from what somebody
//! put there.

use std::path::{Path, PathBuf};

use super::domain::Selector;
use super::event::Event;
use super::lifecycle::{self, Transition};
use super::policy::Policy;
use super::state::{Algorithm, DomainState};
use super::steps::Step;

/// The state file's name.
pub const STATE: &str = "state.toml";

/// The beginning of names of files that are being written.
pub const UNFINISHED: &str = ".new-";

/// A key that is to be put into the store.
pub struct NewKey {
    /// Its selector, which no key of the domain has.
    pub selector: Selector,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its private half, PEM.
    pub pem: String,
}

/// A change of a domain.
#[derive(Debug)]
pub struct Plan {
    /// The state after it.
    pub state: DomainState,
    /// What happened.
    pub events: Vec<Event>,
    /// How it is brought to disk.
    pub steps: Vec<Step>,
}

/// The change that transitions and new keys make of a domain whose files lie in `dir`.
pub fn change(
    dir: &Path,
    before: &DomainState,
    transitions: &[Transition],
    made: Vec<NewKey>,
    policy: &Policy,
    now: u64,
) -> Plan {
    let mut state = before.clone();
    let mut events = Vec::new();
    for transition in transitions {
        events.extend(lifecycle::apply(&mut state, transition, policy, now));
    }
    let (mut steps, mut unfinished) = (Vec::new(), Vec::new());
    for NewKey { selector, algorithm, pem } in made {
        let (written, path) = (unfinished_path(dir, &selector), pem_path(dir, &selector));
        steps.extend([Step::Write(written.clone(), pem), Step::Link(written.clone(), path)]);
        unfinished.push(Step::Unlink(written));
        events.push(lifecycle::add(&mut state, selector, algorithm, now));
    }
    if !unfinished.is_empty() {
        steps.push(Step::Sync(dir.to_owned()));
    }
    if state != *before {
        steps.extend(write_state(dir, &state));
    }
    let removed = events.iter().filter_map(|event| match event {
        Event::Removed(selector) => Some(selector),
        _ => None,
    });
    steps.extend(removed.flat_map(|selector| destroy(dir, selector)));
    steps.extend(unfinished);
    Plan { state, events, steps }
}

/// The steps that put a state file in place of the one before.
pub fn write_state(dir: &Path, state: &DomainState) -> [Step; 3] {
    let (written, path) = (dir.join(format!("{UNFINISHED}{STATE}")), dir.join(STATE));
    [
        Step::Write(written.clone(), state.to_text()),
        Step::Rename(written, path),
        Step::Sync(dir.to_owned()),
    ]
}

/// The steps that destroy a private key.
pub(super) fn destroy(dir: &Path, selector: &Selector) -> [Step; 3] {
    let path = pem_path(dir, selector);
    [Step::Erase(path.clone()), Step::Unlink(path), Step::Sync(dir.to_owned())]
}

/// Where a private key lies.
pub(super) fn pem_path(dir: &Path, selector: &Selector) -> PathBuf {
    dir.join(format!("{selector}.pem"))
}

/// Where it is written first.
pub(super) fn unfinished_path(dir: &Path, selector: &Selector) -> PathBuf {
    dir.join(format!("{UNFINISHED}{selector}.pem"))
}
