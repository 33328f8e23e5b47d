//! DMARC (RFC 9989): the author domain's policy, found by the tree walk, and identifier alignment.
//!
//! [`discover`] needs From alone and starts with the end of the header; [`evaluate`] joins it with
//! what SPF and DKIM said. Nothing but an aligned pass is a pass.
//!
//! Failure: where DNS does not answer and the answer matters, the result is `temperror`. It matters
//! only for names of the author domain's own tree, so that a stranger's broken name server cannot
//! turn a `fail` into a `temperror`.

mod alignment;
pub mod record;
pub mod suffix;
mod walk;

use crate::dkim::Verification;
use crate::dns::{Dns, LookupError};
use crate::message::address::Malformed;
use crate::result::AuthResult;
use serde::Serialize;

use super::spf::Spf;
use record::{Author, Record};
use suffix::SuffixReading;

pub use alignment::{Identifier, Method};
pub use walk::{Walk, walk};

/// What the author domain asks for (`p`, `sp`, `np`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// No treatment asked for.
    None,
    /// To be treated as suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    /// The word in a record and in `policy.dmarc`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// What DMARC said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "four findings that do not exclude each other")]
pub struct Dmarc {
    /// none, pass, fail, temperror or permerror.
    pub result: AuthResult,
    /// The domain of From, in ASCII lower case; `None` where there is not exactly one.
    pub author_domain: Option<String>,
    /// The author domain's organizational domain.
    pub organizational_domain: Option<String>,
    /// Where the record stood.
    pub record_domain: Option<String>,
    /// What the record asks for this author domain, before `t=y` weakens it.
    pub policy: Option<Policy>,
    /// Which tag of the record says so: `p`, `sp` or `np`.
    pub policy_tag: Option<&'static str>,
    /// The record, for reports.
    pub record: Option<Record>,
    /// `t=y`: the domain owner is testing; the policy is weakened by one step.
    pub testing: bool,
    /// SPF passed for an aligned domain.
    pub spf_aligned: bool,
    /// A DKIM signature of an aligned domain passed.
    pub dkim_aligned: bool,
    /// The domains that were compared with the author domain.
    pub identifiers: Vec<Identifier>,
    /// From has no, several or unreadable author domains.
    pub malformed_from: bool,
    /// What DMARC of old would have said, where `verify.dmarc_psl` asks for it.
    pub psl: Option<SuffixReading>,
    /// Why, in words.
    pub reason: Option<String>,
}

impl Dmarc {
    /// The policy to be applied: weakened by one step where the domain owner tests (RFC 9989 `t`).
    pub fn applied_policy(&self) -> Option<Policy> {
        match (self.policy?, self.testing) {
            (Policy::Reject, true) => Some(Policy::Quarantine),
            (Policy::Quarantine, true) => Some(Policy::None),
            (policy, _) => Some(policy),
        }
    }
}

/// What is known of the author domain before SPF and DKIM are through.
#[derive(Clone, Debug)]
pub struct Discovery {
    author_domain: String,
    walk: Walk,
    exists: bool,
}

/// Asks for everything about an author domain, in one round of DNS: the names of the tree walk,
/// and whether the domain exists.
pub async fn discover(dns: &Dns, author_domain: &str) -> Discovery {
    let (walk, addresses) = tokio::join!(walk(dns, author_domain), dns.a(author_domain));
    // RFC 9989 §3.2, RFC 8020: NXDOMAIN for any type says that the name does not exist. A failed
    // look-up says nothing, and `sp` holds rather than `np`.
    let exists = addresses != Err(LookupError::NotFound);
    Discovery { author_domain: author_domain.to_owned(), walk, exists }
}

impl Discovery {
    fn relation(&self, record_domain: &str) -> Author {
        if self.author_domain == record_domain {
            Author::Itself
        } else if self.exists {
            Author::Subdomain
        } else {
            Author::Nonexistent
        }
    }
}

/// Judges the message. Of SPF, only the MAIL FROM identity counts (RFC 9989 §4.4.2), however well
/// HELO passed.
pub async fn evaluate(
    dns: &Dns,
    discovery: &Discovery,
    spf: &[Spf],
    dkim: &[Verification],
) -> Dmarc {
    let Discovery { author_domain: domain, walk, .. } = discovery;
    let mut dmarc = Dmarc { author_domain: Some(domain.clone()), ..Dmarc::new(AuthResult::None) };
    let organizational = walk.organizational_domain();
    dmarc.organizational_domain = organizational.ok().map(str::to_owned);
    let (record_domain, record) = match walk.policy_record() {
        Ok(Some(found)) => found,
        // RFC 9989 §4.10.1: no record, no DMARC.
        Ok(None) => return dmarc,
        Err(why) => return dmarc.with(AuthResult::Temperror, why.to_owned()),
    };
    dmarc.record_domain = Some(record_domain.to_owned());
    let relation = discovery.relation(record_domain);
    dmarc.policy = record.policy(relation);
    dmarc.policy_tag = Some(record.policy_tag(relation));
    dmarc.record = Some(record.clone());
    dmarc.testing = record.is_testing;
    if dmarc.policy.is_none() {
        let why = "DMARC record without a valid policy and without rua";
        return dmarc.with(AuthResult::Permerror, why.to_owned());
    }
    let author = alignment::Author { domain, organizational, record };
    let alignment = author.align(dns, spf, dkim).await;
    dmarc.conclude(domain, alignment)
}

impl Dmarc {
    fn new(result: AuthResult) -> Self {
        Self {
            result,
            author_domain: None,
            organizational_domain: None,
            record_domain: None,
            policy: None,
            policy_tag: None,
            record: None,
            testing: false,
            spf_aligned: false,
            dkim_aligned: false,
            identifiers: Vec::new(),
            malformed_from: false,
            psl: None,
            reason: None,
        }
    }

    /// RFC 9989 §4.2: without one author domain there is nothing to ask for, and nothing can align.
    pub fn malformed(why: Malformed) -> Self {
        let dmarc = Self { malformed_from: true, ..Self::new(AuthResult::Permerror) };
        dmarc.with(AuthResult::Permerror, why.to_string())
    }

    fn with(self, result: AuthResult, reason: String) -> Self {
        Self { result, reason: Some(reason), ..self }
    }

    /// RFC 9989 §5.3.5, §5.3.6.
    fn conclude(self, domain: &str, alignment: alignment::Alignment) -> Self {
        let dmarc = Self {
            spf_aligned: alignment.spf,
            dkim_aligned: alignment.dkim,
            identifiers: alignment.compared,
            ..self
        };
        if alignment.spf || alignment.dkim {
            return Self { result: AuthResult::Pass, ..dmarc };
        }
        if let Some(why) = alignment.unknown {
            return dmarc.with(AuthResult::Temperror, why);
        }
        let why = format!("neither SPF nor DKIM passed for a domain aligned with {domain}");
        dmarc.with(AuthResult::Fail, why)
    }
}
