//! What the authoritative servers of a name show of it, every cache passed by (RFC 1034 §4.3.1,
//! RFC 2308 §5).
//!
//! Each address of each name server of the zone is asked at once and without recursion. A CNAME or
//! a referral leads to the servers of another zone; those are asked, too.
//!
//! Failure: a server that fails is an entry of the observation. Only where the resolver cannot name
//! the servers is there a [`LookupError`]. All ends at the deadline, and a server that has not
//! answered `dns.timeout_secs` after its question counts as silent.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::time::{Instant, timeout_at};

use super::delegation::Delegation;
use super::exchange::{self, Manner, Silence};
use super::name;
use super::observation::{Answer, Observation, Shown, Txt};
use super::resolver::{LookupError, Resolver, name_server};
use super::servers::{DNS_PORT, NO_ANSWER};

/// More zones than this are not followed, by aliases and referrals together.
const LEADS_MAX: usize = 8;
/// More addresses are not asked for one name.
const ADDRS_MAX: usize = 64;
/// More records of a name are not read.
const RECORDS_MAX: usize = 64;

/// The way to the authoritative servers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Authority {
    resolver: Resolver,
    port: u16,
}

/// Where else the answers to a name may be found.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Lead {
    /// In the zone of this name.
    Name(Name),
    /// In this zone, which has these servers: a referral for the name that comes first.
    Zone(Name, Name, Vec<Name>),
}

/// What one server said.
struct Reply {
    answer: Result<Answer, Box<Lead>>,
    negative_ttl_secs: Option<u32>,
}

impl Authority {
    /// Finds the servers with this resolver.
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, port: DNS_PORT }
    }

    /// The same, with servers on another port than DNS's own: NS records carry none.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Asks every authoritative server for the name's TXT records.
    pub async fn txt(&self, name: &str, deadline: Instant) -> Result<Observation, LookupError> {
        let name = name::parse(name).ok_or(LookupError::NotFound)?;
        let mut observation = Observation::of(&name);
        let first = Lead::Name(name);
        let mut known = BTreeSet::from([first.clone()]);
        let mut open = self.follow(&first, deadline, &mut observation).await?;
        while let Some(lead) = open.pop_first() {
            if known.len() == LEADS_MAX || !known.insert(lead.clone()) {
                continue;
            }
            match self.follow(&lead, deadline, &mut observation).await {
                Ok(leads) => open.extend(leads),
                Err(error) => observation.push_lost(lead.name(), &error),
            }
        }
        Ok(observation)
    }

    /// Asks the resolver's servers instead, for where port 53 of others cannot be reached. They may
    /// answer from their caches.
    pub async fn txt_via_resolver(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<Observation, LookupError> {
        let name = name::parse(name).ok_or(LookupError::NotFound)?;
        let mut observation = Observation::of(&name);
        let manner = self.manner(true);
        let addrs = self.resolver.addrs();
        let answers = addrs.iter().map(|addr| ask_resolver(*addr, &name, manner, deadline));
        for (addr, answer) in addrs.iter().zip(join_all(answers).await) {
            observation.push(addr.to_string(), Some(*addr), &name, answer);
        }
        observation.negative_ttl_secs = self.minimum(&name, deadline).await;
        Ok(observation)
    }

    /// Asks the servers that a lead leads to, and returns where they lead.
    async fn follow(
        &self,
        lead: &Lead,
        deadline: Instant,
        observation: &mut Observation,
    ) -> Result<BTreeSet<Lead>, LookupError> {
        let dns = self.resolver.until(deadline);
        let name = lead.name();
        let delegation = match lead {
            Lead::Name(name) => Delegation::find(&dns, name, self.port).await?,
            Lead::Zone(_, zone, servers) => {
                Delegation::of(&dns, zone.clone(), servers.clone(), self.port).await
            }
        };
        let mut addrs = Vec::new();
        for server in &delegation.servers {
            match &server.addrs {
                Ok(found) => addrs.extend(found.iter().map(|addr| (server.name.clone(), *addr))),
                Err(error) => {
                    let answer = Answer::Silent(format!("address of the server: {error}"));
                    observation.push(server.name.clone(), None, name, answer);
                }
            }
        }
        addrs.truncate(ADDRS_MAX);
        let manner = self.manner(false);
        let replies =
            addrs.iter().map(|(_, addr)| ask(*addr, name, &delegation.zone, manner, deadline));
        let mut leads = BTreeSet::new();
        for ((server, addr), reply) in addrs.iter().zip(join_all(replies).await) {
            observation.negative_ttl_secs =
                observation.negative_ttl_secs.max(reply.negative_ttl_secs);
            match reply.answer {
                Ok(answer) => {
                    leads.extend(alias_of(&answer));
                    observation.push(server.clone(), Some(*addr), name, answer);
                }
                Err(lead) => {
                    leads.insert(*lead);
                }
            }
        }
        Ok(leads)
    }

    /// How long one server may take.
    pub(super) fn timeout(&self) -> Duration {
        self.resolver.timeout()
    }

    fn manner(&self, is_recursive: bool) -> Manner {
        Manner { is_recursive, timeout: self.resolver.timeout() }
    }

    /// The SOA minimum of the zone that the name lies in, as the resolver knows it.
    async fn minimum(&self, name: &Name, deadline: Instant) -> Option<u32> {
        let dns = self.resolver.until(deadline);
        let delegation = Delegation::find(&dns, name, self.port).await.ok()?;
        dns.soa_minimum(&delegation.zone).await.ok()
    }
}

impl Lead {
    /// The name that is asked for.
    fn name(&self) -> &Name {
        match self {
            Self::Name(name) | Self::Zone(name, ..) => name,
        }
    }
}

impl Observation {
    /// An alias whose zone has no servers that could be found.
    fn push_lost(&mut self, name: &Name, error: &LookupError) {
        let answer = match error {
            LookupError::Temporary(cause) => Answer::Silent(cause.clone()),
            LookupError::NotFound | LookupError::Empty => Answer::NotFound,
        };
        self.push(format!("servers of {}", text(name)), None, name, answer);
    }

    fn of(name: &Name) -> Self {
        Self { name: text(name), servers: Vec::new(), negative_ttl_secs: None }
    }

    fn push(&mut self, server: String, addr: Option<SocketAddr>, name: &Name, answer: Answer) {
        self.servers.push(Shown { server, addr, name: text(name), answer });
    }
}

impl From<Silence> for Answer {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Truncated(cause) => Self::Truncated(cause),
            silence => Self::Silent(silence.cause()),
        }
    }
}

/// Asks one server for the name's TXT records and the zone's SOA.
async fn ask(
    addr: SocketAddr,
    name: &Name,
    zone: &Name,
    manner: Manner,
    deadline: Instant,
) -> Reply {
    let (txt, soa) = tokio::join!(
        by(deadline, exchange::ask(addr, name, RecordType::TXT, manner)),
        by(deadline, exchange::ask(addr, zone, RecordType::SOA, manner)),
    );
    let soa = soa.iter().filter(|message| message.metadata.authoritative);
    let negative_ttl_secs = soa.flat_map(|message| &message.answers).filter_map(negative_ttl).max();
    let answer =
        txt.map_or_else(|silence| Ok(silence.into()), |message| read(name, zone, &message));
    Reply { answer, negative_ttl_secs }
}

async fn by(
    deadline: Instant,
    question: impl Future<Output = Result<Message, Silence>>,
) -> Result<Message, Silence> {
    let no_answer = |_| Err(Silence::Cause(NO_ANSWER.to_owned()));
    timeout_at(deadline, question).await.unwrap_or_else(no_answer)
}

/// "the minimum of the MINIMUM field of the SOA record and the TTL of the SOA itself" (RFC 2308 §5).
fn negative_ttl(record: &Record) -> Option<u32> {
    match &record.data {
        RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
        _ => None,
    }
}

/// What a server's message says of the name: an answer of authority, or where to ask.
fn read(name: &Name, zone: &Name, message: &Message) -> Result<Answer, Box<Lead>> {
    if message.metadata.authoritative {
        return Ok(said(name, message));
    }
    let below = |record: &&Record| {
        zone.zone_of(&record.name) && record.name != *zone && record.name.zone_of(name)
    };
    let mut servers: Vec<Name> =
        message.authorities.iter().filter(below).filter_map(name_server).collect();
    match message.authorities.iter().find(below) {
        Some(cut) if !servers.is_empty() && message.answers.is_empty() => {
            servers.sort();
            Err(Box::new(Lead::Zone(name.clone(), cut.name.clone(), servers)))
        }
        _ => Ok(Answer::Silent("lame: it does not answer with authority".to_owned())),
    }
}

/// The records of the name itself: an alias is not followed inside the message.
fn said(name: &Name, message: &Message) -> Answer {
    let own = || message.answers.iter().filter(|record| record.name == *name);
    let alias = own().find_map(|record| match &record.data {
        RData::CNAME(target) => Some(text(&target.0)),
        _ => None,
    });
    if let Some(target) = alias {
        return Answer::Alias(target);
    }
    let records: Vec<Txt> = own().filter_map(txt).take(RECORDS_MAX).collect();
    match message.metadata.response_code {
        _ if !records.is_empty() => Answer::Txt(records),
        ResponseCode::NXDomain => Answer::NotFound,
        _ => Answer::Empty,
    }
}

/// Asks one of the resolver's servers, and again for what its answer leads to and does not hold.
async fn ask_resolver(addr: SocketAddr, name: &Name, manner: Manner, deadline: Instant) -> Answer {
    let mut end = name.clone();
    for _ in 0..LEADS_MAX {
        let question = exchange::ask(addr, &end, RecordType::TXT, manner);
        let message = match by(deadline, question).await {
            Ok(message) => message,
            Err(silence) => return silence.into(),
        };
        end = end_of(&end, &message);
        match said(&end, &message) {
            Answer::Empty if message.authorities.is_empty() && end != *name => {}
            answer => return answer,
        }
    }
    Answer::Silent("aliases without an end".to_owned())
}

/// The end of the chain of aliases that the message holds.
fn end_of(name: &Name, message: &Message) -> Name {
    let mut end = name.clone();
    for _ in 0..LEADS_MAX {
        let Answer::Alias(target) = said(&end, message) else { break };
        let Some(target) = name::parse(&target) else { break };
        end = target;
    }
    end
}

fn txt(record: &Record) -> Option<Txt> {
    match &record.data {
        RData::TXT(txt) => {
            let strings = txt.txt_data.iter().map(|string| string.to_vec()).collect();
            Some(Txt { strings, ttl_secs: record.ttl })
        }
        _ => None,
    }
}

fn alias_of(answer: &Answer) -> Option<Lead> {
    match answer {
        Answer::Alias(target) => name::parse(target).map(Lead::Name),
        _ => None,
    }
}

/// A name's text; one that has none shows as such.
fn text(name: &Name) -> String {
    name::format(name).unwrap_or_else(|| "?".to_owned())
}
