//! What the name servers show of the records of a domain's keys.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::{LOOK, Rotation, StepError, blocking};
use crate::dns::drift::{Expected, FaultKind, Standing};
use crate::dns::key_record::KeyRecord;
use crate::dns::{LookupError, Observation};
use crate::keys::sighting::{self, Shown};
use crate::keys::state::KeyState;
use crate::keys::{DomainName, Selector, StoreError};

/// What is shown of one key's record.
#[derive(Clone, Debug)]
pub struct Look {
    /// The key.
    pub selector: Selector,
    /// Its state.
    pub state: KeyState,
    /// How the servers stand to what they ought to show.
    pub standing: Standing,
    /// What they answered.
    pub answers: Observation,
    servers: Vec<(String, Shown)>,
}

impl Look {
    /// The same, as the lifecycle reads it.
    pub fn observation(&self, asked: u64) -> sighting::Observation {
        let (servers, negative_secs) = (self.servers.clone(), self.answers.negative_ttl_secs);
        sighting::Observation { asked, servers, negative_secs }
    }

    /// What each server shows, by its name.
    pub fn servers(&self) -> &[(String, Shown)] {
        &self.servers
    }

    /// Whether a server shows the record, and none of those that answer another.
    pub fn is_right_where_reachable(&self) -> bool {
        self.is_shown() && !self.any(Shown::Wrong)
    }

    /// Whether a server shows the record.
    pub fn is_shown(&self) -> bool {
        self.any(Shown::Right)
    }

    /// Whether the record is gone: servers answer, and none shows it.
    pub fn is_lost(&self) -> bool {
        self.any(Shown::Wrong) && !self.is_shown()
    }

    fn any(&self, wanted: Shown) -> bool {
        self.servers.iter().any(|(_, shows)| *shows == wanted)
    }
}

impl Rotation {
    /// Asks for the records of all keys that have one. A key whose private half cannot be read here
    /// has no say: only its public half tells what is right.
    pub async fn look(&self, domain: &DomainName) -> Result<Vec<Look>, StepError> {
        let (rotation, name) = (self.clone(), domain.clone());
        let (records, _) = blocking(move || rotation.records(&name)).await?;
        let expected = |record: &KeyRecord| {
            // Of a removed key nothing is expected any more.
            record.text.as_ref().and_then(|_| record.wanted().expected(None))
        };
        let looks = records.iter().filter_map(|record| Some((record, expected(record)?)));
        let looks = looks.map(|(record, expected)| self.look_at(domain, record, expected));
        try_join_all(looks).await
    }

    /// The records of the domain's keys, and what is wrong with those left out.
    pub(super) fn records(
        &self,
        domain: &DomainName,
    ) -> Result<(Vec<KeyRecord>, Vec<StoreError>), StoreError> {
        KeyRecord::of_domain(&self.store, domain, self.publish.dkim_strict)
    }

    async fn look_at(
        &self,
        domain: &DomainName,
        record: &KeyRecord,
        expected: Expected,
    ) -> Result<Look, StepError> {
        let dns = |error| StepError::Dns { domain: domain.clone(), error };
        let answers = self.ask(&expected.name).await.map_err(dns)?;
        let standing = expected.standing(&answers);
        let servers = servers(&standing, record.state);
        let (selector, state) = (record.selector.clone(), record.state);
        Ok(Look { selector, state, standing, answers, servers })
    }

    pub(super) async fn ask(&self, name: &str) -> Result<Observation, LookupError> {
        let deadline = Instant::now() + LOOK;
        if self.via_resolver {
            self.authority.txt_via_resolver(name, deadline).await
        } else {
            self.authority.txt(name, deadline).await
        }
    }
}

/// What each server shows. A revoked key's record may be gone as well as be empty.
fn servers(standing: &Standing, state: KeyState) -> Vec<(String, Shown)> {
    let is_wrong = |kind: &FaultKind| {
        kind.is_harmful() && !(state == KeyState::Revoked && *kind == FaultKind::Missing)
    };
    let mut servers = BTreeMap::new();
    for (server, _) in &standing.unreachable {
        servers.insert(server, Shown::Silent);
    }
    for server in &standing.right {
        servers.insert(server, Shown::Right);
    }
    // A server with several addresses is right where all of them are.
    for fault in &standing.faults {
        let shows = if is_wrong(&fault.kind) { Shown::Wrong } else { Shown::Right };
        let known = servers.entry(&fault.server).or_insert(shows);
        if shows == Shown::Wrong {
            *known = Shown::Wrong;
        }
    }
    servers.into_iter().map(|(server, shows)| (server.clone(), shows)).collect()
}
