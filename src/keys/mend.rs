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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dkim::signing_key::generate_ed25519;
    use crate::keys::state::KeyEntry;

    /// What is mended of files with these texts, where the state has a key `old` in that state.
    fn mended(old: KeyState, files: &[(&str, &str)]) -> Plan {
        let selector = Selector::parse("old").unwrap();
        let key = KeyEntry::pending(selector, Algorithm::Ed25519, 1);
        let state = DomainState { keys: vec![KeyEntry { state: old, ..key }] };
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let read = |name: &str| {
            files.iter().find(|(other, _)| *other == name).map(|(_, text)| (*text).to_owned())
        };
        mend(Path::new("d"), &state, &names, read, 9)
    }

    fn steps(plan: &Plan) -> Vec<String> {
        plan.steps.iter().map(|step| format!("{step:?}")).collect()
    }

    #[test]
    fn what_is_whole_needs_no_mending() {
        let plan =
            mended(KeyState::Active, &[("old.pem", "x"), ("state.toml", ""), ("by.pem", "y")]);
        assert!(plan.steps.is_empty() && plan.events.is_empty());
    }

    #[test]
    fn a_key_that_was_being_made_is_adopted() {
        let pem = generate_ed25519().unwrap();
        for files in [&[(".new-k.pem", &*pem)][..], &[(".new-k.pem", &pem), ("k.pem", &pem)]] {
            let plan = mended(KeyState::Active, files);
            assert!(matches!(&plan.events[..], [Event::Adopted { .. }]), "{:?}", plan.events);
            assert_eq!(plan.state.keys.len(), 2);
            let taken = steps(&plan);
            assert_eq!(
                taken.contains(&"link d/.new-k.pem to d/k.pem".to_owned()),
                files.len() == 1
            );
            assert_eq!(taken.last().map(String::as_str), Some("unlink d/.new-k.pem"));
        }
    }

    #[test]
    fn what_is_of_no_use_is_cleared() {
        let pem = generate_ed25519().unwrap();
        for files in [
            &[(".new-k.pem", &pem[..40])][..],
            &[(".new-k.pem", &pem), ("k.pem", "of somebody")],
            &[(".new-old.pem", &pem), ("old.pem", &pem)],
            &[(".new-state.toml", "version")],
            &[(".new-4711", &pem)],
            &[(".new-..pem", &pem)],
        ] {
            let plan = mended(KeyState::Active, files);
            assert_eq!(steps(&plan), [format!("unlink d/{}", files[0].0)]);
            assert!(matches!(&plan.events[..], [Event::Cleared(_)]) && plan.state.keys.len() == 1);
        }
    }

    #[test]
    fn a_removed_key_that_is_still_there_is_destroyed() {
        let plan = mended(KeyState::Removed, &[("old.pem", "x")]);
        assert_eq!(steps(&plan), ["erase d/old.pem", "unlink d/old.pem", "sync d"]);
        assert!(mended(KeyState::Revoked, &[("old.pem", "x")]).steps.is_empty());
    }
}
