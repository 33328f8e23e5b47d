//! Changes of the key store, each under a lock of the domain's directory.
//!
//! Failure: a change is carried out whole or not at all. What the end of a process in the middle
//! of one leaves is finished before the next.

use std::fs;

use super::domain::{DomainName, Selector, record_name};
use super::error::StoreError;
use super::event::Event;
use super::file;
use super::lifecycle::{self, Transition};
use super::mend::mend;
use super::order::{self, LifecycleError, Order};
use super::plan::{self, NewKey};
use super::policy::{Policy, SelectorStyle};
use super::selectors;
use super::sighting::Observation;
use super::state::{Algorithm, DomainState, KeyEntry, KeyState};
use super::steps;
use super::store::{PEM_BYTES_MAX, Store};
use crate::dkim::signing_key::{generate_ed25519, generate_rsa};

impl Store {
    /// Writes a new key, pending. Without a selector it gets a dated one.
    pub fn add(
        &self,
        domain: &DomainName,
        selector: Option<Selector>,
        algorithm: Algorithm,
        pem: &str,
        now: u64,
    ) -> Result<Selector, StoreError> {
        self.refuse_read_only(domain)?;
        if let Some(selector) = &selector {
            record_name(selector, domain)?;
        }
        let dir = self.dir(domain);
        let is_new = file::make_private_dir(&dir)?;
        let added = self.locked(domain, now, |state| {
            let policy = Policy::default();
            let selector = match selector {
                Some(selector) => selector,
                None => self.selector(domain, state, &[], policy.selectors, now)?,
            };
            record_name(&selector, domain)?;
            if state.entry(&selector).is_some() {
                return Err(StoreError::Exists(self.pem_path(domain, &selector)));
            }
            let made = NewKey { selector: selector.clone(), algorithm, pem: pem.to_owned() };
            let plan = plan::change(&dir, state, &[], vec![made], &policy, now);
            steps::run(&plan.steps, self.steps_max)?;
            Ok(selector)
        });
        if added.is_err() && is_new {
            // Empty but for a failure to clear up, which then stays to be seen.
            let _ = fs::remove_dir(&dir);
        }
        Ok(added?.0)
    }

    /// A selector that no key of the domain has.
    pub fn free_selector(
        &self,
        domain: &DomainName,
        style: SelectorStyle,
        now: u64,
    ) -> Result<Selector, StoreError> {
        let state = match self.state(domain) {
            Err(StoreError::NoDomain { .. }) => DomainState::default(),
            state => state?,
        };
        self.selector(domain, &state, &[], style, now)
    }

    /// Carries an order out: all of it, or nothing. Returns what happened.
    pub fn order(
        &self,
        domain: &DomainName,
        order: &Order,
        policy: &Policy,
        now: u64,
    ) -> Result<Vec<Event>, StoreError> {
        // Before the store is locked, as what others left is theirs to finish.
        if !policy.primary {
            return Err(LifecycleError::NotPrimary.into());
        }
        self.change(domain, policy, now, |state| Ok(order::plan(state, order, policy, now)?))
    }

    /// Does what is due, and finishes what an interrupted change left. Returns what happened, which
    /// mostly is nothing.
    pub fn advance(
        &self,
        domain: &DomainName,
        policy: &Policy,
        now: u64,
    ) -> Result<Vec<Event>, StoreError> {
        if !policy.primary {
            return Ok(Vec::new());
        }
        self.change(domain, policy, now, |state| Ok(lifecycle::due(state, policy, now)))
    }

    /// Writes down what DNS showed of keys' records. What is known already is not written again.
    pub fn observe(
        &self,
        domain: &DomainName,
        observations: &[(Selector, Observation)],
    ) -> Result<(), StoreError> {
        let now = observations.iter().map(|(_, observation)| observation.asked).max();
        let observed = self.locked(domain, now.unwrap_or(0), |state| {
            let mut after = state.clone();
            for (selector, observation) in observations {
                lifecycle::observe(&mut after, selector, observation);
            }
            if after == *state {
                return Ok(());
            }
            steps::run(&plan::write_state(&self.dir(domain), &after), self.steps_max)
        });
        observed.map(|_| ())
    }

    /// For tests: the same store, every change of which ends after some file steps, as it does
    /// where the process is killed then.
    #[must_use]
    pub fn interrupted_after(mut self, steps_max: usize) -> Self {
        self.steps_max = Some(steps_max);
        self
    }

    fn refuse_read_only(&self, domain: &DomainName) -> Result<(), StoreError> {
        if self.is_read_only() { Err(StoreError::ReadOnly(self.dir(domain))) } else { Ok(()) }
    }

    fn change(
        &self,
        domain: &DomainName,
        policy: &Policy,
        now: u64,
        choose: impl FnOnce(&DomainState) -> Result<Vec<Transition>, StoreError>,
    ) -> Result<Vec<Event>, StoreError> {
        let dir = self.dir(domain);
        let changed = self.locked(domain, now, |state| {
            let transitions = choose(state)?;
            let made = self.make(domain, state, &transitions, policy, now)?;
            let plan = plan::change(&dir, state, &transitions, made, policy, now);
            self.refuse_unusable(domain, state, &plan.state)?;
            steps::run(&plan.steps, self.steps_max)?;
            Ok(plan.events)
        });
        let (events, mut all) = changed?;
        all.extend(events);
        Ok(all)
    }

    /// Makes the keys that the transitions ask for.
    fn make(
        &self,
        domain: &DomainName,
        state: &DomainState,
        transitions: &[Transition],
        policy: &Policy,
        now: u64,
    ) -> Result<Vec<NewKey>, StoreError> {
        let mut made: Vec<NewKey> = Vec::new();
        for transition in transitions {
            let Transition::Make(algorithms) = transition else { continue };
            for &algorithm in algorithms {
                let selector = self.selector(domain, state, &made, policy.selectors, now)?;
                record_name(&selector, domain)?;
                let pem = match algorithm {
                    Algorithm::Rsa => generate_rsa(policy.rsa_bits)?,
                    Algorithm::Ed25519 => generate_ed25519()?,
                };
                made.push(NewKey { selector, algorithm, pem });
            }
        }
        Ok(made)
    }

    /// A key that cannot sign must not take the place of one that can.
    fn refuse_unusable(
        &self,
        domain: &DomainName,
        before: &DomainState,
        after: &DomainState,
    ) -> Result<(), StoreError> {
        let is_new = |key: &&KeyEntry| {
            let was = before.entry(&key.selector).map(|before| before.state);
            key.state == KeyState::Active && was != Some(KeyState::Active)
        };
        for key in after.keys.iter().filter(is_new) {
            self.key(domain, key.clone())?.signing_key()?;
        }
        Ok(())
    }

    /// Does something with a domain's state while nobody else changes it, after what an interrupted
    /// change left is finished. Returns what was done, and what was finished.
    fn locked<T>(
        &self,
        domain: &DomainName,
        now: u64,
        work: impl FnOnce(&DomainState) -> Result<T, StoreError>,
    ) -> Result<(T, Vec<Event>), StoreError> {
        self.refuse_read_only(domain)?;
        self.state(domain)?;
        let dir = self.dir(domain);
        let lock = self.guard().open_dir(&dir)?;
        file::lock(&lock, &dir)?;
        let state = self.read_state(domain)?;
        let read = |name: &str| self.guard().read(&dir.join(name), PEM_BYTES_MAX).ok();
        let mended = mend(&dir, &state, &file::names(&dir)?, read, now);
        steps::run(&mended.steps, self.steps_max)?;
        Ok((work(&mended.state)?, mended.events))
    }

    fn selector(
        &self,
        domain: &DomainName,
        state: &DomainState,
        made: &[NewKey],
        style: SelectorStyle,
        now: u64,
    ) -> Result<Selector, StoreError> {
        let is_taken = |selector: &Selector| {
            let path = self.pem_path(domain, selector);
            state.entry(selector).is_some()
                || made.iter().any(|key| key.selector == *selector)
                || fs::symlink_metadata(path).is_ok()
        };
        let chosen = match style {
            SelectorStyle::Dated => selectors::dated(now, is_taken),
            SelectorStyle::Random => selectors::random().filter(|selector| !is_taken(selector)),
        };
        chosen.ok_or_else(|| StoreError::NoSelectorLeft(domain.to_string()))
    }
}
