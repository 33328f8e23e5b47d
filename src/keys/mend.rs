//! What an interrupted change left in a domain's directory, and how it is finished. Pure.
//!
//! A key that was made and that the state file does not name yet has its `.new-` name still: it is
//! adopted, pending, so that no private key is lost. It signs only once its record is published. A
//! key without that name was put there by somebody: what it is for nobody knows, it may be an old
//! one whose record is still published, and so it is told and not used.

use std::path::Path;

use super::domain::Selector;
use super::event::Event;
use super::lifecycle;
use super::plan::{Plan, UNFINISHED, destroy, pem_path, unfinished_path, write_state};
use super::state::{Algorithm, DomainState, KeyState};
use super::steps::Step;
use crate::dkim::record::KeyType;
use crate::dkim::signing_key::SigningKey;

/// What is to be finished in `dir`, whose files are `names`; `read` gives the text of one.
pub fn mend(
    dir: &Path,
    before: &DomainState,
    names: &[String],
    read: impl Fn(&str) -> Option<String>,
    now: u64,
) -> Plan {
    let mut state = before.clone();
    let (mut events, mut links, mut adopted) = (Vec::new(), Vec::new(), Vec::new());
    let mut steps = Vec::new();
    for name in names.iter().filter(|name| name.starts_with(UNFINISHED)) {
        let Some((selector, algorithm)) = adoptable(name, before, &read) else {
            events.push(Event::Cleared(dir.join(name)));
            steps.push(Step::Unlink(dir.join(name)));
            continue;
        };
        let (written, path) = (unfinished_path(dir, &selector), pem_path(dir, &selector));
        if !names.contains(&format!("{selector}.pem")) {
            links.push(Step::Link(written.clone(), path));
        }
        adopted.push(Step::Unlink(written));
        lifecycle::add(&mut state, selector.clone(), algorithm, now);
        events.push(Event::Adopted { selector, algorithm });
    }
    if state != *before {
        steps.extend(links);
        steps.push(Step::Sync(dir.to_owned()));
        steps.extend(write_state(dir, &state));
        steps.extend(adopted);
    }
    for key in before.keys.iter().filter(|key| key.state == KeyState::Removed) {
        if names.contains(&format!("{}.pem", key.selector)) {
            steps.extend(destroy(dir, &key.selector));
            events.push(Event::Cleared(pem_path(dir, &key.selector)));
        }
    }
    Plan { state, events, steps }
}

/// The key in an unfinished file, where it is whole and neither named in the state file nor in the
/// way of another file.
fn adoptable(
    name: &str,
    state: &DomainState,
    read: impl Fn(&str) -> Option<String>,
) -> Option<(Selector, Algorithm)> {
    let stem = name.strip_prefix(UNFINISHED)?.strip_suffix(".pem")?;
    let selector = Selector::parse(stem).ok().filter(|selector| selector.as_str() == stem)?;
    let pem = read(name)?;
    let other = read(&format!("{stem}.pem"));
    if state.entry(&selector).is_some() || other.is_some_and(|other| other != pem) {
        return None;
    }
    let algorithm = match SigningKey::from_pem(&pem).ok()?.key_type() {
        KeyType::Rsa => Algorithm::Rsa,
        KeyType::Ed25519 => Algorithm::Ed25519,
    };
    Some((selector, algorithm))
}
