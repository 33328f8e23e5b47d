//! A DNS server on a loopback port, UDP and TCP, that answers from a [`Zone`] and keeps the queries.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_net::runtime::Time;
use hickory_net::xfer::Protocol;
use hickory_proto::op::{Edns, Header, HeaderCounts, Metadata, ResponseCode};
use hickory_proto::rr::Record;
use hickory_server::Server;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use mailseal::config;
use mailseal::dns::Resolver;
use tokio::net::{TcpListener, UdpSocket};

use super::zone::{Fault, Reply, Zone};

/// A server that runs until it is dropped.
pub struct DnsServer {
    /// Where it answers.
    pub addr: SocketAddr,
    queries: Queries,
    zone: Arc<Mutex<Zone>>,
    _server: Server<Handler>,
}

/// How often each name (in lower case, without its final dot) and type was asked for. A look-up
/// that gets no answer is sent more than once.
pub type Counts = BTreeMap<(String, String), usize>;

/// One query as it came.
#[derive(Clone, Debug)]
pub struct Query {
    /// The name in lower case without its final dot, and the type.
    pub question: (String, String),
    pub asked: Instant,
    /// When its answer was sent, if it was.
    pub answered: Option<Instant>,
}

type Queries = Arc<Mutex<Vec<Query>>>;

struct Handler {
    zone: Arc<Mutex<Zone>>,
    /// What every answer takes, denials too.
    delay: Duration,
    queries: Queries,
}

impl DnsServer {
    /// Answers from the zone data on a port of its own.
    pub async fn start(zone: Zone) -> Self {
        Self::start_slow(zone, Duration::ZERO).await
    }

    /// The same, each answer after a delay.
    pub async fn start_slow(zone: Zone, delay: Duration) -> Self {
        let (udp, tcp) = bind().await;
        Self::serve(udp, tcp, zone, delay)
    }

    /// Answers from the zone data at that address.
    pub async fn start_at(addr: SocketAddr, zone: Zone) -> std::io::Result<Self> {
        let (udp, tcp) = (UdpSocket::bind(addr).await?, TcpListener::bind(addr).await?);
        Ok(Self::serve(udp, tcp, zone, Duration::ZERO))
    }

    fn serve(udp: UdpSocket, tcp: TcpListener, zone: Zone, delay: Duration) -> Self {
        let addr = udp.local_addr().unwrap();
        let queries = Queries::default();
        let zone = Arc::new(Mutex::new(zone));
        let handler = Handler { zone: Arc::clone(&zone), delay, queries: Arc::clone(&queries) };
        let mut server = Server::new(handler);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 64);
        Self { addr, queries, zone, _server: server }
    }

    /// Answers from other zone data from now on.
    pub fn change(&self, zone: Zone) {
        *self.zone.lock().unwrap() = zone;
    }

    /// The queries so far.
    pub fn queries(&self) -> Counts {
        let mut counts = Counts::new();
        for query in self.log() {
            *counts.entry(query.question).or_default() += 1;
        }
        counts
    }

    /// The queries so far, in their order.
    pub fn log(&self) -> Vec<Query> {
        self.queries.lock().unwrap().clone()
    }

    /// How often this name and type was asked for.
    pub fn count(&self, name: &str, record_type: &str) -> usize {
        *self.queries().get(&(name.into(), record_type.into())).unwrap_or(&0)
    }

    /// Settings that ask this server.
    pub fn settings(&self, timeout: Duration) -> config::Dns {
        config::Dns { servers: vec![self.addr], timeout }
    }

    /// A resolver that asks this server.
    pub fn resolver(&self, timeout: Duration) -> Resolver {
        Resolver::new(&self.settings(timeout)).unwrap()
    }
}

/// A UDP and a TCP socket on one port.
async fn bind() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response: R,
    ) -> ResponseInfo {
        let metadata = Metadata::response_from_request(&request.metadata);
        let info = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let Ok(question) = request.request_info() else { return info };
        let (name, record_type) = (question.query.name(), question.query.query_type());
        let key = name.to_string().trim_end_matches('.').to_owned();
        let index = self.keep((key, record_type.to_string()));

        let reply = self.zone.lock().unwrap().answer(name, record_type);
        tokio::time::sleep(self.delay + reply.delay).await;
        if reply.fault.is_none_or(|fault| !matches!(fault, Fault::Timeout)) {
            self.queries.lock().unwrap()[index].answered = Some(Instant::now());
        }
        send(request, response, metadata, &reply).await.unwrap_or(info)
    }
}

impl Handler {
    fn keep(&self, question: (String, String)) -> usize {
        let mut queries = self.queries.lock().unwrap();
        queries.push(Query { question, asked: Instant::now(), answered: None });
        queries.len() - 1
    }
}

async fn send(
    request: &Request,
    mut response: impl ResponseHandler,
    mut metadata: Metadata,
    reply: &Reply,
) -> Option<ResponseInfo> {
    metadata.response_code = match reply.fault {
        Some(Fault::Timeout) => return None,
        Some(Fault::Rcode(code)) => code,
        None => ResponseCode::NoError,
    };
    metadata.recursion_available = true;
    metadata.truncation = reply.is_truncated && request.protocol() == Protocol::Udp;
    let answers: &[Record] = if metadata.truncation { &[] } else { &reply.answers };
    // A reply over UDP may be as large as the request says (RFC 6891 §6.2.3).
    let mut edns = Edns::new();
    edns.set_max_payload(request.edns.as_ref().map_or(512, Edns::max_payload));
    let mut builder = MessageResponseBuilder::from_message_request(request);
    builder.edns(&edns);
    let message = builder.build(metadata, answers, &[], &reply.soa, &[]);
    response.send_response(message).await.ok()
}
