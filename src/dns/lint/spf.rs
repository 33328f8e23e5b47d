//! The SPF record and those that it includes, all terms counted as a client that none matches
//! would have them counted (RFC 7208 §4.6.4).

use std::net::IpAddr;
use std::pin::Pin;

use super::networks::Networks;
use super::{Finding, texts};
use crate::auth::spf::record;
use crate::dns::resolver::{Dns, LookupError};
use crate::dns::wanted::Kind;
use crate::text::visible;

/// What one evaluation may ask.
const DNS_TERMS_MAX: usize = 10;
/// What one evaluation may ask in vain.
const VOID_LOOKUPS_MAX: usize = 2;
/// Here the counting ends: records that include each other have no end.
const COUNTED_MAX: usize = 60;
/// `mx` may have so many names.
const MX_NAMES_MAX: usize = 10;
/// The type of SPF's own records (RFC 7208 §3.1: discontinued).
const TYPE_SPF: u16 = 99;

pub(super) async fn lint(dns: &Dns, domain: &str) -> Result<Vec<Finding>, LookupError> {
    let mut findings = Vec::new();
    if dns.has_type(domain, TYPE_SPF).await? {
        let text = "there is a record of type SPF (99), which nobody reads (RFC 7208); remove it";
        findings.push(Finding::fault(domain, text));
    }
    let mut records = texts(dns, domain).await?;
    records.retain(|text| Kind::Spf.is_meant(text));
    match records.len() {
        0 => {
            let text = "there is no SPF record; publish one, v=spf1 -all where it sends no mail";
            findings.push(Finding::fault(domain, text));
        }
        1 => {
            let mut census = Census::new(dns);
            census.record(domain.to_owned(), true).await?;
            findings.extend(census.findings(domain));
        }
        count => {
            let text = format!("there are {count} SPF records, a permanent error; leave one");
            findings.push(Finding::fault(domain, text));
        }
    }
    Ok(findings)
}

/// What is counted over a record and those below it.
struct Census<'a> {
    dns: &'a Dns,
    dns_terms: usize,
    /// Look-ups in vain that a client with IPv4, and one with IPv6, would cause.
    voids: [Vec<String>; 2],
    networks: Networks,
    /// The terms that let anybody pass.
    any: Vec<String>,
    faults: Vec<(String, String)>,
}

impl<'a> Census<'a> {
    fn new(dns: &'a Dns) -> Self {
        Self {
            dns,
            dns_terms: 0,
            voids: Default::default(),
            networks: Networks::default(),
            any: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn findings(self, domain: &str) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.faults.into_iter().map(|(name, text)| Finding::fault(name, text)).collect();
        if self.dns_terms > DNS_TERMS_MAX {
            let more = if self.dns_terms >= COUNTED_MAX { " or more" } else { "" };
            let text = format!(
                "its terms ask DNS {}{more} times, {DNS_TERMS_MAX} is the most: a permanent error; \
                 name networks instead of includes",
                self.dns_terms
            );
            findings.push(Finding::fault(domain, text));
        }
        let [v4, v6] = self.voids;
        let (kind, voids) = if v4.len() >= v6.len() { ("IPv4", v4) } else { ("IPv6", v6) };
        if voids.len() > VOID_LOOKUPS_MAX {
            let text = format!(
                "for {kind} clients {} look-ups find nothing, {VOID_LOOKUPS_MAX} is the most: a \
                 permanent error; remove {}",
                voids.len(),
                voids.join(", ")
            );
            findings.push(Finding::fault(domain, text));
        }
        if !self.any.is_empty() {
            let text = format!("{} lets anybody pass; end in -all", self.any.join(", "));
            findings.push(Finding::fault(domain, text));
        }
        for kind in self.networks.vast() {
            let text = format!("its networks let half or more of all {kind} addresses pass");
            findings.push(Finding::fault(domain, text));
        }
        findings
    }

    /// Counts the record of a domain; `is_pass` where a match in it makes a pass.
    fn record(
        &mut self,
        domain: String,
        is_pass: bool,
    ) -> Pin<Box<dyn Future<Output = Result<(), LookupError>> + Send + '_>> {
        Box::pin(async move {
            let found = texts(self.dns, &domain).await?;
            let fault = match record::select(&found) {
                Ok(Some(_)) => None,
                Ok(None) => Some("a term leads here, and there is no SPF record".to_owned()),
                Err(reason) => Some(visible(reason)),
            };
            if let Some(fault) = fault {
                self.faults.push((domain, fault));
                return Ok(());
            }
            let text = found.iter().find(|text| Kind::Spf.is_meant(text));
            let text = String::from_utf8_lossy(text.map_or(b"", |text| text)).to_ascii_lowercase();
            let terms: Vec<&str> =
                text.split(' ').filter(|term| !term.is_empty()).skip(1).collect();
            let bare = |term: &str| term.trim_start_matches(['+', '-', '?', '~']) == "all";
            let has_all = terms.iter().any(|term| bare(term));
            for term in terms {
                // RFC 7208 §6.1: any `all` makes it void, wherever it stands.
                if has_all && term.starts_with("redirect=") {
                    continue;
                }
                if self.dns_terms >= COUNTED_MAX {
                    break;
                }
                let (qualifier, bare) = match term.split_at_checked(1) {
                    Some((qualifier @ ("+" | "-" | "?" | "~"), bare)) => (qualifier, bare),
                    _ => ("+", term),
                };
                let is_pass = is_pass && qualifier == "+";
                if bare == "all" {
                    if is_pass {
                        self.any.push(format!("{term} in the record of {}", visible(&domain)));
                    }
                    // RFC 7208 §5.1: what follows is ignored.
                    break;
                }
                self.term(&domain, bare, is_pass).await?;
            }
            Ok(())
        })
    }

    async fn term(&mut self, domain: &str, term: &str, is_pass: bool) -> Result<(), LookupError> {
        let (name, value) = match term.find([':', '=', '/']) {
            Some(at) => term.split_at(at),
            None => (term, ""),
        };
        let value = value.strip_prefix([':', '=']).unwrap_or(value);
        if matches!(name, "ip4" | "ip6") {
            self.network(value, is_pass);
            return Ok(());
        }
        if !matches!(name, "include" | "redirect" | "a" | "mx" | "ptr" | "exists") {
            return Ok(());
        }
        self.dns_terms += 1;
        let (target, prefixes) = value.split_once('/').unwrap_or((value, ""));
        if is_pass && prefixes.split('/').any(|prefix| prefix == "0") {
            self.any.push(format!("{} in the record of {}", visible(term), visible(domain)));
        }
        // What a macro leads to depends on the message.
        if target.contains('%') {
            return Ok(());
        }
        let target =
            if target.is_empty() { domain } else { target }.trim_end_matches('.').to_owned();
        match name {
            "include" | "redirect" => return self.record(target, is_pass).await,
            "a" => {
                let v4 = !is_void(self.dns.a(&target).await)?;
                let v6 = !is_void(self.dns.aaaa(&target).await)?;
                self.void(term, [!v4, !v6]);
            }
            "exists" => {
                let is_void = is_void(self.dns.a(&target).await)?;
                self.void(term, [is_void; 2]);
            }
            "mx" => match self.dns.mx(&target).await {
                Ok(names) if names.len() > MX_NAMES_MAX => {
                    let count = names.len();
                    let text = format!("mx has {count} names, {MX_NAMES_MAX} is the most");
                    self.faults.push((target, text));
                }
                found => {
                    let is_void = is_void(found)?;
                    self.void(term, [is_void; 2]);
                }
            },
            _ => {
                let text = "ptr is slow and not to be used (RFC 7208 §5.5); name networks instead";
                self.faults.push((domain.to_owned(), text.to_owned()));
            }
        }
        Ok(())
    }

    fn network(&mut self, value: &str, is_pass: bool) {
        let (addr, prefix) = value.split_once('/').unwrap_or((value, ""));
        if let Ok(addr) = addr.parse::<IpAddr>()
            && is_pass
        {
            self.networks.add(addr, prefix.parse().ok());
        }
    }

    fn void(&mut self, term: &str, is_void: [bool; 2]) {
        for (voids, is_void) in self.voids.iter_mut().zip(is_void) {
            if is_void {
                voids.push(visible(term));
            }
        }
    }
}

/// Whether a look-up found nothing.
fn is_void<T>(found: Result<T, LookupError>) -> Result<bool, LookupError> {
    match found {
        Ok(_) => Ok(false),
        Err(error) if error.is_void() => Ok(true),
        Err(error) => Err(error),
    }
}
