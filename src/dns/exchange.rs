//! One question to one server: UDP with EDNS, and TCP where the answer was cut short (RFC 1035
//! §4.2, RFC 6891, RFC 7766). Nothing is cached.
//!
//! Failure: each of the two ways ends after the time given, and the failure names its cause.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsExchange, DnsHandle as _};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

use super::servers::{cause, response_code};

/// Why a server gave no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Silence {
    /// It said nothing, or nothing that could be used.
    Cause(String),
    /// It said so.
    Code(ResponseCode),
    /// It said over UDP that the answer is too long, and TCP failed.
    Truncated(String),
}

impl Silence {
    /// In plain ASCII of ours.
    pub(super) fn cause(self) -> String {
        match self {
            Self::Cause(cause) | Self::Truncated(cause) => cause,
            Self::Code(code) => response_code(code),
        }
    }
}

/// How a server is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Whether it is to ask others.
    pub(super) is_recursive: bool,
    /// How long each of UDP and TCP may take.
    pub(super) timeout: Duration,
}

/// Asks the server. The answer's code is `NOERROR` or `NXDOMAIN`; any other is a [`Silence`].
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    record_type: RecordType,
    manner: Manner,
) -> Result<Message, Silence> {
    let mut request = request(name, record_type, manner);
    let mut message = over_udp(server, request.clone(), manner).await.map_err(Silence::Cause)?;
    if message.metadata.response_code == ResponseCode::FormErr {
        // A server from before EDNS (RFC 6891 §7).
        let (mut plain, options) = request.into_parts();
        plain.edns = None;
        request = DnsRequest::new(plain, options);
        message = over_udp(server, request.clone(), manner).await.map_err(Silence::Cause)?;
    }
    if message.metadata.truncation {
        message = over_tcp(server, request, manner).await.map_err(Silence::Truncated)?;
    }
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(message),
        code => Err(Silence::Code(code)),
    }
}

fn request(name: &Name, record_type: RecordType, manner: Manner) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.recursion_desired = manner.is_recursive;
    DnsRequest::from_query(Query::query(name.clone(), record_type), options)
}

async fn over_udp(
    server: SocketAddr,
    request: DnsRequest,
    manner: Manner,
) -> Result<Message, String> {
    let exchange = UdpClientStream::builder(server, TokioRuntimeProvider::default())
        .with_timeout(Some(manner.timeout))
        .exchange();
    answer(&exchange, request).await
}

async fn over_tcp(
    server: SocketAddr,
    request: DnsRequest,
    manner: Manner,
) -> Result<Message, String> {
    // The connection's task ends with the last clone of the provider that it was spawned by.
    let provider = TokioRuntimeProvider::default();
    let exchange =
        TcpClientStream::exchange(server, None, manner.timeout, None, provider.clone()).await;
    let answer = answer(&exchange.map_err(|error| cause(&error))?, request).await;
    drop(provider);
    answer
}

async fn answer(
    exchange: &DnsExchange<TokioRuntimeProvider>,
    request: DnsRequest,
) -> Result<Message, String> {
    // A time-out ends the stream without an item.
    match exchange.send(request).next().await.unwrap_or(Err(NetError::Timeout)) {
        Ok(response) => Ok(response.into_message()),
        Err(error) => Err(cause(&error)),
    }
}
