//! The client's validated names, for `ptr` and `%{p}` (RFC 7208 §5.5, §7.3).

use std::net::IpAddr;

use futures_util::future::join_all;

use super::limits::PTR_NAMES_MAX;
use crate::dns::{Dns, LookupError};
use crate::message::domain::is_within;

/// What the client's address resolves to.
#[derive(Clone, Debug, Default)]
pub(super) struct Reverse {
    /// The names that have the address, in lower case.
    validated: Vec<String>,
    /// DNS said that the address has no name.
    pub(super) is_void: bool,
}

impl Reverse {
    /// RFC 7208 §5.5: an error at a name skips that name, an error before it leaves none.
    pub(super) async fn look_up(dns: &Dns, client: IpAddr) -> Self {
        let names = match dns.ptr(client).await {
            Ok(names) => names,
            Err(error) => return Self { is_void: error.is_void(), ..Self::default() },
        };
        // Side by side: each name is validated by itself, and all of them are.
        let names = names.iter().take(PTR_NAMES_MAX);
        let validated = join_all(names.map(|name| async move {
            let addrs = addresses(dns, client, name).await;
            addrs.is_ok_and(|addrs| addrs.contains(&client)).then(|| name.to_ascii_lowercase())
        }));
        Self { validated: validated.await.into_iter().flatten().collect(), is_void: false }
    }

    pub(super) fn has_name_within(&self, domain: &str) -> bool {
        let domain = domain.to_ascii_lowercase();
        self.validated.iter().any(|name| is_within(name, &domain))
    }

    /// The domain itself where it is validated, a name below it, or any (RFC 7208 §7.3).
    pub(super) fn preferred(&self, domain: &str) -> Option<&str> {
        let domain = domain.to_ascii_lowercase();
        let names = || self.validated.iter().map(String::as_str);
        names()
            .find(|name| *name == domain)
            .or_else(|| names().find(|name| is_within(name, &domain)))
            .or_else(|| names().next())
    }
}

/// The name's addresses of the client's kind (RFC 7208 §5).
pub(super) async fn addresses(
    dns: &Dns,
    client: IpAddr,
    name: &str,
) -> Result<Vec<IpAddr>, LookupError> {
    Ok(match client {
        IpAddr::V4(_) => dns.a(name).await?.into_iter().map(IpAddr::V4).collect(),
        IpAddr::V6(_) => dns.aaaa(name).await?.into_iter().map(IpAddr::V6).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_a_macro_prefers() {
        let validated = ["x.example.net", "a.example.org", "example.org"].map(str::to_owned).into();
        let reverse = Reverse { validated, is_void: false };
        assert_eq!(reverse.preferred("Example.org"), Some("example.org"));
        assert_eq!(reverse.preferred("org"), Some("a.example.org"));
        assert_eq!(reverse.preferred("example.com"), Some("x.example.net"));
        assert_eq!(Reverse::default().preferred("example.com"), None);
    }
}
