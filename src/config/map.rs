//! `[[sign.map]]`: read entry by entry, and what it means for DMARC.

use toml::de::{DeTable, DeValue};

use super::error::Complaint;
use super::parse;
use super::resolve::{not_repeated, table_of};
use super::section::{Gathered, Section};
use super::value::{Value, flag, list, some, text};
use crate::message::domain::is_within;
use crate::sign::map::{Authors, MapError, Mapped, SIGNERS_MAX, SignMap};

/// More maps than this are only counted in the warnings.
const WARNED_MAX: usize = 5;

/// All maps of a file.
pub(super) fn sign_map(root: &DeTable<'_>, gathered: &mut Gathered) -> SignMap {
    let mut map = SignMap::default();
    let Some(value) = table_of(root, "sign").and_then(|sign| sign.get("map")) else {
        return map;
    };
    let DeValue::Array(entries) = value.get_ref() else {
        gathered.fault(value.span().start, not_repeated("sign.map"));
        return map;
    };
    for entry in entries {
        let Some((from, mapped)) = mapped(entry, gathered) else { continue };
        if let Err(error) = map.insert(from, mapped) {
            gathered.fault(entry.span().start, refused(error));
        }
    }
    map
}

fn mapped(entry: &Value<'_>, gathered: &mut Gathered) -> Option<(Authors, Mapped)> {
    let DeValue::Table(table) = entry.get_ref() else {
        gathered.fault(entry.span().start, not_repeated("sign.map"));
        return None;
    };
    for key in ["from", "domain"] {
        if !table.contains_key(key) {
            let complaint = Complaint::new(format!("[[sign.map]] has no {key}"));
            let hint = "from says whose mail is signed, domain who signs it (d=)";
            gathered.fault(entry.span().start, complaint.hint(hint));
        }
    }
    let mut section = Section::new("sign.map", Some(table), gathered);
    let from = section.optional("from", text(parse::authors));
    let domain = section.optional("domain", text(parse::signing_domain));
    let selectors = section.optional("selectors", some(list(text(parse::selector))));
    let also = section.optional("also", flag);
    let auid = section.optional("auid", flag);
    let mapped = Mapped {
        domain: domain?,
        selectors: selectors.unwrap_or_default(),
        also: also.unwrap_or(false),
        auid: auid.unwrap_or(true),
    };
    Some((from?, mapped))
}

fn refused(error: MapError) -> Complaint {
    match error {
        MapError::Twice => Complaint::new("[[sign.map]] has this from and this domain twice")
            .hint("take one of the two away"),
        MapError::TooMany => {
            Complaint::new(format!("[[sign.map]] has more than {SIGNERS_MAX} domains for one from"))
                .hint("verifiers look at a few signatures only")
        }
    }
}

/// Signatures that DMARC will not count (RFC 9989 §4.4.1), one sentence a map.
pub(super) fn warnings(map: &SignMap) -> Vec<String> {
    let mut unaligned: Vec<String> = map
        .iter()
        .filter(|(from, mapped)| !mapped.also && !may_align(from, &mapped.domain))
        .map(|(from, mapped)| {
            let domain = &mapped.domain;
            let from = shown(from);
            format!(
                "sign.map: mail from {from} signed by {domain} does not align for DMARC, unless \
                 both are of one organizational domain; better give {from} keys of its own"
            )
        })
        .collect();
    unaligned.sort();
    let more = unaligned.len().saturating_sub(WARNED_MAX);
    unaligned.truncate(WARNED_MAX);
    if more > 0 {
        unaligned.push(format!("sign.map: {more} more maps do not align for DMARC"));
    }
    unaligned
}

/// Whether a signature of the domain can align with all of the authors.
fn may_align(from: &Authors, domain: &str) -> bool {
    match from {
        Authors::Domain(author) => is_within(author, domain) || is_within(domain, author),
        Authors::Below(parent) => is_within(parent, domain) || is_within(domain, parent),
        Authors::Any => false,
    }
}

fn shown(from: &Authors) -> String {
    match from {
        Authors::Domain(domain) => domain.clone(),
        Authors::Below(parent) => format!("*.{parent}"),
        Authors::Any => "any author domain".to_owned(),
    }
}
