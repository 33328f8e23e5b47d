//! Publishes records by dynamic update (RFC 2136), signed (TSIG, RFC 8945).
//!
//! One update a zone, with the record set of each name as it was seen for its prerequisite (RFC 2136
//! §2.4): where another publisher was quicker, nothing is changed, and the set is read again. Of a
//! name's TXT records only those of the kind in question are replaced.
//!
//! Failure: an [`UpdateError`] names the server and the remedy; the zone is as it was, or has all of
//! the zone's changes. What was published before it is seen again is no error: a repeat changes
//! nothing.

mod change;
mod error;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{Name, RData, RecordType, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::authority::Authority;
use super::exchange::{self, Manner, Silence};
use super::name;
use super::observation::Answer;
use super::servers::response_code;
use super::tsig_key::{KeyFileError, TsigKey};
use super::wanted::Wanted;
use crate::config;
use crate::text::visible;
use change::{Change, message, octets};
pub use error::UpdateError;

/// More aliases of a name are not followed.
const ALIASES_MAX: usize = 8;
/// A server has at least this long to take an update.
const A_SECOND: Duration = Duration::from_secs(1);
/// How often an update that another one forestalled is tried.
const ATTEMPTS: usize = 4;

/// The way to publish; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    server: SocketAddr,
    signer: TSigner,
    ttl_secs: u32,
    authority: Authority,
}

/// What became of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// The name that was asked for, without its final dot.
    pub name: String,
    /// Where its records are, behind aliases.
    pub owner: String,
    /// What was done.
    pub action: Action,
}

/// `s1._domainkey.example.org: added at s1.example.net`
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did = match self.action {
            Action::Unchanged => "is there already",
            Action::Added => "added",
            Action::Replaced => "replaced",
            Action::Removed => "removed",
        };
        write!(f, "{}: {did}", self.name)?;
        if self.owner == self.name { Ok(()) } else { write!(f, " at {}", visible(&self.owner)) }
    }
}

/// What was done to a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It was as it should be.
    Unchanged,
    /// A record was added.
    Added,
    /// A record took the place of others.
    Replaced,
    /// The records were removed.
    Removed,
}

impl Publisher {
    /// Updates go to this server, a zone's primary, signed by the key; records have this time to
    /// live.
    pub fn new(server: SocketAddr, key: &TsigKey, ttl_secs: u32, authority: Authority) -> Self {
        Self { server, signer: key.signer().clone(), ttl_secs, authority }
    }

    /// As `[publish]` has it; `None` where it names no server or no key. Reads the key's file.
    pub fn configured(
        settings: &config::Publish,
        authority: Authority,
    ) -> Result<Option<Self>, KeyFileError> {
        let (Some(server), Some(key_file)) = (settings.server, &settings.key_file) else {
            return Ok(None);
        };
        let key = TsigKey::read(key_file)?;
        Ok(Some(Self::new(server, &key, settings.ttl_secs, authority)))
    }

    /// Makes the names show what is wanted. `now` is in seconds since 1970.
    pub async fn publish(
        &self,
        wanted: &[Wanted],
        now: u64,
        deadline: Instant,
    ) -> Result<Vec<Published>, UpdateError> {
        let mut published: BTreeMap<&str, Published> = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let mut zones: BTreeMap<Name, Vec<Change>> = BTreeMap::new();
            for wanted in wanted {
                let change = self.change(wanted, deadline).await?;
                zones.entry(change.zone.clone()).or_default().push(change);
            }
            let mut is_clash = false;
            for (zone, changes) in &zones {
                if self.update(zone, changes, now, deadline).await? {
                    keep(&mut published, wanted, changes);
                } else {
                    is_clash = true;
                }
            }
            if !is_clash {
                return Ok(published.into_values().collect());
            }
        }
        Err(UpdateError::Clash(self.server))
    }

    async fn change(&self, wanted: &Wanted, deadline: Instant) -> Result<Change, UpdateError> {
        let owner = self.owner(&wanted.name, deadline).await?;
        let zone = self.zone(&owner, deadline).await?;
        let message = self.ask(&owner, RecordType::TXT, deadline).await?;
        let found = message.answers.into_iter();
        let found = found.filter(|record| record.name == owner && octets(record).is_some());
        Ok(Change::new(wanted.clone(), owner.clone(), zone, found.collect(), self.ttl_secs))
    }

    /// Where the name's records are: at the end of its aliases, which the server itself knows or, of
    /// a zone that is another's, that zone's servers.
    async fn owner(&self, name: &str, deadline: Instant) -> Result<Name, UpdateError> {
        let no_name = || UpdateError::Name(name.to_owned());
        let mut owner = name::parse(name).ok_or_else(no_name)?;
        for _ in 0..ALIASES_MAX {
            let Some(target) = self.alias(&owner, deadline).await? else { return Ok(owner) };
            owner = target;
        }
        Err(no_name())
    }

    async fn alias(&self, owner: &Name, deadline: Instant) -> Result<Option<Name>, UpdateError> {
        let message = match self.ask(owner, RecordType::TXT, deadline).await {
            Ok(message) => message,
            Err(UpdateError::NotAuthoritative { server, name }) => {
                let observation = self.authority.txt(&name, deadline).await;
                let servers = observation.map(|observation| observation.servers);
                let mut aliases =
                    servers.into_iter().flatten().filter_map(|shown| match shown.answer {
                        Answer::Alias(target) if shown.name == name => name::parse(&target),
                        _ => None,
                    });
                let target = aliases.next_back();
                return target.map(Some).ok_or(UpdateError::NotAuthoritative { server, name });
            }
            Err(error) => return Err(error),
        };
        Ok(message.answers.iter().filter(|record| record.name == *owner).find_map(|record| {
            match &record.data {
                RData::CNAME(target) => Some(target.0.clone()),
                _ => None,
            }
        }))
    }

    /// The zone that holds the name: its SOA comes with an answer or a denial (RFC 2308 §2).
    async fn zone(&self, owner: &Name, deadline: Instant) -> Result<Name, UpdateError> {
        let message = self.ask(owner, RecordType::SOA, deadline).await?;
        let records = message.answers.iter().chain(&message.authorities);
        let mut soa = records.filter(|record| record.record_type() == RecordType::SOA);
        soa.next()
            .filter(|record| record.name.zone_of(owner))
            .map(|record| record.name.clone())
            .ok_or_else(|| self.not_authoritative(owner))
    }

    async fn ask(
        &self,
        name: &Name,
        record_type: RecordType,
        deadline: Instant,
    ) -> Result<Message, UpdateError> {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let timeout = timeout.min(self.authority.timeout());
        let manner = Manner { is_recursive: false, timeout };
        match exchange::ask(self.server, name, record_type, manner).await {
            Ok(message) if message.metadata.authoritative => Ok(message),
            Ok(_) | Err(Silence::Code(ResponseCode::Refused)) => Err(self.not_authoritative(name)),
            Err(silence) => Err(self.unreachable(silence.cause())),
        }
    }

    /// Sends the changes of one zone; `false` where the records are no longer as they were seen.
    async fn update(
        &self,
        zone: &Name,
        changes: &[Change],
        now: u64,
        deadline: Instant,
    ) -> Result<bool, UpdateError> {
        if changes.iter().all(|change| change.action() == Action::Unchanged) {
            return Ok(true);
        }
        let mut message = message(zone, changes).map_err(UpdateError::Message)?;
        let written = |error: hickory_proto::ProtoError| UpdateError::Message(error.to_string());
        let mut verifier = message.finalize(&self.signer, now).map_err(written)?;
        let octets = message.to_vec().map_err(written)?;
        let limit = deadline.min(Instant::now() + 2 * self.authority.timeout().max(A_SECOND));
        let reply = match timeout_at(limit, over_tcp(self.server, &octets)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => return Err(self.unreachable(error.kind().to_string())),
            Err(_) => return Err(self.unreachable("no answer in time".to_owned())),
        };
        let refused = self.refused_key(&reply);
        let answer = verifier.as_mut().and_then(|verifier| verifier.verify(&reply).ok());
        let Some(answer) = answer.filter(|answer| answer.id == message.id) else {
            return Err(refused.unwrap_or(UpdateError::Unsigned(self.server)));
        };
        match answer.response_code {
            ResponseCode::NoError => Ok(true),
            // RFC 2136 §3.2: a prerequisite does not hold.
            ResponseCode::NXRRSet
            | ResponseCode::YXRRSet
            | ResponseCode::YXDomain
            | ResponseCode::NXDomain => Ok(false),
            code => Err(refused.unwrap_or_else(|| {
                let (server, zone) = (self.server, visible_name(zone));
                UpdateError::Refused { server, zone, code: response_code(code) }
            })),
        }
    }

    /// What a server says of a signature that it does not take. It can sign that only where the
    /// clocks differ (RFC 8945 §5.2).
    fn refused_key(&self, reply: &[u8]) -> Option<UpdateError> {
        let message = Message::from_vec(reply).ok()?;
        let reason = match &message.signature.as_ref()?.data.error {
            Some(TsigError::BadKey) => "it does not know the key; its name is in publish.key_file",
            Some(TsigError::BadSig) => "its key of that name has another secret",
            Some(TsigError::BadTime) => "its clock and ours differ; set them right",
            _ => return None,
        };
        Some(UpdateError::Key { server: self.server, reason })
    }

    fn not_authoritative(&self, name: &Name) -> UpdateError {
        UpdateError::NotAuthoritative { server: self.server, name: visible_name(name) }
    }

    fn unreachable(&self, cause: String) -> UpdateError {
        UpdateError::Unreachable { server: self.server, cause }
    }
}

/// Notes what was done. A zone that was done with before another's clash is unchanged the next time.
fn keep<'a>(
    published: &mut BTreeMap<&'a str, Published>,
    wanted: &'a [Wanted],
    changes: &[Change],
) {
    for change in changes {
        let Some(wanted) = wanted.iter().find(|wanted| **wanted == change.wanted) else { continue };
        let done = published.entry(&wanted.name).or_insert_with(|| change.published());
        if done.action == Action::Unchanged {
            *done = change.published();
        }
    }
}

/// A name that an alias or a zone's server told, for a message.
fn visible_name(name: &Name) -> String {
    visible(name::format(name).unwrap_or_default())
}

/// Updates go over TCP: one with a few keys is longer than UDP carries.
async fn over_tcp(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}
