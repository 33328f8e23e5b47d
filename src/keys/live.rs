//! The key ring of a running daemon: what the store holds now, without a restart.
//!
//! A message takes the ring as it is and keeps it. `refresh` reads the domains again whose
//! directories changed, and puts a new ring in the place of the old one: signing never waits.
//!
//! Failure: a domain that can't be read any more keeps the keys that it had; the problem is told
//! once, when it appears.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::domain::{DomainName, Selector};
use super::error::StoreError;
use super::key::Key;
use super::ring::KeyRing;
use super::store::{Stamp, Store};

/// A store and the ring of its active keys.
#[derive(Debug)]
pub struct LiveRing {
    store: Store,
    current: ArcSwap<KeyRing>,
    /// What the ring was read from; locked while it is read again, for as long as the disk takes.
    read: Mutex<Read>,
    /// Never locked while anything is read: who suspends keys does not wait for the disk.
    suspended: Mutex<Suspended>,
}

#[derive(Debug, Default)]
struct Read {
    stamps: HashMap<DomainName, Stamp>,
    problems: BTreeSet<String>,
}

/// Keys that are active and do not sign.
#[derive(Debug, Default)]
struct Suspended {
    keys: BTreeSet<(DomainName, Selector)>,
    /// The domains for which that is news to the ring.
    domains: BTreeSet<DomainName>,
}

/// What a refresh brought.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// The domains that were read again, or are gone.
    pub changed: Vec<DomainName>,
    /// What is wrong with the store and was not wrong before.
    pub problems: Vec<String>,
    /// What was wrong and is mended.
    pub mended: Vec<String>,
}

impl LiveRing {
    /// Reads the store. What is wrong with it is among the first refresh's problems.
    pub fn load(root: &Path) -> (Self, Vec<String>) {
        let ring = Self {
            store: Store::new(root),
            current: ArcSwap::default(),
            read: Mutex::default(),
            suspended: Mutex::default(),
        };
        let problems = ring.refresh().problems;
        (ring, problems)
    }

    /// The keys as they are now.
    pub fn current(&self) -> Arc<KeyRing> {
        self.current.load_full()
    }

    /// Has the domain's other keys sign, and these not, whatever their state; whether that is news.
    /// Takes effect with the next refresh.
    pub fn suspend(&self, domain: &DomainName, selectors: &[Selector]) -> bool {
        let mut suspended = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        let of_domain = |(other, _): &&(DomainName, Selector)| other == domain;
        let before: BTreeSet<_> = suspended.keys.iter().filter(of_domain).cloned().collect();
        let after = selectors.iter().map(|one| (domain.clone(), one.clone())).collect();
        if before == after {
            return false;
        }
        suspended.keys.retain(|(other, _)| other != domain);
        suspended.keys.extend(after);
        suspended.domains.insert(domain.clone());
        true
    }

    /// The keys that do not sign, and the domains that are to be read again for that.
    fn take_suspended(&self) -> Suspended {
        let mut suspended = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        let domains = std::mem::take(&mut suspended.domains);
        Suspended { keys: suspended.keys.clone(), domains }
    }

    /// Reads again what changed in the store. Blocks on the disk: some 20 ms for 10,000 domains.
    pub fn refresh(&self) -> Refreshed {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ring = KeyRing::clone(&self.current());
        let (changed, problems) = self.read_into(&mut ring, &mut read);
        // Keys that do not sign may be others, too.
        self.current.store(Arc::new(ring));
        let before = std::mem::replace(&mut read.problems, problems);
        Refreshed {
            changed,
            problems: read.problems.difference(&before).cloned().collect(),
            mended: before.difference(&read.problems).cloned().collect(),
        }
    }

    /// Brings ring and stamps up to date. A domain with a problem has no stamp, so that it is read
    /// at every refresh.
    fn read_into(
        &self,
        ring: &mut KeyRing,
        read: &mut Read,
    ) -> (Vec<DomainName>, BTreeSet<String>) {
        let stamps = &mut read.stamps;
        let suspended = self.take_suspended();
        stamps.retain(|domain, _| !suspended.domains.contains(domain));
        let (domains, problems) = match self.store.domains() {
            Ok(found) => found,
            Err(problem) => return (Vec::new(), BTreeSet::from([problem.to_string()])),
        };
        let mut problems: BTreeSet<String> = problems.iter().map(ToString::to_string).collect();
        let mut changed = ring.retain(&domains);
        stamps.retain(|domain, _| domains.binary_search(domain).is_ok());
        for domain in domains {
            // Taken before the files are read: what changes meanwhile is read once more.
            let stamp = self.store.stamp(&domain);
            if stamps.get(&domain) == Some(&stamp) {
                continue;
            }
            match self.store.keys(&domain) {
                Ok((keys, faulty)) => {
                    let is_suspended = |key: &Key| {
                        suspended.keys.contains(&(domain.clone(), key.selector().clone()))
                    };
                    note(stamps, &mut problems, &domain, stamp, &faulty);
                    if ring.set(&domain, keys, is_suspended) {
                        changed.push(domain);
                    }
                }
                Err(problem) => note(stamps, &mut problems, &domain, stamp, &[problem]),
            }
        }
        (changed, problems)
    }
}

fn note(
    stamps: &mut HashMap<DomainName, Stamp>,
    problems: &mut BTreeSet<String>,
    domain: &DomainName,
    stamp: Stamp,
    faulty: &[StoreError],
) {
    problems.extend(faulty.iter().map(ToString::to_string));
    if faulty.is_empty() {
        stamps.insert(domain.clone(), stamp);
    } else {
        stamps.remove(domain);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::dkim::signing_key::generate_ed25519;
    use crate::keys::state::Algorithm;
    use crate::keys::{Order, Policy};

    fn signing(ring: &LiveRing, domain: &str) -> Vec<String> {
        ring.current().for_domain(domain).iter().map(|key| key.selector().to_string()).collect()
    }

    fn activate(store: &Store, domain: &DomainName, now: u64) -> String {
        let pem = generate_ed25519().unwrap();
        let made = store.add(domain, None, Algorithm::Ed25519, &pem, now).unwrap();
        let order = Order::Activate { selector: None, force: true };
        store.order(domain, &order, &Policy::default(), now).unwrap();
        made.to_string()
    }

    #[test]
    fn what_changes_in_the_store_signs_without_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let (store, domain) = (Store::new(root.path()), DomainName::parse("a.example").unwrap());
        let (live, problems) = LiveRing::load(root.path());
        assert!(problems.is_empty() && live.refresh().changed.is_empty());
        let first = activate(&store, &domain, 1);
        assert_eq!(live.refresh().changed, std::slice::from_ref(&domain));
        let held = live.current();
        let second = activate(&store, &domain, 2);
        assert_eq!(live.refresh().changed, std::slice::from_ref(&domain));
        assert_eq!(signing(&live, "a.example"), [second]);
        assert_eq!(held.for_domain("a.example")[0].selector().as_str(), first);
        assert!(live.refresh().changed.is_empty());
        fs::remove_dir_all(root.path().join("a.example")).unwrap();
        assert_eq!(live.refresh().changed, [domain]);
        assert!(live.current().is_empty());
    }

    #[test]
    fn keys_are_suspended_while_the_store_is_read() {
        let root = tempfile::tempdir().unwrap();
        let (store, domain) = (Store::new(root.path()), DomainName::parse("a.example").unwrap());
        let selector = Selector::parse(&activate(&store, &domain, 1)).unwrap();
        let (live, _) = LiveRing::load(root.path());
        assert_eq!(signing(&live, "a.example"), [selector.as_str()]);
        // As a refresh holds it whose disk stalls.
        let reading = live.read.lock().unwrap();
        let is_news = thread::scope(|scope| {
            let (told, is_news) = mpsc::channel();
            let (live, domain, selectors) = (&live, &domain, std::slice::from_ref(&selector));
            scope.spawn(move || told.send(live.suspend(domain, selectors)));
            let is_news = is_news.recv_timeout(Duration::from_secs(30));
            drop(reading);
            is_news
        });
        assert_eq!(is_news, Ok(true));
        assert_eq!(live.refresh().changed, std::slice::from_ref(&domain));
        assert!(live.current().is_empty() && !live.suspend(&domain, &[selector]));
        assert!(live.suspend(&domain, &[]));
        assert_eq!(live.refresh().changed, [domain]);
        assert!(!live.current().is_empty() && live.refresh().changed.is_empty());
    }

    #[test]
    fn a_domain_that_cannot_be_read_keeps_its_keys_and_is_told_once() {
        let root = tempfile::tempdir().unwrap();
        let (store, domain) = (Store::new(root.path()), DomainName::parse("a.example").unwrap());
        let first = activate(&store, &domain, 1);
        let (live, _) = LiveRing::load(root.path());
        let state = root.path().join("a.example/state.toml");
        for break_it in [
            |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o644)),
            |path: &Path| {
                fs::set_permissions(path, Permissions::from_mode(0o600))?;
                fs::write(path, "version =")
            },
        ] {
            break_it(&state).unwrap();
            assert_eq!(live.refresh().problems.len(), 1);
            assert!(live.refresh().problems.is_empty());
            assert_eq!(signing(&live, "a.example"), std::slice::from_ref(&first));
        }
        fs::remove_dir_all(root.path().join("a.example")).unwrap();
        let after = live.refresh();
        assert_eq!((after.changed.len(), after.mended.len()), (1, 1));
    }
}
