//! A domain with its zone, its files, its operator and a daemon, over years.

use std::path::Path;

use mailseal::dkim::signing_key::{generate_ed25519, generate_rsa};
use mailseal::keys::event::{Event, Grounds};
use mailseal::keys::lifecycle::{self, Transition};
use mailseal::keys::mend::mend;
use mailseal::keys::order::{self, Order};
use mailseal::keys::plan::{self, NewKey};
use mailseal::keys::state::{Algorithm, DomainState, KeyState};
use mailseal::keys::steps::Step;
use mailseal::keys::{Policy, Selector};

use crate::chance::Chance;
use crate::disk::{Crash, Disk};
use crate::witness::Witness;
use crate::zone::Zone;

/// How often things happened, so that a quiet world is noticed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) made: u64,
    pub(crate) activated: u64,
    pub(crate) waived: u64,
    pub(crate) forced: u64,
    pub(crate) rolled_back: u64,
    pub(crate) revoked_early: u64,
    pub(crate) removed: u64,
    pub(crate) refused: u64,
    pub(crate) crashes: u64,
    pub(crate) adopted: u64,
}

/// A domain and all that has to do with its keys.
pub(crate) struct World {
    chance: Chance,
    policy: Policy,
    disk: Disk,
    zone: Zone,
    witness: Witness,
    /// The state as the daemon last read it.
    state: DomainState,
    /// The private keys that a state file has named.
    keys: Vec<(Selector, String)>,
    made: u64,
    rsa: String,
    pub(crate) counts: Counts,
}

const DIR: &str = "keys/example.org";

impl World {
    pub(crate) fn new(seed: u64, policy: Policy) -> Self {
        let mut chance = Chance(seed);
        let zone = Zone::new(&mut chance);
        Self {
            chance,
            policy,
            disk: Disk::default(),
            zone,
            witness: Witness::default(),
            state: DomainState::default(),
            keys: Vec::new(),
            made: 0,
            rsa: generate_rsa(2048).unwrap(),
            counts: Counts::default(),
        }
    }

    /// Some hours pass, in which anything may happen.
    pub(crate) fn pass(&mut self, now: u64) {
        self.zone.pass(&mut self.chance);
        if self.chance.one_in(12) {
            self.zone.publish(&self.state, &mut self.chance);
        }
        // The daemon is not always running.
        if !self.chance.one_in(10) {
            self.observe(now);
            self.advance(now);
            self.check(now);
        }
        if self.chance.one_in(150) {
            self.order(now);
        }
        self.check(now);
    }

    fn advance(&mut self, now: u64) {
        let policy = self.policy.clone();
        self.change(now, |state| Some(lifecycle::due(state, &policy, now)));
    }

    fn observe(&mut self, now: u64) {
        let (mut after, mut observations) = (self.state.clone(), Vec::new());
        for key in &self.state.keys {
            let is_watched = match key.state {
                KeyState::Pending => true,
                KeyState::Removed => false,
                _ => self.chance.one_in(10),
            };
            if is_watched {
                let observation = self.zone.ask(&key.selector, key.state, now);
                lifecycle::observe(&mut after, &key.selector, &observation);
                observations.push((key.selector.clone(), observation));
            }
        }
        if after != self.state {
            if self.mend(now) {
                return;
            }
            // What was mended is newer than what was seen.
            for key in &self.state.keys {
                if after.entry(&key.selector).is_none() {
                    after.keys.push(key.clone());
                }
            }
            self.run(&plan::write_state(Path::new(DIR), &after));
        }
        // What a process saw and did not write down before it ended, nobody has seen.
        if self.state == after {
            for (selector, observation) in observations {
                self.witness.observed(&selector, &observation);
            }
        }
    }

    /// What an operator may think of.
    fn order(&mut self, now: u64) {
        let keys = &self.state.keys;
        let any = keys.get(self.chance.below(keys.len() as u64) as usize);
        let active = keys.iter().find(|key| key.state == KeyState::Active);
        let (any, active) = (any.or(active), active.or(any));
        let (Some(any), Some(active)) = (any, active) else {
            return self.carry_out(&Order::Rotate(None), now);
        };
        let (any, active) = (any.selector.clone(), active.selector.clone());
        let force = self.chance.one_in(3);
        let order = match self.chance.below(10) {
            0..=2 => Order::Rotate(None),
            3 => Order::Activate { selector: None, force },
            4 => Order::Activate { selector: Some(any), force },
            5 | 6 => Order::RollBack { algorithm: None, force },
            7 => Order::Revoke { selector: active, now: true, force },
            8 => Order::Revoke { selector: any, now: self.chance.one_in(2), force },
            _ => Order::Retire { selector: any, force: self.chance.one_in(20) },
        };
        self.carry_out(&order, now);
    }

    fn carry_out(&mut self, order: &Order, now: u64) {
        let policy = self.policy.clone();
        self.change(now, |state| order::plan(state, order, &policy, now).ok());
    }

    /// As the store does it: what was left is finished, then all is changed in one go.
    fn change(&mut self, now: u64, choose: impl FnOnce(&DomainState) -> Option<Vec<Transition>>) {
        if self.mend(now) {
            return;
        }
        let Some(transitions) = choose(&self.state) else {
            self.counts.refused += 1;
            return;
        };
        let made = self.make(&transitions);
        let before = self.state.clone();
        let named: Vec<_> =
            made.iter().map(|key| (key.selector.clone(), key.pem.clone())).collect();
        let plan = plan::change(Path::new(DIR), &before, &transitions, made, &self.policy, now);
        if self.run(&plan.steps) {
            assert!(self.state == before || self.state == plan.state, "half a change");
        }
        if self.state == plan.state {
            self.keys.extend(named);
            for event in &plan.events {
                self.witness.happened(event, &before, &self.policy, now);
                self.count(event);
            }
        }
    }

    /// Returns whether it crashed.
    fn mend(&mut self, now: u64) -> bool {
        let (disk, before) = (&self.disk, self.state.clone());
        let read = |name: &str| disk.read(&Path::new(DIR).join(name));
        let mended = mend(Path::new(DIR), &before, &disk.names(), read, now);
        let crashed = self.run(&mended.steps);
        if self.state == mended.state {
            for event in &mended.events {
                if let Event::Adopted { selector, .. } = event {
                    let pem = self.disk.read(&Path::new(DIR).join(format!("{selector}.pem")));
                    self.keys.push((selector.clone(), pem.expect("it was adopted")));
                    self.counts.adopted += u64::from(before.entry(selector).is_none());
                }
            }
        }
        if !crashed {
            let left: Vec<_> =
                self.disk.names().into_iter().filter(|name| name.starts_with('.')).collect();
            assert_eq!(left, [""; 0], "left over");
        }
        crashed
    }

    fn make(&mut self, transitions: &[Transition]) -> Vec<NewKey> {
        let algorithms = transitions.iter().flat_map(|transition| match transition {
            Transition::Make(algorithms) => algorithms.clone(),
            _ => Vec::new(),
        });
        let mut key = |algorithm| {
            self.made += 1;
            let pem = match algorithm {
                Algorithm::Rsa => self.rsa.clone(),
                Algorithm::Ed25519 => generate_ed25519().unwrap(),
            };
            let selector = Selector::parse(&format!("k{}", self.made)).unwrap();
            NewKey { selector, algorithm, pem: format!("key {}\n{pem}", self.made) }
        };
        algorithms.map(&mut key).collect()
    }

    /// Takes the steps, and reads the state again as the next process does. Returns whether this
    /// one crashed.
    fn run(&mut self, steps: &[Step]) -> bool {
        if steps.is_empty() {
            return false;
        }
        // Keys are made seldom, and more can go wrong then.
        let makes = steps.iter().any(|step| matches!(step, Step::Link(..)));
        let crash = match self.chance.below(if makes { 4 } else { 16 }) {
            0 => Some(Crash::Killed),
            1 => Some(Crash::PowerLoss),
            _ => None,
        };
        let crashed = self.disk.run(steps, crash, &mut self.chance);
        self.counts.crashes += u64::from(crashed);
        let text = self.disk.read(&Path::new(DIR).join(plan::STATE));
        let read = text.map(|text| DomainState::parse(&text).expect("the store loads again"));
        self.state = read.unwrap_or_default();
        crashed
    }

    fn check(&mut self, now: u64) {
        self.witness.check(&self.state, &self.policy, now);
        for key in &self.state.keys {
            let (_, pem) = self
                .keys
                .iter()
                .find(|(selector, _)| *selector == key.selector)
                .expect("every key was made");
            let found = self.disk.read(&Path::new(DIR).join(format!("{}.pem", key.selector)));
            if key.state != KeyState::Removed {
                assert_eq!(found.as_ref(), Some(pem), "{} is lost", key.selector);
            }
        }
    }

    /// At the end: what is removed is nowhere.
    pub(crate) fn finish(&mut self, now: u64) {
        while self.mend(now) {}
        for key in self.state.keys.iter().filter(|key| key.state == KeyState::Removed) {
            let (_, pem) = self.keys.iter().find(|(name, _)| *name == key.selector).unwrap();
            assert!(!self.disk.holds(pem), "{} is still there", key.selector);
        }
    }

    fn count(&mut self, event: &Event) {
        let counts = &mut self.counts;
        match event {
            Event::Made { .. } => counts.made += 1,
            Event::Activated { grounds, .. } => {
                counts.activated += 1;
                counts.waived += u64::from(matches!(grounds, Grounds::Waived(_)));
                counts.forced += u64::from(matches!(grounds, Grounds::Forced(_)));
            }
            Event::RolledBack { .. } => counts.rolled_back += 1,
            Event::Revoked { suffers, .. } => counts.revoked_early += u64::from(suffers.is_some()),
            Event::Removed(_) => counts.removed += 1,
            _ => {}
        }
    }
}
