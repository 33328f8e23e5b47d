//! The "iprev" method: the client's address has a name that has the address (RFC 8601 §3).
//!
//! Failure: where DNS fails and nothing passed, the result is temperror. An address without a name
//! is permerror, one whose names do not lead back is fail (§2.7.3).

use std::net::IpAddr;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use serde::Serialize;

use crate::dns::{Dns, LookupError};
use crate::result::AuthResult;

/// RFC 8601 §3 leaves the limit to us; SPF allows as many (RFC 7208 §4.6.4). More names are ignored.
const NAMES_MAX: usize = 10;

/// What iprev said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Iprev {
    /// pass, fail, temperror or permerror.
    pub result: AuthResult,
    /// The client's address (`policy.iprev`).
    pub addr: IpAddr,
    /// The name that was verified, or the one that failed.
    pub name: Option<String>,
    /// The MTA has verified the name, and nothing was asked.
    pub by_mta: bool,
    /// Why, where it did not pass.
    pub reason: Option<String>,
}

/// Checks the client's address. A name that the MTA verified forward and back passes without a
/// look-up.
pub async fn check(dns: &Dns, addr: IpAddr, verified_name: Option<&str>) -> Iprev {
    // An IPv4-mapped IPv6 address is the IPv4 address, whose name it has.
    let addr = addr.to_canonical();
    if let Some(name) = verified_name {
        return Iprev {
            result: AuthResult::Pass,
            addr,
            name: Some(name.into()),
            by_mta: true,
            reason: None,
        };
    }
    match dns.ptr(addr).await {
        Ok(names) => forward(dns, addr, names).await,
        Err(error) => {
            let result =
                if error.is_void() { AuthResult::Permerror } else { AuthResult::Temperror };
            Iprev { result, addr, name: None, by_mta: false, reason: Some(format!("PTR: {error}")) }
        }
    }
}

/// Looks for the address among the names' addresses, asked for side by side; the first name that
/// has it passes.
async fn forward(dns: &Dns, addr: IpAddr, names: Vec<String>) -> Iprev {
    let mut failure = None;
    let tried = names.iter().take(NAMES_MAX);
    let mut answers: FuturesOrdered<_> =
        tried.map(|name| async move { (name, has_address(dns, name, addr).await) }).collect();
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(true) => {
                let name = Some(name.clone());
                return Iprev { result: AuthResult::Pass, addr, name, by_mta: false, reason: None };
            }
            Err(error @ LookupError::Temporary(_)) => failure = Some((name, error)),
            Ok(false) | Err(_) => {}
        }
    }
    // A name that could not be looked up may be the one.
    let (result, name, reason) = match failure {
        Some((name, error)) => (AuthResult::Temperror, Some(name), error.to_string()),
        None => (AuthResult::Fail, names.first(), "no name leads back to the address".into()),
    };
    Iprev { result, addr, name: name.cloned(), by_mta: false, reason: Some(reason) }
}

async fn has_address(dns: &Dns, name: &str, addr: IpAddr) -> Result<bool, LookupError> {
    match addr {
        IpAddr::V4(addr) => Ok(dns.a(name).await?.contains(&addr)),
        IpAddr::V6(addr) => Ok(dns.aaaa(name).await?.contains(&addr)),
    }
}
