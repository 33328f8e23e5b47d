//! Sockets: what is there, who may open it, and whether anybody listens.
//!
//! Failure: no answer within a few seconds is an answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use mailseal::config::Endpoint;
use mailseal::doctor::{Permissions, SocketFact, SocketState};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// For a connection, and for each answer.
const WAIT: Duration = Duration::from_secs(3);
/// An answer to EHLO is shorter.
const REPLY_BYTES_MAX: u64 = 64 * 1024;

/// What there is of each of our sockets.
pub(super) async fn sockets(endpoints: &[Endpoint]) -> Vec<SocketFact> {
    let mut facts = Vec::new();
    for endpoint in endpoints {
        let (state, way) = match endpoint {
            Endpoint::Inet(address) => {
                (listens(TcpStream::connect(reachable(*address))).await, Vec::new())
            }
            Endpoint::Unix(path) => (unix(path).await, way(path)),
        };
        facts.push(SocketFact { endpoint: endpoint.clone(), state, way });
    }
    facts
}

/// A socket on all addresses is reached by the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn unix(path: &Path) -> SocketState {
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => SocketState::Missing,
        Err(error) => SocketState::Silent(error.to_string()),
        Ok(file) if !file.file_type().is_socket() => SocketState::NoSocket,
        Ok(_) => listens(UnixStream::connect(path)).await,
    }
}

async fn listens<S>(connection: impl Future<Output = std::io::Result<S>>) -> SocketState {
    match timeout(WAIT, connection).await {
        Ok(Ok(_)) => SocketState::Listens,
        Ok(Err(error)) => SocketState::Silent(error.to_string()),
        Err(_) => SocketState::Silent("no answer".to_owned()),
    }
}

/// The directories from the root on, and the file.
fn way(path: &Path) -> Vec<Permissions> {
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    let permissions = |path: &Path| {
        let file = path.metadata().ok()?;
        Some(Permissions { path: path.into(), mode: file.mode(), uid: file.uid(), gid: file.gid() })
    };
    // Up to what is not there: nobody can be kept from that.
    let way: Option<Vec<Permissions>> = ancestors.into_iter().map(permissions).collect();
    way.unwrap_or_default()
}

/// The keywords with which `relayhost` answers EHLO; none where it names a domain, whose hosts are
/// for DNS to say, or where it does not answer.
pub(super) async fn ehlo_keywords(relay: &str) -> Option<Vec<String>> {
    let (host, rest) = relay.strip_prefix('[')?.split_once(']')?;
    let port = rest.strip_prefix(':').unwrap_or("25");
    let port = if port == "smtp" { 25 } else { port.parse::<u16>().ok()? };
    timeout(3 * WAIT, asked((host, port))).await.ok()?.ok()
}

async fn asked(relay: (&str, u16)) -> std::io::Result<Vec<String>> {
    let (read, mut write) = TcpStream::connect(relay).await?.into_split();
    let mut lines = BufReader::new(read.take(REPLY_BYTES_MAX)).lines();
    let mut keywords = Vec::new();
    for command in ["", "EHLO localhost\r\n", "QUIT\r\n"] {
        write.write_all(command.as_bytes()).await?;
        while let Some(line) = lines.next_line().await? {
            let (code, rest) = line.split_at_checked(4).unwrap_or((&line, ""));
            if command.starts_with("EHLO") && code.starts_with("250") {
                let word = rest.split_whitespace().next().unwrap_or_default();
                keywords.push(word.to_ascii_uppercase());
            }
            if !code.ends_with('-') {
                break;
            }
        }
    }
    Ok(keywords)
}
