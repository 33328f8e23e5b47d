//! Socket addresses, in Postfix's spelling and in Sendmail's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::{Complaint, quoted};

/// The longest path that fits a `sockaddr_un` with its final NUL.
const UNIX_PATH_BYTES_MAX: usize = 107;

/// A socket address of the milter or of clamd.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub enum Endpoint {
    /// `inet:HOST:PORT` (Postfix) or `inet:PORT@HOST` (Sendmail).
    Inet(SocketAddr),
    /// `unix:PATH` or `local:PATH`.
    Unix(PathBuf),
}

impl Endpoint {
    /// Whether the system chooses its port.
    pub fn is_any_port(&self) -> bool {
        matches!(self, Self::Inet(addr) if addr.port() == 0)
    }

    /// How Postfix finds it, inside its chroot and outside: a path below its queue directory stands
    /// relative to that.
    pub fn for_postfix(&self, queue_directory: &Path) -> String {
        match self {
            Self::Unix(path) => {
                let path = path.strip_prefix(queue_directory).unwrap_or(path);
                format!("unix:{}", path.display())
            }
            Self::Inet(address) if address.ip().is_unspecified() => {
                format!("inet:127.0.0.1:{}", address.port())
            }
            Self::Inet(_) => self.to_string(),
        }
    }

    /// Sendmail's spelling, which `from_str` reads back, too.
    pub fn for_sendmail(&self) -> String {
        match self {
            Self::Inet(SocketAddr::V4(addr)) => format!("inet:{}@{}", addr.port(), addr.ip()),
            Self::Inet(SocketAddr::V6(addr)) => format!("inet6:{}@{}", addr.port(), addr.ip()),
            Self::Unix(path) => format!("local:{}", path.display()),
        }
    }
}

/// Postfix's spelling, which `from_str` reads back.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "inet:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Complaint;

    fn from_str(spec: &str) -> Result<Self, Complaint> {
        match spec.split_once(':') {
            Some(("inet" | "inet6", rest)) => inet(rest).map(Self::Inet),
            Some(("unix" | "local", path)) => unix(path).map(Self::Unix),
            _ => Err(no_socket_type(spec)),
        }
    }
}

fn no_socket_type(spec: &str) -> Complaint {
    let complaint = Complaint::new(format!("socket {} has no type", quoted(spec)));
    if spec.starts_with('/') {
        return complaint.hint(format!("write {}", quoted(&format!("unix:{spec}"))));
    }
    match inet(spec) {
        Ok(address) => complaint.hint(format!("write \"inet:{address}\"")),
        Err(_) => complaint.hint("write \"inet:ADDRESS:PORT\" or \"unix:/PATH\""),
    }
}

/// `HOST:PORT`, `[V6]:PORT` or `PORT@HOST`.
fn inet(rest: &str) -> Result<SocketAddr, Complaint> {
    let parts = match rest.split_once('@') {
        Some((port, host)) => Some((host, port)),
        None => rest.rsplit_once(':'),
    };
    let no_port = || {
        Complaint::new(format!("{} is not an address and a port", quoted(rest)))
            .hint("write \"inet:ADDRESS:PORT\" or \"inet:PORT@ADDRESS\"")
    };
    let (host, port) = parts.filter(|(_, port)| !port.is_empty()).ok_or_else(no_port)?;
    if host.contains(':') && !host.starts_with('[') && !rest.contains('@') {
        return Err(Complaint::new(format!("IPv6 address {} has no brackets", quoted(host)))
            .hint("write \"inet:[ADDRESS]:PORT\""));
    }
    let port = port.parse().map_err(|_| {
        Complaint::new(format!("port {} is not a number from 0 to 65535", quoted(port)))
    })?;
    Ok(SocketAddr::new(ip_address(host)?, port))
}

fn ip_address(host: &str) -> Result<IpAddr, Complaint> {
    if host == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().map_err(|_| {
        Complaint::new(format!("host {} is not an IP address", quoted(host)))
            .hint("names other than localhost are not looked up")
    })
}

fn unix(path: &str) -> Result<PathBuf, Complaint> {
    let complaint = |what| Err(Complaint::new(format!("socket path {} {what}", quoted(path))));
    match path {
        _ if !path.starts_with('/') => complaint("is not absolute"),
        _ if path.contains('\0') => complaint("contains a NUL"),
        _ if path.ends_with('/') => complaint("names a directory"),
        _ if path.len() > UNIX_PATH_BYTES_MAX => complaint("is longer than 107 octets"),
        _ => Ok(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(spec: &str) -> String {
        spec.parse::<Endpoint>().map_or_else(|e| e.to_string(), |endpoint| endpoint.to_string())
    }

    #[test]
    fn both_spellings_are_read() {
        for spec in ["inet:127.0.0.1:8891", "inet:8891@127.0.0.1", "inet:8891@localhost"] {
            assert_eq!(spelt(spec), "inet:127.0.0.1:8891", "{spec}");
        }
        for spec in ["inet:[::1]:8891", "inet6:[::1]:8891", "inet6:8891@::1", "inet:8891@[::1]"] {
            assert_eq!(spelt(spec), "inet:[::1]:8891", "{spec}");
        }
        assert_eq!(spelt("local:/run/m.sock"), "unix:/run/m.sock");
    }

    #[test]
    fn each_mta_has_its_spelling() {
        let queue = Path::new("/var/spool/postfix");
        for (spec, postfix, sendmail) in [
            ("inet:127.0.0.1:1", "inet:127.0.0.1:1", "inet:1@127.0.0.1"),
            ("inet:0.0.0.0:1", "inet:127.0.0.1:1", "inet:1@0.0.0.0"),
            ("inet:[::1]:1", "inet:[::1]:1", "inet6:1@::1"),
            ("unix:/run/m.sock", "unix:/run/m.sock", "local:/run/m.sock"),
            ("unix:/var/spool/postfix/m/s", "unix:m/s", "local:/var/spool/postfix/m/s"),
        ] {
            let endpoint: Endpoint = spec.parse().unwrap();
            assert_eq!(endpoint.for_postfix(queue), postfix);
            assert_eq!(endpoint.for_sendmail(), sendmail);
        }
    }

    #[test]
    fn each_fault_is_named() {
        for (spec, said) in [
            ("127.0.0.1:1", r#"write "inet:127.0.0.1:1""#),
            ("/run/m.sock", r#"write "unix:/run/m.sock""#),
            ("8891", "has no type"),
            ("inet:8891", "not an address and a port"),
            ("inet:127.0.0.1:", "not an address and a port"),
            ("inet:127.0.0.1:65536", "not a number"),
            ("inet:::1:8891", "no brackets"),
            ("inet:mail.example:1", "not an IP address"),
            ("unix:run/m.sock", "not absolute"),
            ("unix:/a\0b", "NUL"),
            ("unix:/run/", "directory"),
            (&format!("unix:/{}", "x".repeat(107)), "longer than 107"),
        ] {
            assert!(spelt(spec).contains(said), "{spec}: {}", spelt(spec));
        }
    }
}
