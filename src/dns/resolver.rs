//! Typed look-ups that end in time, on hickory (RFC 1034, 1035, 2308, 6891).
//!
//! A name is an absolute ASCII domain name and means its octets: no escapes, no search list, no
//! hosts file. One that cannot be published (an empty or overlong label, a name over 253 octets, a
//! control or non-ASCII character, the root) is [`LookupError::NotFound`] without a query. CNAMEs
//! are followed, truncated answers asked again over TCP. hickory answers for `localhost`,
//! `127.in-addr.arpa`, `invalid` and `onion` by itself (RFC 6761, RFC 7686).
//!
//! Failure: a look-up tries twice within `dns.timeout_secs` and ends at the deadline of its handle
//! with [`LookupError::Temporary`], which names the cause. A failure that no SOA covers is
//! remembered for five seconds. Dropping a look-up ends it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::{DnsError, NetError};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use tokio::time::{Instant, timeout_at};

use super::failures::Failures;
use super::name;
use crate::config;

/// Answers kept at once.
const CACHE_ENTRIES_MAX: u64 = 10_000;
/// No denial is believed longer, whatever its SOA says: a record just published should be seen.
const NEGATIVE_TTL_MAX: Duration = Duration::from_mins(15);
/// Each server is asked this often within one look-up's time.
const ATTEMPTS: u32 = 2;
/// Look-ups at once on one TCP connection to a server.
const TCP_QUERIES_MAX: usize = 256;

/// Why there is no resolver.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The system's servers cannot be read.
    #[error("cannot read /etc/resolv.conf: {0}; make it readable or set dns.servers")]
    System(NetError),
    /// hickory refuses its settings.
    #[error("cannot start the DNS resolver: {0}")]
    Start(NetError),
}

/// Why a look-up gave no record. `Ok` is never empty.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LookupError {
    /// There is no such name (NXDOMAIN), or there can be none.
    #[error("no such domain name")]
    NotFound,
    /// The name has no record of this type.
    #[error("no record of this type")]
    Empty,
    /// A later try may say more; the cause is plain ASCII of ours, such as `SERVFAIL`.
    #[error("DNS failed: {0}")]
    Temporary(String),
}

impl LookupError {
    /// Whether DNS said that there is nothing (RFC 7208 §4.6.4's void look-up).
    pub fn is_void(&self) -> bool {
        matches!(self, Self::NotFound | Self::Empty)
    }
}

/// A mail exchanger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mx {
    /// The lower is asked first.
    pub preference: u16,
    /// The host without a final dot; empty for the null MX (RFC 7505).
    pub exchange: String,
}

/// The resolver: one for the process, with its cache.
#[derive(Clone, Debug)]
pub struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hickory: TokioResolver,
    failures: Failures,
    timeout: Duration,
}

impl Resolver {
    /// Makes a resolver that asks the servers given, or the system's where none are.
    pub fn new(settings: &config::Dns) -> Result<Self, ResolverError> {
        let servers = if settings.servers.is_empty() {
            system_servers()?
        } else {
            settings.servers.iter().copied().map(server).collect()
        };
        let config = ResolverConfig::from_name_servers(servers);
        let hickory = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options(settings.timeout))
            .build()
            .map_err(ResolverError::Start)?;
        let failures = Failures::default();
        Ok(Self { shared: Arc::new(Shared { hickory, failures, timeout: settings.timeout }) })
    }

    /// Look-ups that end by the deadline.
    pub fn until(&self, deadline: Instant) -> Dns {
        Dns { shared: Arc::clone(&self.shared), deadline }
    }
}

/// The servers of `/etc/resolv.conf`. Where it is missing or names none, the server on this
/// machine, as resolv.conf(5) has it.
fn system_servers() -> Result<Vec<NameServerConfig>, ResolverError> {
    match hickory_resolver::system_conf::read_system_conf() {
        Ok((config, _)) => Ok(config.name_servers),
        Err(NetError::Io(error))
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Other) =>
        {
            Ok(vec![NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into())])
        }
        Err(error) => Err(ResolverError::System(error)),
    }
}

fn server(addr: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = addr.port();
        connection
    });
    NameServerConfig::new(addr.ip(), true, connections.into())
}

fn options(timeout: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = timeout / ATTEMPTS;
    options.attempts = ATTEMPTS as usize - 1;
    options.cache_size = CACHE_ENTRIES_MAX;
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = TCP_QUERIES_MAX;
    // The chain is walked here, so that only its end's records count.
    options.preserve_intermediates = true;
    options
}

/// Look-ups that share one deadline; cheap to clone.
#[derive(Clone, Debug)]
pub struct Dns {
    shared: Arc<Shared>,
    deadline: Instant,
}

impl Dns {
    /// All TXT records of the name, each one's character-strings joined without a blank.
    pub async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
        self.records(name::parse(name), RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        })
        .await
    }

    /// The name's IPv4 addresses.
    pub async fn a(&self, name: &str) -> Result<Vec<Ipv4Addr>, LookupError> {
        self.records(name::parse(name), RecordType::A, |data| match data {
            RData::A(a) => Some(a.0),
            _ => None,
        })
        .await
    }

    /// The name's IPv6 addresses.
    pub async fn aaaa(&self, name: &str) -> Result<Vec<Ipv6Addr>, LookupError> {
        self.records(name::parse(name), RecordType::AAAA, |data| match data {
            RData::AAAA(aaaa) => Some(aaaa.0),
            _ => None,
        })
        .await
    }

    /// The name's mail exchangers, the preferred first. One whose name is no text is left out.
    pub async fn mx(&self, name: &str) -> Result<Vec<Mx>, LookupError> {
        let mut exchangers = self
            .records(name::parse(name), RecordType::MX, |data| match data {
                RData::MX(mx) => {
                    let exchange = name::format(&mx.exchange)?;
                    Some(Mx { preference: mx.preference, exchange })
                }
                _ => None,
            })
            .await?;
        exchangers.sort_by_key(|mx| mx.preference);
        Ok(exchangers)
    }

    /// The address's names without their final dots. A name that is no text is left out. An
    /// IPv4-mapped address is looked up as the IPv4 address.
    pub async fn ptr(&self, addr: IpAddr) -> Result<Vec<String>, LookupError> {
        let name = Name::from(addr.to_canonical());
        self.records(Some(name), RecordType::PTR, |data| match data {
            RData::PTR(ptr) => name::format(&ptr.0),
            _ => None,
        })
        .await
    }

    async fn records<T>(
        &self,
        name: Option<Name>,
        record_type: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, LookupError> {
        let name = name.ok_or(LookupError::NotFound)?;
        let answers = self.answers(&name, record_type).await?;
        let owner = chain_end(&name, &answers);
        let records: Vec<T> = answers
            .iter()
            .filter(|record| record.name == *owner)
            .filter_map(|record| pick(&record.data))
            .collect();
        if records.is_empty() { Err(LookupError::Empty) } else { Ok(records) }
    }

    async fn answers(
        &self,
        name: &Name,
        record_type: RecordType,
    ) -> Result<Vec<Record>, LookupError> {
        let question = (name.clone(), record_type);
        if let Some(error) = self.shared.failures.recall(&question) {
            return Err(error);
        }
        let own_end = Instant::now() + self.shared.timeout;
        let lookup = self.shared.hickory.lookup(name.clone(), record_type);
        let (error, is_remembered) = match timeout_at(own_end.min(self.deadline), lookup).await {
            Ok(Ok(lookup)) => return Ok(lookup.answers().to_vec()),
            Ok(Err(error)) => classify(error),
            // A short deadline says nothing about the server.
            Err(_) => {
                (LookupError::Temporary("no answer in time".into()), own_end <= self.deadline)
            }
        };
        if is_remembered {
            self.shared.failures.remember(question, error.clone());
        }
        Err(error)
    }
}

/// The last name of the CNAME chain, which answers hold in its order.
fn chain_end<'a>(name: &'a Name, answers: &'a [Record]) -> &'a Name {
    answers.iter().fold(name, |owner, record| match &record.data {
        RData::CNAME(cname) if record.name == *owner => &cname.0,
        _ => owner,
    })
}

/// What the error means, and whether it is for our memory of failures (rather than hickory's).
fn classify(error: NetError) -> (LookupError, bool) {
    let cause = match error {
        NetError::Dns(DnsError::NoRecordsFound(denial)) => {
            let is_ours = denial.negative_ttl.is_none();
            return match denial.response_code {
                ResponseCode::NXDomain => (LookupError::NotFound, is_ours),
                _ => (LookupError::Empty, is_ours),
            };
        }
        NetError::Dns(DnsError::ResponseCode(code)) => response_code(code),
        NetError::Timeout => "no answer in time".into(),
        NetError::Truncated => "truncated answer over TCP".into(),
        NetError::Proto(_) => "unreadable answer".into(),
        NetError::Busy => "too many look-ups at once".into(),
        NetError::NoConnections => "no server can be reached".into(),
        NetError::Io(error) => format!("cannot reach the server: {}", error.kind()),
        _ => "answer of a wrong kind".into(),
    };
    (LookupError::Temporary(cause), true)
}

fn response_code(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "SERVFAIL".into(),
        ResponseCode::Refused => "REFUSED".into(),
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        code => format!("response code {}", u16::from(code)),
    }
}
