//! A zone with servers that lag, lie and fall silent, and an operator who publishes late.

use std::collections::BTreeMap;

use mailseal::keys::Selector;
use mailseal::keys::sighting::{Observation, Shown};
use mailseal::keys::state::{DomainState, KeyState};

use crate::chance::Chance;

/// What the zone has at a selector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Record {
    Key,
    Empty,
}

type Records = BTreeMap<Selector, Record>;

/// One authoritative server.
#[derive(Default)]
struct Server {
    records: Records,
    is_silent: bool,
}

/// The zone of a domain.
pub(crate) struct Zone {
    /// What the operator has published.
    pub(crate) records: Records,
    servers: Vec<Server>,
    negative_secs: u32,
}

impl Zone {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let servers = 1 + chance.below(4);
        Self {
            records: Records::new(),
            servers: (0..servers).map(|_| Server::default()).collect(),
            negative_secs: 60 + chance.below(86_400) as u32,
        }
    }

    /// Time passes: servers fetch the zone, and fall silent for a while.
    pub(crate) fn pass(&mut self, chance: &mut Chance) {
        for (index, server) in self.servers.iter_mut().enumerate() {
            // The first is the primary; the others may lag for days.
            if index == 0 || (!server.is_silent && chance.one_in(4 * index as u64)) {
                server.records.clone_from(&self.records);
            }
            let turns = if server.is_silent { chance.one_in(20) } else { chance.one_in(150) };
            server.is_silent ^= turns;
        }
        if chance.one_in(500) {
            self.negative_secs = 60 + chance.below(86_400) as u32;
        }
    }

    /// The operator does what the state asks for; sometimes a record is lost, and found missing.
    pub(crate) fn publish(&mut self, state: &DomainState, chance: &mut Chance) {
        self.records.clear();
        for key in &state.keys {
            let record = match key.state {
                KeyState::Pending | KeyState::Active | KeyState::Retiring => Record::Key,
                KeyState::Revoked => Record::Empty,
                KeyState::Removed => continue,
            };
            if !(key.state == KeyState::Pending && chance.one_in(20)) {
                self.records.insert(key.selector.clone(), record);
            }
        }
    }

    /// What the servers say of a key when they are asked.
    pub(crate) fn ask(&self, selector: &Selector, state: KeyState, asked: u64) -> Observation {
        let shown = |server: &Server| match (server.is_silent, server.records.get(selector)) {
            (true, _) => Shown::Silent,
            (_, Some(Record::Key)) if state != KeyState::Revoked => Shown::Right,
            (_, None | Some(Record::Empty)) if state == KeyState::Revoked => Shown::Right,
            _ => Shown::Wrong,
        };
        let servers = self.servers.iter().enumerate();
        let servers: Vec<_> =
            servers.map(|(i, server)| (format!("ns{i}"), shown(server))).collect();
        let is_told = servers.iter().any(|(_, shown)| *shown != Shown::Silent);
        Observation { asked, servers, negative_secs: is_told.then_some(self.negative_secs) }
    }
}
