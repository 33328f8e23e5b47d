//! `check_host()`: walks a record and those it names, within limits (RFC 7208 §4, §5, §6.1).

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use viaspf_record::{
    Directive, DomainSpec, DualCidrLength, Ip4CidrLength, Ip6CidrLength, MacroKind, Mechanism,
    Qualifier,
};

use super::breadth::{Breadth, Passing};
use super::domain::{self, Sender};
use super::expand::Values;
use super::limits::{Budget, MX_NAMES_MAX};
use super::record::{self, Record, cut, has_macro};
use super::reverse::{Reverse, addresses};
use crate::dns::{Dns, LookupError};
use crate::result::AuthResult;

/// What a domain's record comes to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is no record: none.
    NoRecord,
    /// No mechanism matched and there is no `redirect`.
    Default,
    /// A mechanism matched.
    Matched(Matched),
}

/// The directive that matched.
#[derive(Debug)]
pub(super) struct Matched {
    /// Its qualifier's result.
    pub(super) result: AuthResult,
    /// The directive as published.
    pub(super) by: String,
    /// The domain of the record in which it stands, after `redirect`.
    pub(super) domain: String,
    /// How many other clients would pass as well.
    pub(super) breadth: Breadth,
    /// That record's `exp=`.
    pub(super) explanation: Option<DomainSpec>,
}

/// Why there is no outcome, in words.
#[derive(Debug)]
pub(super) enum Trouble {
    /// temperror.
    Temporary(String),
    /// permerror.
    Permanent(String),
}

/// One evaluation: what it reads and what it has left.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    pub(super) dns: &'a Dns,
    client: IpAddr,
    helo: &'a str,
    sender: &'a Sender,
    receiver: &'a str,
    budget: Budget,
    /// What passes by the records read so far.
    passing: Passing,
    /// The same of the directive that matched last, by itself.
    breadth: Breadth,
    /// Looked up once, where a term wants it.
    reverse: Option<Arc<Reverse>>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        dns: &'a Dns,
        client: IpAddr,
        helo: &'a str,
        sender: &'a Sender,
        receiver: &'a str,
    ) -> Self {
        // RFC 7208 §5: an IPv4-mapped IPv6 address is the IPv4 address.
        let client = client.to_canonical();
        Self {
            dns,
            client,
            helo,
            sender,
            receiver,
            budget: Budget::default(),
            passing: Passing::default(),
            breadth: Breadth::Some,
            reverse: None,
        }
    }

    /// RFC 7208 §4, for one domain and those that its record redirects to.
    pub(super) async fn check_host(&mut self, mut domain: String) -> Result<Outcome, Trouble> {
        let mut is_redirected = false;
        loop {
            let Some(record) = self.record(&domain).await? else {
                if is_redirected {
                    // RFC 7208 §6.1: permerror rather than none.
                    return Err(Trouble::Permanent(format!("redirect to {domain}: no SPF record")));
                }
                return Ok(Outcome::NoRecord);
            };
            for directive in record.directives.iter().filter(|directive| passes(directive)) {
                self.passing.add(&directive.mechanism, self.client);
            }
            for directive in &record.directives {
                let known = self.passing.len();
                if self.is_match(&directive.mechanism, &domain).await? {
                    self.measure(&directive.mechanism);
                    let matched = matched(directive, domain, &record, self.breadth);
                    return Ok(Outcome::Matched(matched));
                }
                if !passes(directive) {
                    // What passes in an included record does not pass in this one.
                    self.passing.forget_since(known);
                }
            }
            let Some(redirect) = &record.redirect else { return Ok(Outcome::Default) };
            self.budget.spend_term(&format!("redirect={redirect}"))?;
            domain = self.target(redirect, &domain).await.unwrap_or_default();
            is_redirected = true;
        }
    }

    /// Notes how many clients match as this one did, and how many pass by all that was read. An
    /// `include` is as broad as what matched in the included record.
    fn measure(&mut self, mechanism: &Mechanism) {
        let by_itself = match mechanism {
            Mechanism::Include(_) => self.breadth,
            mechanism => breadth(mechanism, self.client),
        };
        self.breadth = by_itself.max(self.passing.breadth(self.client));
    }

    /// The domain's record; `None` also where the domain is malformed (RFC 7208 §4.3).
    async fn record(&mut self, name: &str) -> Result<Option<Record>, Trouble> {
        let Some(domain) = domain::parse(name) else { return Ok(None) };
        match self.dns.txt(&domain).await {
            Ok(texts) => {
                record::select(&texts).map_err(|why| Trouble::Permanent(format!("{domain}: {why}")))
            }
            Err(error) if error.is_void() => Ok(None),
            Err(error) => Err(trouble("TXT", &domain, &error)),
        }
    }

    async fn is_match(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Trouble> {
        match mechanism {
            Mechanism::All => return Ok(true),
            Mechanism::Ip4(ip4) => {
                let prefix = ip4.prefix_len.map(Into::into);
                return Ok(contains(ip4.addr.into(), prefix, self.client));
            }
            Mechanism::Ip6(ip6) => {
                let prefix = ip6.prefix_len.map(Into::into);
                return Ok(contains(ip6.addr.into(), prefix, self.client));
            }
            _ => self.budget.spend_term(&mechanism.to_string())?,
        }
        let target = match record::spec_of(mechanism) {
            Some(spec) => self.target(spec, domain).await,
            None => Some(domain.to_owned()),
        };
        // RFC 8616 §4: a term that a non-ASCII local part went into does not match.
        let Some(target) = target else { return Ok(false) };
        match mechanism {
            Mechanism::Include(_) => self.include(target).await,
            Mechanism::A(a) => self.a(&target, a.prefix_len).await,
            Mechanism::Mx(mx) => self.mx(&target, mx.prefix_len).await,
            Mechanism::Ptr(_) => self.ptr(&target).await,
            Mechanism::Exists(_) => {
                // RFC 7208 §5.7: an A look-up for IPv6 clients too.
                let found = self.dns.a(&target).await;
                Ok(!self.records("A", &target, found)?.is_empty())
            }
            Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => Ok(false),
        }
    }

    /// RFC 7208 §5.2's table.
    async fn include(&mut self, target: String) -> Result<bool, Trouble> {
        let name = cut(&target);
        match self.check_included(target).await? {
            Outcome::Matched(matched) => Ok(matched.result == AuthResult::Pass),
            Outcome::Default => Ok(false),
            Outcome::NoRecord => {
                Err(Trouble::Permanent(format!("include of {name}: no SPF record")))
            }
        }
    }

    /// Boxed, as it is a recursion; the budget ends it.
    fn check_included(
        &mut self,
        domain: String,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Trouble>> + Send + '_>> {
        Box::pin(self.check_host(domain))
    }

    /// RFC 7208 §5.3.
    async fn a(&mut self, target: &str, prefix: Option<DualCidrLength>) -> Result<bool, Trouble> {
        let found = addresses(self.dns, self.client, target).await;
        let addrs = self.records("address", target, found)?;
        Ok(addrs.into_iter().any(|addr| contains(addr, prefix, self.client)))
    }

    /// RFC 7208 §5.4.
    async fn mx(&mut self, target: &str, prefix: Option<DualCidrLength>) -> Result<bool, Trouble> {
        let found = self.dns.mx(target).await;
        let exchangers = self.records("MX", target, found)?;
        if exchangers.len() > MX_NAMES_MAX {
            return Err(Trouble::Permanent(format!(
                "mx of {}: more than {MX_NAMES_MAX} names",
                cut(target)
            )));
        }
        // Asked for side by side and judged in their order, so that the first that decides still
        // does. There are no more than one after the other could cost.
        let (dns, client) = (self.dns, self.client);
        let mut answers: FuturesOrdered<_> = exchangers
            .iter()
            .map(|mx| async move { (mx, addresses(dns, client, &mx.exchange).await) })
            .collect();
        while let Some((mx, answer)) = answers.next().await {
            match answer {
                Ok(addrs) if addrs.iter().any(|&addr| contains(addr, prefix, self.client)) => {
                    return Ok(true);
                }
                Ok(_) => {}
                // Not one of §4.6.4's void look-ups, which are the terms' own: an exchanger
                // without IPv6 would spoil the record for IPv6 clients.
                Err(error) if error.is_void() => {}
                Err(error) => return Err(trouble("address", &mx.exchange, &error)),
            }
        }
        Ok(false)
    }

    /// RFC 7208 §5.5.
    async fn ptr(&mut self, target: &str) -> Result<bool, Trouble> {
        let reverse = self.reverse().await;
        if reverse.is_void {
            self.budget.spend_void("PTR", &self.client.to_string())?;
        }
        Ok(reverse.has_name_within(target))
    }

    /// The client's name for `%{p}`.
    pub(super) async fn validated_name(&mut self, domain: &str) -> Option<String> {
        self.reverse().await.preferred(domain).map(str::to_owned)
    }

    async fn reverse(&mut self) -> Arc<Reverse> {
        if let Some(reverse) = &self.reverse {
            return Arc::clone(reverse);
        }
        let reverse = Arc::new(Reverse::look_up(self.dns, self.client).await);
        self.reverse = Some(Arc::clone(&reverse));
        reverse
    }

    /// The `<target-name>` (RFC 7208 §4.8). `None` where it is not ASCII and so can match nothing.
    pub(super) async fn target(&mut self, spec: &DomainSpec, domain: &str) -> Option<String> {
        let text = spec.as_ref();
        let validated = if has_macro(text, |kind| kind == MacroKind::ValidatedDomain) {
            self.validated_name(domain).await
        } else {
            None
        };
        let name = self.values(domain, validated.as_deref()).name(text);
        name.is_ascii().then_some(name)
    }

    pub(super) fn values<'v>(&'v self, domain: &'v str, validated: Option<&'v str>) -> Values<'v> {
        let Self { client, helo, sender, receiver, .. } = *self;
        Values { sender, domain, client, helo, receiver, validated }
    }

    /// The records that a term's own look-up found; none counts as void.
    fn records<T>(
        &mut self,
        kind: &str,
        name: &str,
        found: Result<Vec<T>, LookupError>,
    ) -> Result<Vec<T>, Trouble> {
        match found {
            Ok(records) => Ok(records),
            Err(error) if error.is_void() => {
                self.budget.spend_void(kind, name)?;
                Ok(Vec::new())
            }
            Err(error) => Err(trouble(kind, name, &error)),
        }
    }
}

/// Whether a match of the directive is a pass.
fn passes(directive: &Directive) -> bool {
    directive.qualifier.unwrap_or_default() == Qualifier::Pass
}

fn matched(directive: &Directive, domain: String, record: &Record, breadth: Breadth) -> Matched {
    Matched {
        result: match directive.qualifier.unwrap_or_default() {
            Qualifier::Pass => AuthResult::Pass,
            Qualifier::Fail => AuthResult::Fail,
            Qualifier::Softfail => AuthResult::Softfail,
            Qualifier::Neutral => AuthResult::Neutral,
        },
        by: cut(&directive.to_string()),
        domain,
        breadth,
        explanation: record.explanation.clone(),
    }
}

/// How many clients of its kind a mechanism matches that matched this one.
fn breadth(mechanism: &Mechanism, client: IpAddr) -> Breadth {
    let prefix: Option<DualCidrLength> = match mechanism {
        Mechanism::All => return Breadth::Any,
        Mechanism::Ip4(ip4) => ip4.prefix_len.map(Into::into),
        Mechanism::Ip6(ip6) => ip6.prefix_len.map(Into::into),
        Mechanism::A(a) => a.prefix_len,
        Mechanism::Mx(mx) => mx.prefix_len,
        Mechanism::Include(_) | Mechanism::Ptr(_) | Mechanism::Exists(_) => None,
    };
    let length = prefix.and_then(|prefix| match client {
        IpAddr::V4(_) => prefix.ip4().map(Ip4CidrLength::get),
        IpAddr::V6(_) => prefix.ip6().map(Ip6CidrLength::get),
    });
    length.map_or(Breadth::Some, Breadth::of_prefix)
}

/// Whether the client is in the network (RFC 7208 §5). Addresses of the other kind never are.
fn contains(network: IpAddr, prefix: Option<DualCidrLength>, client: IpAddr) -> bool {
    match (network, client) {
        (IpAddr::V4(network), IpAddr::V4(client)) => {
            let length = prefix.and_then(DualCidrLength::ip4).map_or(32, Ip4CidrLength::get);
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            (network.to_bits() ^ client.to_bits()) & mask == 0
        }
        (IpAddr::V6(network), IpAddr::V6(client)) => {
            let length = prefix.and_then(DualCidrLength::ip6).map_or(128, Ip6CidrLength::get);
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            (network.to_bits() ^ client.to_bits()) & mask == 0
        }
        _ => false,
    }
}

fn trouble(kind: &str, name: &str, error: &LookupError) -> Trouble {
    Trouble::Temporary(format!("{kind} of {}: {error}", cut(name)))
}
