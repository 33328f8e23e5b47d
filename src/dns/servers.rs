//! The servers that are asked, one hickory resolver each, and what their failures mean.
//!
//! Given several servers hickory asks two at once and takes whatever comes first, and a server in
//! trouble is the quickest to answer. So each has a resolver of its own here, and a failure leads
//! to the next.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_net::{DnsError, NetError};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_resolver::Resolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::system_conf::parse_resolv_conf;

use super::LookupError;
use super::background::Background;
use crate::config;
use crate::file::{self, FileError};

/// Where the system says which servers to ask.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Such a file has some 100 octets.
const RESOLV_CONF_BYTES_MAX: u64 = 64 * 1024;
/// Answers kept at once, of all servers.
const CACHE_ENTRIES_MAX: u64 = 10_000;
/// No denial is believed longer, whatever its SOA says: a record just published should be seen.
const NEGATIVE_TTL_MAX: Duration = Duration::from_mins(15);
/// Each server is asked this often within one look-up's time.
const ATTEMPTS: u32 = 2;
/// More servers are not asked: none would be left the time to answer.
const SERVERS_MAX: usize = 8;
/// The cause of a time-out.
pub(super) const NO_ANSWER: &str = "no answer in time";
/// Where name servers listen; NS records carry no port.
pub(super) const DNS_PORT: u16 = 53;
/// Look-ups at once on one TCP connection to a server.
const TCP_QUERIES_MAX: usize = 256;

/// Why there is no resolver.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The system's servers cannot be read.
    #[error("{0}; or set dns.servers")]
    System(#[from] FileError),
    /// hickory refuses its settings.
    #[error("cannot start the DNS resolver: {0}")]
    Start(NetError),
}

/// The servers, in the order in which they are asked.
#[derive(Debug)]
pub(super) struct Servers {
    resolvers: Vec<Resolver<Background>>,
    /// Where they are.
    addrs: Vec<SocketAddr>,
    /// The one that answered last; it is asked first.
    preferred: AtomicUsize,
}

/// A look-up that gave no record.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: LookupError,
    /// Whether hickory does not remember it itself.
    pub(super) is_to_remember: bool,
}

impl Servers {
    /// The servers given, or the system's where none are.
    pub(super) fn new(settings: &config::Dns) -> Result<Self, ResolverError> {
        let servers = if settings.servers.is_empty() {
            system_servers(Path::new(RESOLV_CONF))?
        } else {
            settings.servers.iter().copied().map(server).collect()
        };
        let options = options(settings.timeout, servers.len());
        let addrs = servers.iter().take(SERVERS_MAX).map(address).collect();
        let resolvers = servers
            .into_iter()
            .take(SERVERS_MAX)
            .map(|server| start(server, options.clone()))
            .collect::<Result<_, _>>()
            .map_err(ResolverError::Start)?;
        Ok(Self { resolvers, addrs, preferred: AtomicUsize::new(0) })
    }

    /// Whether the system names others by now. Where it names none, or cannot be read, it is in the
    /// midst of a change of its own.
    pub(super) fn are_replaced(&self) -> bool {
        self.are_replaced_by(Path::new(RESOLV_CONF))
    }

    fn are_replaced_by(&self, resolv_conf: &Path) -> bool {
        match named_servers(resolv_conf) {
            Ok(servers) if servers.is_empty() => false,
            Ok(servers) => servers.iter().take(SERVERS_MAX).map(address).ne(self.addrs.clone()),
            Err(error) => {
                tracing::warn!("the DNS servers stay: {error}");
                false
            }
        }
    }

    /// Where the servers are.
    pub(super) fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Asks the servers one after the other, until one has an answer or a denial.
    pub(super) async fn ask(
        &self,
        name: &Name,
        record_type: RecordType,
    ) -> Result<Vec<Record>, Failure> {
        let count = self.resolvers.len();
        let preferred = self.preferred.load(Ordering::Relaxed);
        let mut first_failure = None;
        for index in (preferred..preferred + count).map(|index| index % count) {
            let Some(server) = self.resolvers.get(index) else { break };
            let answer = match server.lookup(name.clone(), record_type).await {
                Ok(lookup) => Ok(lookup.answers().to_vec()),
                Err(error) => Err(classify(&error)),
            };
            match answer {
                Err(failure) if !failure.error.is_void() => {
                    first_failure.get_or_insert(failure);
                }
                answer => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(first_failure.unwrap_or_else(|| temporary("there is no server".into())))
    }
}

/// The servers of `/etc/resolv.conf`. Where it is missing or names none, the server on this
/// machine, as resolv.conf(5) has it.
fn system_servers(path: &Path) -> Result<Vec<NameServerConfig>, FileError> {
    let servers = named_servers(path)?;
    if servers.is_empty() {
        return Ok(vec![NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into())]);
    }
    Ok(servers)
}

/// The servers that such a file names.
fn named_servers(path: &Path) -> Result<Vec<NameServerConfig>, FileError> {
    let octets = match file::octets(path, RESOLV_CONF_BYTES_MAX) {
        Err(error) if error.is_missing() => Vec::new(),
        octets => octets?,
    };
    // The other lines are not for us: hickory refuses the file for a search list that it can't read.
    let is_server = |line: &&[u8]| line.trim_ascii_start().starts_with(b"nameserver");
    let servers: Vec<&[u8]> = octets.split(|octet| *octet == b'\n').filter(is_server).collect();
    let conf = parse_resolv_conf(servers.join(&b'\n'));
    Ok(conf.map_or_else(|_| Vec::new(), |(conf, _)| conf.name_servers))
}

fn server(addr: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = addr.port();
        connection
    });
    NameServerConfig::new(addr.ip(), true, connections.into())
}

fn address(server: &NameServerConfig) -> SocketAddr {
    let port = server.connections.first().map_or(DNS_PORT, |connection| connection.port);
    SocketAddr::new(server.ip, port)
}

fn start(
    server: NameServerConfig,
    options: ResolverOpts,
) -> Result<Resolver<Background>, NetError> {
    let config = ResolverConfig::from_name_servers(vec![server]);
    Resolver::builder_with_config(config, Background::new()).with_options(options).build()
}

/// What each of this many servers is asked with.
fn options(timeout: Duration, servers: usize) -> ResolverOpts {
    let servers = servers.clamp(1, SERVERS_MAX) as u32;
    let mut options = ResolverOpts::default();
    options.timeout = timeout / (ATTEMPTS * servers);
    options.attempts = ATTEMPTS as usize - 1;
    options.cache_size = CACHE_ENTRIES_MAX / u64::from(servers);
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = TCP_QUERIES_MAX;
    // Of a CNAME chain only the records at its end are wanted.
    options.preserve_intermediates = false;
    options
}

/// What hickory's error means.
fn classify(error: &NetError) -> Failure {
    let NetError::Dns(DnsError::NoRecordsFound(denial)) = error else {
        return temporary(cause(error));
    };
    let error = match denial.response_code {
        ResponseCode::NXDomain => LookupError::NotFound,
        _ => LookupError::Empty,
    };
    // hickory caches the denials that carry an SOA.
    Failure { error, is_to_remember: denial.negative_ttl.is_none() }
}

/// The cause of a failure in plain ASCII of ours.
pub(super) fn cause(error: &NetError) -> String {
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => response_code(*code),
        NetError::Timeout => NO_ANSWER.into(),
        NetError::Truncated => "truncated answer over TCP".into(),
        NetError::Proto(_) => "unreadable answer".into(),
        NetError::Busy => "too many look-ups at once".into(),
        NetError::NoConnections => "no server can be reached".into(),
        NetError::Io(error) => format!("cannot reach the server: {}", error.kind()),
        _ => "answer of a wrong kind".into(),
    }
}

fn temporary(cause: String) -> Failure {
    Failure { error: LookupError::Temporary(cause), is_to_remember: true }
}

/// The name of a response code, or its number.
pub(super) fn response_code(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "SERVFAIL".into(),
        ResponseCode::Refused => "REFUSED".into(),
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        code => format!("response code {}", u16::from(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_stay_until_the_system_names_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        let servers = vec!["192.0.2.1:53".parse().unwrap()];
        let settings = config::Dns { servers, ..config::Config::default().dns };
        let servers = Servers::new(&settings).unwrap();
        assert!(!servers.are_replaced_by(&path), "missing");
        for (text, are_replaced) in [
            ("", false),
            ("nameserver 192.0.2.1\n", false),
            ("nameserver 192.0.2.2\n", true),
            ("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", true),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(servers.are_replaced_by(&path), are_replaced, "{text:?}");
        }
        assert!(!servers.are_replaced_by(dir.path()), "unreadable");
    }

    #[test]
    fn the_systems_servers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        let servers = || {
            let servers = system_servers(&path).unwrap();
            servers.iter().map(|server| server.ip.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(servers(), "127.0.0.1");
        for (text, found) in [
            ("", "127.0.0.1"),
            ("\0\u{fffd}\n", "127.0.0.1"),
            ("search a..b\n nameserver 192.0.2.1\nnameserver ::1\n", "192.0.2.1 ::1"),
            ("nameserver nonsense\nnameserver 192.0.2.2", "192.0.2.2"),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(servers(), found, "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = ResolverError::from(system_servers(&path).unwrap_err()).to_string();
        assert!(
            error.ends_with("resolv.conf: is a directory; name a regular file; or set dns.servers")
        );
    }
}
