//! Where each key stands, for `mailseal keys status`: as text, and as JSON for machines.

use std::fmt;

use futures_util::future::join_all;
use serde::Serialize;

use super::look::Look;
use super::{Rotation, StepError};
use crate::dns::drift::{Content, Expected};
use crate::keys::advice::{Outlook, outlooks};
use crate::keys::sighting::{Server, Shown};
use crate::keys::state::{Algorithm, KeyEntry, KeyState, rfc3339};
use crate::keys::{DomainName, Selector, lifecycle};

const DAY_SECS: u64 = 24 * 3600;

/// The keys of one domain.
#[derive(Clone, Debug, Serialize)]
pub struct DomainStatus {
    /// The domain.
    pub domain: String,
    /// Its keys, in the order in which they were made.
    pub keys: Vec<KeyStatus>,
    /// The policy records of the domain, as DNS shows them.
    pub policies: Vec<PolicyStatus>,
    /// What is wrong with the store, or with finding the name servers; each with its remedy.
    pub problems: Vec<String>,
}

/// One key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyStatus {
    /// Its selector.
    pub selector: Selector,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its state.
    pub state: KeyState,
    /// When it came there (RFC 3339).
    pub since: String,
    /// How long ago that is.
    pub age_secs: u64,
    /// The next step, in one word.
    pub next: &'static str,
    /// When that is, at the earliest (RFC 3339); none where time alone does not decide.
    pub next_at: Option<String>,
    /// What each name server shows of its record.
    pub servers: Vec<ServerStatus>,
    /// What somebody must do now.
    pub todo: Option<String>,
}

/// The DMARC or SPF record.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyStatus {
    /// `DMARC` or `SPF`.
    pub kind: &'static str,
    /// Whether the configuration says what it has to be.
    pub is_ours: bool,
    /// What is wrong at each name server; empty where all is well.
    pub faults: Vec<String>,
}

/// What one name server shows.
#[derive(Clone, Debug, Serialize)]
pub struct ServerStatus {
    /// Its name.
    pub server: String,
    /// `right`, `wrong` or `silent`.
    pub shows: Shown,
    /// What is wrong, or why it is silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl DomainStatus {
    /// Whether somebody must do something.
    pub fn wants_attention(&self) -> bool {
        let urges = |key: &KeyStatus| key.todo.is_some() && key.state != KeyState::Retiring;
        let is_wrong = |policy: &PolicyStatus| policy.is_ours && !policy.faults.is_empty();
        !self.problems.is_empty()
            || self.keys.iter().any(urges)
            || self.policies.iter().any(is_wrong)
    }
}

impl Rotation {
    /// The keys of a domain. With `looks`, as DNS shows them now; else as it was last seen. Nothing
    /// is written.
    pub async fn status(&self, domain: &DomainName, is_online: bool, now: u64) -> DomainStatus {
        let (mut looks, mut policies, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        if is_online {
            let asked = tokio::join!(self.look(domain), self.policies(domain));
            policies = asked.1;
            looks = asked.0.unwrap_or_else(|error| {
                // What is wrong with the store is told below.
                problems.extend(matches!(error, StepError::Dns { .. }).then(|| error.to_string()));
                Vec::new()
            });
        }
        let keys = self.keys(domain, &looks, now, &mut problems);
        DomainStatus { domain: domain.to_string(), keys, policies, problems }
    }

    async fn policies(&self, domain: &DomainName) -> Vec<PolicyStatus> {
        let (dmarc, spf) = (self.publish.dmarc_record.clone(), self.publish.spf_record.clone());
        let kinds = [
            ("DMARC", dmarc.is_some(), format!("_dmarc.{domain}"), Content::Dmarc(dmarc)),
            ("SPF", spf.is_some(), domain.to_string(), Content::Spf(spf)),
        ];
        let ask = |(kind, is_ours, name, content)| async move {
            let expected = Expected { name, content, ttl_secs_max: None };
            // Where the servers cannot be found, the keys say so.
            let standing = expected.standing(&self.ask(&expected.name).await.ok()?);
            let faults = standing.faults.iter().map(ToString::to_string).collect();
            Some(PolicyStatus { kind, is_ours, faults })
        };
        join_all(kinds.map(ask)).await.into_iter().flatten().collect()
    }

    fn keys(
        &self,
        domain: &DomainName,
        looks: &[Look],
        now: u64,
        problems: &mut Vec<String>,
    ) -> Vec<KeyStatus> {
        let mut state = match self.store.state(domain) {
            Ok(state) => state,
            Err(problem) => {
                problems.push(problem.to_string());
                return Vec::new();
            }
        };
        // Also tells of the keys that this machine does not hold.
        match self.store.keys(domain) {
            Ok((_, more)) => problems.extend(more.iter().map(ToString::to_string)),
            Err(problem) => problems.push(problem.to_string()),
        }
        for look in looks {
            lifecycle::observe(&mut state, &look.selector, &look.observation(now));
        }
        let outlooks = outlooks(domain, &state, &self.policy, now);
        let told = |(key, outlook)| key_status(key, outlook, looks, now);
        state.keys.iter().zip(outlooks).map(told).collect()
    }
}

fn key_status(key: &KeyEntry, outlook: Outlook, looks: &[Look], now: u64) -> KeyStatus {
    let look = looks.iter().find(|look| look.selector == key.selector);
    let server = |seen: &Server| ServerStatus {
        server: seen.server.clone(),
        shows: seen.shows,
        detail: look.and_then(|look| detail(look, &seen.server)),
    };
    KeyStatus {
        selector: key.selector.clone(),
        algorithm: key.algorithm,
        state: key.state,
        since: rfc3339(key.since),
        age_secs: now.saturating_sub(key.since),
        next: outlook.next.as_str(),
        next_at: outlook.at.map(rfc3339),
        servers: key.seen.iter().flat_map(|seen| &seen.servers).map(server).collect(),
        todo: outlook.todo,
    }
}

/// What is wrong with a server's answer, or why there is none.
fn detail(look: &Look, server: &str) -> Option<String> {
    let faults = look.standing.faults.iter().filter(|fault| fault.server == server);
    let faults: Vec<String> = faults.map(|fault| fault.kind.to_string()).collect();
    if !faults.is_empty() {
        return Some(faults.join(", "));
    }
    let silent = look.standing.unreachable.iter().find(|(silent, _)| silent == server);
    silent.map(|(_, cause)| cause.clone())
}

/// A paragraph: a line a key, below it a line a server and what is to be done.
impl fmt::Display for DomainStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.domain)?;
        for key in &self.keys {
            write!(f, "{key}")?;
        }
        for PolicyStatus { kind, faults, .. } in &self.policies {
            for fault in faults {
                writeln!(f, "    {kind}: {fault}")?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "    problem: {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selector, algorithm, state, since, .. } = self;
        let days = self.age_secs / DAY_SECS;
        write!(f, "    {selector:<16} {algorithm:<8} {state:<9} since {since} ({days} days)")?;
        match &self.next_at {
            Some(at) => writeln!(f, "; next: {} at {at}", self.next)?,
            None => writeln!(f, "; next: {}", self.next)?,
        }
        for server in &self.servers {
            let shows = match server.shows {
                Shown::Right => "right",
                Shown::Wrong => "wrong",
                Shown::Silent => "silent",
            };
            write!(f, "        {}: {shows}", server.server)?;
            match &server.detail {
                Some(detail) => writeln!(f, " ({detail})")?,
                None => writeln!(f)?,
            }
        }
        match &self.todo {
            Some(todo) => writeln!(f, "        to do: {todo}"),
            None => Ok(()),
        }
    }
}
