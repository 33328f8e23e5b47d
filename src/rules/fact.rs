//! Tests on what is known of a message besides its text: fields that are missing, the envelope, the
//! results of authentication and scan.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use super::facts::Facts;
use super::found::Found;
use super::list::List;
use super::part::{FieldNames, Part};
use super::pattern::Pattern;
use super::results::{Method, MethodResult};
use super::texts::raw;
use crate::message::domain;
use crate::message::origin::Origin;
use crate::result::AuthResult;
use crate::scan::ScanResult;
use crate::text::excerpt;

/// One such test.
#[derive(Debug)]
pub(super) enum Fact {
    /// So many fields of the name.
    Count(FieldNames, RangeInclusive<u64>),
    /// An address or name in a field of the name is in the list.
    HeaderListed(FieldNames, Arc<List>),
    /// The part of the envelope is in the list.
    Listed(Part, Arc<List>),
    /// The client's address is in one of the networks.
    Client(Vec<IpNet>),
    /// It is in the list.
    ClientListed(Arc<List>),
    /// The client used TLS.
    Tls(bool),
    Origin(Vec<Origin>),
    /// The octets of the whole message.
    Size(RangeInclusive<u64>),
    Auth(Method, ResultTest),
    /// The scanner's words.
    Scan(Vec<&'static str>),
    /// What the scanner found.
    Virus(Arc<Pattern>),
}

/// What one result of a method must be.
#[derive(Debug, Default)]
pub(super) struct ResultTest {
    /// Any of these; any at all where there are none.
    pub(super) results: Vec<AuthResult>,
    /// The domain that it speaks of is this one, or below it.
    pub(super) domain: Option<String>,
    pub(super) in_list: Option<Arc<List>>,
}

/// The words for what the scanner says; `unscanned` is all that is neither clean nor infected.
pub(super) const SCAN_WORDS: [&str; 10] = [
    "clean",
    "infected",
    "unscanned",
    "failed",
    "oversize",
    "prefix",
    "encrypted",
    "limits",
    "spam",
    "ignored",
];

impl Fact {
    /// Whether it is one.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Count(names, range) => range.contains(&(count(names, facts) as u64)),
            Self::HeaderListed(names, list) => listed_value(names, list, facts).is_some(),
            Self::Listed(part, list) => listed_part(part, list, facts).is_some(),
            Self::Client(networks) => facts.envelope.client.addr.is_some_and(|addr| {
                let addr = addr.to_canonical();
                networks.iter().any(|network| network.contains(&addr))
            }),
            Self::ClientListed(list) => {
                facts.envelope.client.addr.is_some_and(|addr| list.has_addr(addr))
            }
            Self::Tls(wanted) => facts.envelope.tls.is_some() == *wanted,
            Self::Origin(origins) => origins.contains(&facts.origin),
            Self::Size(range) => range.contains(&facts.size_bytes),
            Self::Auth(method, test) => test.meant(*method, facts).is_some(),
            Self::Scan(words) => scan_words(facts.scan).iter().any(|word| words.contains(word)),
            Self::Virus(pattern) => {
                virus(facts.scan).is_some_and(|name| pattern.find_once(name.as_bytes()).is_some())
            }
        }
    }

    /// What is shown of it where it holds; `None` where what holds is that something is absent.
    pub(super) fn found(&self, facts: &Facts<'_>) -> Option<Found> {
        let envelope = facts.envelope;
        match self {
            Self::Count(names, _) => match count(names, facts) {
                0 => None,
                count => Some(found("header", &format!("{count} of {}", names.as_str()))),
            },
            Self::HeaderListed(names, list) => {
                Some(found(names.as_str(), &listed_value(names, list, facts)?))
            }
            Self::Listed(part, list) => Some(found(&part.label(), listed_part(part, list, facts)?)),
            Self::Client(_) | Self::ClientListed(_) => {
                Some(found("client", &envelope.client.addr?.to_string()))
            }
            Self::Tls(_) => Some(found("tls", envelope.tls.as_deref()?)),
            Self::Origin(_) => Some(found("origin", facts.origin.as_str())),
            Self::Size(_) => Some(found("size", &facts.size_bytes.to_string())),
            Self::Auth(method, test) => Some(found(method.as_str(), &test.meant(*method, facts)?)),
            Self::Scan(_) => Some(found("scan", scan_words(facts.scan).last()?)),
            Self::Virus(_) => Some(found("virus", virus(facts.scan)?)),
        }
    }
}

fn found(part: &str, text: &str) -> Found {
    let part = excerpt(part.as_bytes());
    Found { part, view: None, offset: None, text: excerpt(text.as_bytes()) }
}

fn count(names: &FieldNames, facts: &Facts<'_>) -> usize {
    let name = |name: &[u8]| name.trim_ascii_end().to_ascii_lowercase();
    facts.headers.iter().filter(|field| names.contain(&name(field.name))).count()
}

/// The first address or word of a field's value that is in the list.
fn listed_value(names: &FieldNames, list: &List, facts: &Facts<'_>) -> Option<String> {
    let is_named = |name: &[u8]| names.contain(&name.trim_ascii_end().to_ascii_lowercase());
    let fields = facts.headers.iter().filter(|field| is_named(field.name));
    let ends = |c: char| c.is_whitespace() || "<>()[],;:\"'".contains(c);
    fields
        .map(|field| String::from_utf8_lossy(raw(field)).into_owned())
        .find_map(|value| value.split(ends).find(|word| is_listed(word, list)).map(str::to_owned))
}

fn is_listed(word: &str, list: &List) -> bool {
    !word.is_empty()
        && if word.contains('@') { list.has_address(word) } else { list.has_host(word) }
}

fn listed_part<'f>(part: &Part, list: &List, facts: &Facts<'f>) -> Option<&'f str> {
    part.of_envelope(facts.envelope).into_iter().find(|text| is_listed(text, list))
}

impl ResultTest {
    /// The first result of the method that is meant, as it is shown.
    fn meant(&self, method: Method, facts: &Facts<'_>) -> Option<String> {
        let meant = |found: &&MethodResult| {
            (self.results.is_empty() || self.results.contains(&found.result)) && self.is_of(found)
        };
        let MethodResult { result, domains, .. } = facts.results.of(method).find(meant)?;
        Some(match domains.first() {
            Some(domain) => format!("{result} {domain}"),
            None => result.to_string(),
        })
    }

    fn is_of(&self, found: &MethodResult) -> bool {
        let any = |is: &dyn Fn(&str) -> bool| found.domains.iter().any(|name| is(name));
        let is_within = |wanted: &String| any(&|name| domain::is_within(name, wanted));
        let is_listed = |list: &Arc<List>| any(&|name| list.has_domain(name));
        self.domain.as_ref().is_none_or(is_within) && self.in_list.as_ref().is_none_or(is_listed)
    }
}

/// The words that the scanner's result goes by, the most exact last.
fn scan_words(scan: Option<&ScanResult>) -> Vec<&'static str> {
    match scan {
        None => Vec::new(),
        Some(scan @ (ScanResult::Clean | ScanResult::Infected { .. })) => vec![scan.label()],
        Some(scan) => vec!["unscanned", scan.label()],
    }
}

fn virus(scan: Option<&ScanResult>) -> Option<&str> {
    match scan {
        Some(ScanResult::Infected { name }) => Some(name),
        _ => None,
    }
}
