//! What the name servers show of the records of a domain's keys.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::{LOOK, Rotation, StepError};
use crate::dkim::record::{KeyRecord, dns_text};
use crate::dns::drift::{Content, Expected, FaultKind, Standing};
use crate::dns::{LookupError, Observation};
use crate::keys::domain::record_name;
use crate::keys::sighting::{self, Shown};
use crate::keys::state::KeyState;
use crate::keys::{DomainName, Key, Selector, StoreError};

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

    /// Whether the record is gone: servers answer, and none shows it.
    pub fn is_lost(&self) -> bool {
        let shows = |wanted| self.servers.iter().any(|(_, shows)| *shows == wanted);
        shows(Shown::Wrong) && !shows(Shown::Right)
    }
}

impl Rotation {
    /// Asks for the records of all keys that have one. A key whose private half cannot be read here
    /// has no say: only its public half tells what is right.
    pub async fn look(&self, domain: &DomainName) -> Result<Vec<Look>, StepError> {
        let (keys, _) = self.store.keys(domain)?;
        try_join_all(keys.iter().map(|key| self.look_at(domain, key))).await
    }

    async fn look_at(&self, domain: &DomainName, key: &Key) -> Result<Look, StepError> {
        let expected = expected(key)?;
        let answers = self.ask(&expected.name).await;
        let answers = answers.map_err(|error| StepError::Dns { domain: domain.clone(), error })?;
        let standing = expected.standing(&answers);
        let servers = servers(&standing, key.state());
        Ok(Look {
            selector: key.selector().clone(),
            state: key.state(),
            standing,
            servers,
            answers,
        })
    }

    async fn ask(&self, name: &str) -> Result<Observation, LookupError> {
        let deadline = Instant::now() + LOOK;
        if self.via_resolver {
            self.authority.txt_via_resolver(name, deadline).await
        } else {
            self.authority.txt(name, deadline).await
        }
    }
}

fn expected(key: &Key) -> Result<Expected, StoreError> {
    let name = record_name(key.selector(), key.domain())?;
    let public_key = match key.state() {
        KeyState::Revoked => Vec::new(),
        _ => key.signing_key()?.public_key(),
    };
    let text = dns_text(key.algorithm().into(), &public_key, false, false);
    let record = KeyRecord::parse(text.as_bytes());
    let content = record.map_or(Content::Nothing, Content::Key);
    Ok(Expected { name, content, ttl_secs_max: None })
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
