//! What must hold, judged from what was seen, not from what the lifecycle remembers.

use std::collections::BTreeMap;

use mailseal::keys::event::{Event, Grounds};
use mailseal::keys::sighting::{NEGATIVE_SECS_DEFAULT, Observation, Shown};
use mailseal::keys::state::{Algorithm, DomainState, KeyState};
use mailseal::keys::{Policy, Selector};

/// What was seen of one domain.
#[derive(Default)]
pub(crate) struct Witness {
    observations: BTreeMap<Selector, Vec<Observation>>,
    /// When each key was last seen to sign, and how long its record must stay from then on.
    signed: BTreeMap<Selector, (u64, u64)>,
    /// Keys whose record may go early, as the operator said so.
    given_up: Vec<Selector>,
    /// Algorithms that sign, from the first activation on until the operator ends that.
    signing: Vec<Algorithm>,
    states: BTreeMap<Selector, KeyState>,
}

impl Witness {
    pub(crate) fn observed(&mut self, selector: &Selector, observation: &Observation) {
        self.observations.entry(selector.clone()).or_default().push(observation.clone());
    }

    /// What was ordered or came of itself. Called with the state before.
    pub(crate) fn happened(
        &mut self,
        event: &Event,
        before: &DomainState,
        policy: &Policy,
        now: u64,
    ) {
        if let Event::Activated { retired: Some(retired), .. }
        | Event::RolledBack { retired: Some(retired), .. }
        | Event::Retired(retired) = event
        {
            self.signed.insert(retired.clone(), (now, retention_secs(policy)));
        }
        match event {
            Event::Activated { selector, grounds, .. } => match grounds {
                Grounds::Forced(_) => {}
                Grounds::Seen => self.check_seen(selector, policy, now, false),
                Grounds::Waived(_) => self.check_seen(selector, policy, now, true),
            },
            Event::Revoked { selector, suffers } => {
                if suffers.is_some() {
                    self.given_up.push(selector.clone());
                }
                let key = before.entry(selector).expect("it was there");
                if key.state == KeyState::Active {
                    self.signing.retain(|algorithm| *algorithm != key.algorithm);
                }
            }
            Event::Retired(selector) => {
                let key = before.entry(selector).expect("it was there");
                self.signing.retain(|algorithm| *algorithm != key.algorithm);
            }
            _ => {}
        }
    }

    /// A key first signs only after every server that answers has shown its record for the
    /// negative-cache time.
    fn check_seen(&self, selector: &Selector, policy: &Policy, now: u64, waived: bool) {
        let seen = &self.observations[selector];
        let last = seen.last().expect("it was asked for");
        assert!(now - last.asked <= 3600, "{selector}: seen too long ago");
        let shows = |shown| last.servers.iter().filter(move |(_, shows)| *shows == shown);
        assert_eq!(shows(Shown::Wrong).count(), 0, "{selector}: wrong somewhere");
        assert!(shows(Shown::Right).count() > 0, "{selector}: seen nowhere");
        assert_eq!(shows(Shown::Silent).count() > 0, waived, "{selector}: the waiver");
        let told = last.negative_secs.unwrap_or(NEGATIVE_SECS_DEFAULT);
        for (server, _) in shows(Shown::Right) {
            let since = self.first_since_other(selector, server, |shown| shown != Shown::Wrong);
            let right = seen.iter().filter(|seen| seen.asked >= since);
            let first = right
                .filter(|seen| seen.servers.contains(&(server.clone(), Shown::Right)))
                .map(|seen| seen.asked)
                .min()
                .expect("it is right now");
            let wait = u64::from(told) + policy.distribution_secs;
            assert!(now >= first + wait, "{selector}: {server} has had it for {} s", now - first);
        }
        for (server, _) in shows(Shown::Silent) {
            let since = self.first_since_other(selector, server, |shown| shown == Shown::Silent);
            assert!(now >= since + policy.waiver_secs, "{selector}: {server} was not waited for");
        }
    }

    /// Since when a server has shown nothing but what `is_so` takes.
    fn first_since_other(
        &self,
        selector: &Selector,
        server: &str,
        is_so: impl Fn(Shown) -> bool,
    ) -> u64 {
        let seen = self.observations[selector].iter().rev();
        let so = seen.take_while(|seen| {
            let shown = seen.servers.iter().find(|(name, _)| name == server);
            shown.is_some_and(|(_, shown)| is_so(*shown))
        });
        so.map(|seen| seen.asked).last().expect("it is so now")
    }

    /// What must hold of every state that the daemon may read.
    pub(crate) fn check(&mut self, state: &DomainState, policy: &Policy, now: u64) {
        for algorithm in Algorithm::ALL {
            let of_it = state.keys.iter().filter(|key| key.algorithm == algorithm);
            let active = of_it.filter(|key| key.state == KeyState::Active).count();
            let is_signing = self.signing.contains(&algorithm);
            assert!(active == 1 || active == 0 && !is_signing, "{active} {algorithm} keys sign");
            if active == 1 && !is_signing {
                self.signing.push(algorithm);
            }
        }
        for key in &state.keys {
            let was = self.states.insert(key.selector.clone(), key.state);
            assert!(is_a_way(was, key.state), "{}: {was:?} to {}", key.selector, key.state);
            if key.state == KeyState::Active {
                self.signed.insert(key.selector.clone(), (now, retention_secs(policy)));
            }
            let is_withdrawn = matches!(key.state, KeyState::Revoked | KeyState::Removed);
            if was != Some(key.state) && is_withdrawn && !self.given_up.contains(&key.selector) {
                self.check_retention(&key.selector, now);
            }
        }
        for selector in self.states.keys() {
            assert!(state.entry(selector).is_some(), "{selector} is forgotten");
        }
    }

    fn check_retention(&self, selector: &Selector, now: u64) {
        if let Some((signed, retention)) = self.signed.get(selector) {
            assert!(now >= signed + retention, "{selector} goes after {} s", now - signed);
        }
    }
}

/// The least that a record stays after its key signed last.
fn retention_secs(policy: &Policy) -> u64 {
    policy.overlap_secs.max(policy.queue_secs)
}

/// Whether a key comes from one state into the other; between two looks it may take two steps.
fn is_a_way(from: Option<KeyState>, to: KeyState) -> bool {
    use KeyState::{Active, Pending, Removed, Retiring, Revoked};
    match from {
        // One order may take up the key that a crash has left, and force it into use.
        None => matches!(to, Pending | Active),
        Some(Pending) => matches!(to, Pending | Active | Revoked),
        Some(Active) => matches!(to, Active | Retiring | Revoked),
        Some(Retiring) => matches!(to, Retiring | Active | Revoked),
        Some(Revoked) => matches!(to, Revoked | Removed),
        Some(Removed) => to == Removed,
    }
}
