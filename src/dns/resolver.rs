//! Typed look-ups that end in time, on hickory (RFC 1034, 1035, 2308, 6891).
//!
//! A name is an absolute ASCII domain name and means its octets: no escapes, no search list, no
//! hosts file. One that cannot be published (an empty or overlong label, a name over 253 octets, a
//! control or non-ASCII character, the root) is [`LookupError::NotFound`] without a query. CNAMEs
//! are followed, truncated answers asked again over TCP. hickory answers for `localhost`,
//! `127.in-addr.arpa`, `invalid` and `onion` by itself (RFC 6761, RFC 7686).
//!
//! Failure: a look-up tries each server twice within `dns.timeout_secs`, going on from one that
//! fails to the next, and ends at the deadline of its handle with [`LookupError::Temporary`], which
//! names the first cause. A failure that no SOA covers is remembered for five seconds. Dropping a
//! look-up ends it.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::time::{Instant, timeout_at};

use super::failures::Failures;
use super::late::Late;
use super::name;
use super::servers::{Failure, NO_ANSWER, ResolverError, Servers};
use super::trace::Trace;
use crate::config;
use crate::telemetry::metrics::DnsMetrics;

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

    /// Whether no server answered in time.
    fn is_late(&self) -> bool {
        matches!(self, Self::Temporary(cause) if cause == NO_ANSWER)
    }
}

impl LookupError {
    /// One word for counters.
    fn label(&self) -> &'static str {
        match self {
            Self::NotFound => "nxdomain",
            Self::Empty => "nodata",
            Self::Temporary(cause) if cause == NO_ANSWER => "timeout",
            Self::Temporary(_) => "failure",
        }
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
    servers: Servers,
    failures: Failures,
    timeout: Duration,
    metrics: DnsMetrics,
}

impl Resolver {
    /// Makes a resolver that asks the servers given, or the system's where none are.
    pub fn new(settings: &config::Dns) -> Result<Self, ResolverError> {
        Self::counting(settings, DnsMetrics::default())
    }

    /// The same, counting its look-ups.
    pub fn counting(settings: &config::Dns, metrics: DnsMetrics) -> Result<Self, ResolverError> {
        let shared = Shared {
            servers: Servers::new(settings)?,
            failures: Failures::default(),
            timeout: settings.timeout,
            metrics,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether `/etc/resolv.conf` names other servers by now than those that it asks.
    pub fn is_replaced(&self) -> bool {
        self.shared.servers.are_replaced()
    }

    /// Look-ups that end by the deadline.
    pub fn until(&self, deadline: Instant) -> Dns {
        Dns { shared: Arc::clone(&self.shared), deadline, trace: None, late: Late::default() }
    }

    /// Where the servers are that it asks.
    pub fn addrs(&self) -> &[SocketAddr] {
        self.shared.servers.addrs()
    }

    /// How long one look-up may take.
    pub fn timeout(&self) -> Duration {
        self.shared.timeout
    }
}

/// Look-ups that share one deadline; cheap to clone.
#[derive(Clone, Debug)]
pub struct Dns {
    shared: Arc<Shared>,
    deadline: Instant,
    trace: Option<Trace>,
    late: Late,
}

impl Dns {
    /// The same, with what is asked kept in the trace, if there is one.
    #[must_use]
    pub fn traced(self, trace: Option<Trace>) -> Self {
        Self { trace, ..self }
    }

    /// The same, with what was late remembered there.
    #[must_use]
    pub fn noting(self, late: Late) -> Self {
        Self { late, ..self }
    }

    /// All TXT records of the name, each one's character-strings joined without a blank.
    pub async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
        self.records(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        })
        .await
    }

    /// The name's IPv4 addresses.
    pub async fn a(&self, name: &str) -> Result<Vec<Ipv4Addr>, LookupError> {
        self.records(name, RecordType::A, |data| match data {
            RData::A(a) => Some(a.0),
            _ => None,
        })
        .await
    }

    /// The name's IPv6 addresses.
    pub async fn aaaa(&self, name: &str) -> Result<Vec<Ipv6Addr>, LookupError> {
        self.records(name, RecordType::AAAA, |data| match data {
            RData::AAAA(aaaa) => Some(aaaa.0),
            _ => None,
        })
        .await
    }

    /// The name's mail exchangers, the preferred first. One whose name is no text is left out.
    pub async fn mx(&self, name: &str) -> Result<Vec<Mx>, LookupError> {
        let mut exchangers = self
            .records(name, RecordType::MX, |data| match data {
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
        let name = Name::from(addr.to_canonical()).to_ascii();
        self.records(&name, RecordType::PTR, |data| match data {
            RData::PTR(ptr) => name::format(&ptr.0),
            _ => None,
        })
        .await
    }

    /// Whether the name has a record of the type with this number.
    pub async fn has_type(&self, name: &str, number: u16) -> Result<bool, LookupError> {
        let record_type = RecordType::from(number);
        let wanted = |data: &RData| (data.record_type() == record_type).then_some(());
        match self.records(name, record_type, wanted).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_void() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The name's own name servers: none for what an alias leads to.
    pub(super) async fn ns(&self, name: &Name) -> Result<Vec<Name>, LookupError> {
        let records = self.answers(name, RecordType::NS).await?;
        let own = records.iter().filter(|record| record.name == *name);
        let servers: Vec<Name> = own.filter_map(name_server).collect();
        if servers.is_empty() { Err(LookupError::Empty) } else { Ok(servers) }
    }

    /// How long the name's zone wants denials remembered, where the name is the top of a zone
    /// (RFC 2308 §4). The SOA's own time to live shrinks in a cache and says nothing here.
    pub(super) async fn soa_minimum(&self, name: &Name) -> Result<u32, LookupError> {
        let records = self.answers(name, RecordType::SOA).await?;
        let own = records.iter().filter(|record| record.name == *name);
        let mut minima = own.filter_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.minimum),
            _ => None,
        });
        minima.next().ok_or(LookupError::Empty)
    }

    async fn records<T>(
        &self,
        name: &str,
        record_type: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, LookupError> {
        let traced = self.trace.as_ref().map(|trace| (trace, trace.ask(record_type, name)));
        let answers = match name::parse(name) {
            Some(name) => self.answers(&name, record_type).await,
            None => Err(LookupError::NotFound),
        };
        if let Some((trace, number)) = traced {
            trace.answer(number, &answers);
        }
        if answers.as_ref().is_err_and(LookupError::is_late) {
            self.late.note(Instant::now() >= self.deadline);
        }
        let records: Vec<T> = answers?.iter().filter_map(|record| pick(&record.data)).collect();
        if records.is_empty() { Err(LookupError::Empty) } else { Ok(records) }
    }

    async fn answers(
        &self,
        name: &Name,
        record_type: RecordType,
    ) -> Result<Vec<Record>, LookupError> {
        let Shared { servers, failures, metrics, timeout } = &*self.shared;
        let question = (name.clone(), record_type);
        if let Some(error) = failures.recall(&question) {
            metrics.count(error.label(), None);
            return Err(error);
        }
        let begun = Instant::now();
        let own_end = begun + *timeout;
        let mut answers = pin!(servers.ask(name, record_type));
        // What is in the cache is there at once; a server never is.
        let at_once = poll_fn(|cx| Poll::Ready(answers.as_mut().poll(cx))).await;
        let (answers, waited) = match at_once {
            Poll::Ready(answers) => (Ok(answers), None),
            Poll::Pending => {
                let answers = timeout_at(own_end.min(self.deadline), answers).await;
                (answers, Some(begun.elapsed()))
            }
        };
        let failure = match answers {
            Ok(Ok(answers)) => {
                metrics.count("answer", waited);
                return Ok(answers);
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure {
                error: LookupError::Temporary(NO_ANSWER.into()),
                // A short deadline says nothing about the servers.
                is_to_remember: own_end <= self.deadline,
            },
        };
        metrics.count(failure.error.label(), waited);
        if failure.is_to_remember {
            failures.remember(question, failure.error.clone());
        }
        Err(failure.error)
    }
}

/// The server that an NS record names.
pub(super) fn name_server(record: &Record) -> Option<Name> {
    match &record.data {
        RData::NS(ns) => Some(ns.0.clone()),
        _ => None,
    }
}
