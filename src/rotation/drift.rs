//! What became of records that were right: the drift watch. Pure, but for the questions.
//!
//! The records of keys are compared with the keys; DMARC and SPF records with what they were when
//! they were first seen, as the operator may say there what he likes.

use std::collections::BTreeSet;

use super::look::Look;
use crate::dns::drift::Fault;
use crate::dns::{Dns, LookupError};
use crate::keys::state::KeyState;
use crate::keys::{DomainName, Selector};
use crate::text::{visible, visible_start};

/// So many octets of a record are shown.
const SHOWN_OCTETS_MAX: usize = 200;

/// The DMARC and SPF records of a domain; `None` where nothing is known of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policies {
    dmarc: Option<Vec<String>>,
    spf: Option<Vec<String>>,
}

/// What is known of a domain's records.
#[derive(Debug, Default)]
pub struct Watched {
    policies: Policies,
    faults: BTreeSet<String>,
}

/// What a look changed.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Drift {
    /// What is wrong and was not before.
    pub news: Vec<String>,
    /// What was wrong and no longer is.
    pub mended: Vec<String>,
    /// The keys that sign and whose record nobody shows.
    pub lost: Vec<Selector>,
    /// How much is wrong now.
    pub faults: usize,
}

impl Policies {
    /// Asks for them.
    pub async fn ask(dns: &Dns, domain: &DomainName) -> Self {
        let dmarc = format!("_dmarc.{domain}");
        let (dmarc, spf) = tokio::join!(dns.txt(&dmarc), dns.txt(domain.as_str()));
        Self { dmarc: texts(dmarc, "v=dmarc1"), spf: texts(spf, "v=spf1") }
    }
}

fn texts(answer: Result<Vec<Vec<u8>>, LookupError>, start: &str) -> Option<Vec<String>> {
    let records = match answer {
        Ok(records) => records,
        Err(error) if error.is_void() => Vec::new(),
        Err(_) => return None,
    };
    let is_one = |text: &String| {
        text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    let texts = records.iter().map(|text| String::from_utf8_lossy(text).into_owned());
    let mut texts: Vec<String> = texts.filter(is_one).collect();
    texts.sort();
    Some(texts)
}

impl Watched {
    /// Compares what DNS shows now with what it should show, and with what it showed.
    pub fn compare(&mut self, domain: &DomainName, looks: &[Look], now: Policies) -> Drift {
        let mut faults: BTreeSet<String> = looks.iter().flat_map(key_faults).collect();
        let pairs = [
            ("DMARC", format!("_dmarc.{domain}"), &mut self.policies.dmarc, now.dmarc),
            ("SPF", domain.to_string(), &mut self.policies.spf, now.spf),
        ];
        for (kind, name, before, now) in pairs {
            faults.extend(changed(kind, &name, before, now, &self.faults));
        }
        let is_lost = |look: &&Look| look.state == KeyState::Active && look.is_lost();
        let before = std::mem::replace(&mut self.faults, faults);
        Drift {
            news: self.faults.difference(&before).cloned().collect(),
            mended: before.difference(&self.faults).cloned().collect(),
            lost: looks.iter().filter(is_lost).map(|look| look.selector.clone()).collect(),
            faults: self.faults.len(),
        }
    }
}

/// What misleads verifiers of mail that was signed with the key.
fn key_faults(look: &Look) -> Vec<String> {
    if !matches!(look.state, KeyState::Active | KeyState::Retiring) {
        return Vec::new();
    }
    let faults = look.standing.faults.iter().filter(|fault| fault.kind.is_harmful());
    let told = |fault: &Fault| {
        let (server, name) = (visible(&fault.server), visible(&fault.name));
        format!("{server}: {name}: {}; {}", fault.kind, fault.kind.remedy())
    };
    faults.map(told).collect()
}

/// How a policy record drifted. A record that was lost stays a fault until there is one again; one
/// that was changed is told once, and then is what there was.
fn changed(
    kind: &str,
    name: &str,
    before: &mut Option<Vec<String>>,
    now: Option<Vec<String>>,
    told: &BTreeSet<String>,
) -> Option<String> {
    let lost = format!("{name}: the {kind} record is lost; publish it again");
    let Some(now) = now else { return told.contains(&lost).then_some(lost) };
    let known = before.replace(now.clone())?;
    if now.is_empty() && (!known.is_empty() || told.contains(&lost)) {
        return Some(lost);
    }
    (known != now && !known.is_empty()).then(|| {
        let shown = |texts: &[String]| visible_start(texts.join(" | "), SHOWN_OCTETS_MAX);
        format!("{name}: the {kind} record has changed from {} to {}", shown(&known), shown(&now))
    })
}
