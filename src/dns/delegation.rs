//! The zone that a name lies in and its servers' addresses, as the resolver knows them (RFC 1034
//! §4.2.1).

use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;
use hickory_proto::rr::Name;

use super::name;
use super::resolver::{Dns, LookupError};

/// More servers of a zone are not asked.
const SERVERS_MAX: usize = 16;
/// More addresses of a server are not asked.
const ADDRS_MAX: usize = 4;

/// A zone and its servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Delegation {
    pub(super) zone: Name,
    pub(super) servers: Vec<Server>,
}

/// A name server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Server {
    /// Its name without its final dot.
    pub(super) name: String,
    pub(super) addrs: Result<Vec<SocketAddr>, LookupError>,
}

impl Delegation {
    /// Of the zone that holds the name's domain, which begins behind its last label with an
    /// underscore. What lies in front is not asked for: the resolver would remember that there is
    /// no such name, and not see the record that is about to be published. Zones cut there show
    /// themselves as referrals.
    pub(super) async fn find(dns: &Dns, name: &Name, port: u16) -> Result<Self, LookupError> {
        let mut zone = domain_of(name);
        let mut failure = None;
        while !zone.is_root() {
            match dns.ns(&zone).await {
                Ok(servers) => return Ok(Self::of(dns, zone, servers, port).await),
                Err(error) if error.is_void() => {}
                // An alias that leads nowhere fails so, and its zone's servers can still say it.
                Err(error) if failure.is_none() => failure = Some(error),
                Err(_) => break,
            }
            zone = zone.base_name();
        }
        Err(failure.unwrap_or(LookupError::NotFound))
    }

    /// Of a zone whose servers' names are known.
    pub(super) async fn of(dns: &Dns, zone: Name, mut servers: Vec<Name>, port: u16) -> Self {
        servers.sort();
        servers.dedup();
        let servers = servers.iter().take(SERVERS_MAX);
        let servers = join_all(servers.map(|name| Server::find(dns, name, port))).await;
        Self { zone, servers }
    }
}

impl Server {
    async fn find(dns: &Dns, name: &Name, port: u16) -> Self {
        let Some(name) = name::format(name) else {
            return Self { name: "?".to_owned(), addrs: Err(LookupError::NotFound) };
        };
        let addrs = addresses(dns, &name).await;
        let addrs = addrs.map(|addrs| addrs.iter().map(|ip| SocketAddr::new(*ip, port)).collect());
        Self { name, addrs }
    }
}

async fn addresses(dns: &Dns, host: &str) -> Result<Vec<IpAddr>, LookupError> {
    let (a, aaaa) = tokio::join!(dns.a(host), dns.aaaa(host));
    if let (Err(of_a), Err(of_aaaa)) = (&a, &aaaa) {
        return Err(if of_a.is_void() { of_aaaa } else { of_a }.clone());
    }
    let (a, aaaa) = (a.unwrap_or_default(), aaaa.unwrap_or_default());
    let addrs = a.into_iter().map(IpAddr::from).chain(aaaa.into_iter().map(IpAddr::from));
    Ok(addrs.take(ADDRS_MAX).collect())
}

/// What stands behind the last label with a leading underscore.
fn domain_of(name: &Name) -> Name {
    let labels = usize::from(name.num_labels());
    let underscored = name.iter().rposition(|label| label.starts_with(b"_"));
    name.trim_to(labels - underscored.map_or(0, |at| at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_behind_the_underscores() {
        for (text, domain) in [
            ("s1._domainkey.example.org", "example.org"),
            ("example.com._report._dmarc.example.org", "example.org"),
            ("a.example.org", "a.example.org"),
            ("_a", ""),
        ] {
            let domain_name = domain_of(&name::parse(text).unwrap());
            assert_eq!(name::format(&domain_name).unwrap(), domain, "{text}");
        }
    }
}
