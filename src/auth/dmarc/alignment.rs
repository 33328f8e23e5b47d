//! Identifier alignment (RFC 9989 §4.4, §4.10.2).

use futures_util::future::join_all;
use serde::Serialize;

use super::record::{Mode, Record};
use super::walk::walk;
use crate::auth::spf::{Identity, Spf};
use crate::dkim::Verification;
use crate::dns::Dns;
use crate::message::domain::{is_within, normalize};
use crate::result::AuthResult;

/// Identifiers looked at in one message; each may cost a tree walk. Those that passed come first.
const IDENTIFIERS_MAX: usize = 32;

/// What the identifiers are compared with.
pub(super) struct Author<'a> {
    pub(super) domain: &'a str,
    /// The organizational domain, or why it is not known.
    pub(super) organizational: Result<&'a str, &'a str>,
    pub(super) record: &'a Record,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    pub(super) spf: bool,
    pub(super) dkim: bool,
    /// Why a pass that DNS withheld could have aligned.
    pub(super) unknown: Option<String>,
    /// What was compared, and with what outcome.
    pub(super) compared: Vec<Identifier>,
}

/// A domain that SPF or DKIM authenticated, or could not for now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Identifier {
    /// Who authenticated it.
    pub method: Method,
    /// The domain, normalized.
    pub domain: String,
    /// Whether it passed; else DNS has left that open.
    pub has_passed: bool,
    /// Whether it aligns with the author domain; `None` where DNS has left that open.
    pub aligns: Option<bool>,
}

/// The methods whose results DMARC reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// SPF of MAIL FROM.
    Spf,
    /// DKIM.
    Dkim,
}

/// Whether a domain is aligned with the author domain.
enum Aligned {
    Yes,
    No,
    Unknown(String),
}

impl Aligned {
    fn is_aligned(&self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

impl Author<'_> {
    /// Compares all identifiers, side by side.
    pub(super) async fn align(&self, dns: &Dns, spf: &[Spf], dkim: &[Verification]) -> Alignment {
        let mut identifiers = identifiers(spf, dkim);
        let aligned = join_all(identifiers.iter().map(|identifier| self.compare(dns, identifier)));
        let mut alignment = Alignment::default();
        let aligned = aligned.await;
        for (identifier, aligned) in identifiers.iter_mut().zip(aligned) {
            identifier.aligns = aligned.is_aligned();
            match (aligned, identifier.has_passed) {
                (Aligned::No, _) => {}
                (Aligned::Yes, true) if identifier.method == Method::Spf => alignment.spf = true,
                (Aligned::Yes, true) => alignment.dkim = true,
                (Aligned::Unknown(why), _) => alignment.unknown = Some(why),
                (Aligned::Yes, false) => {
                    let why =
                        format!("{} of {} is not settled", identifier.method, identifier.domain);
                    alignment.unknown.get_or_insert(why);
                }
            }
        }
        Alignment { compared: identifiers, ..alignment }
    }

    async fn compare(&self, dns: &Dns, identifier: &Identifier) -> Aligned {
        let domain = identifier.domain.as_str();
        let mode = match identifier.method {
            Method::Spf => self.record.aspf,
            Method::Dkim => self.record.adkim,
        };
        if domain == self.domain {
            return Aligned::Yes;
        }
        if mode == Mode::Strict {
            return Aligned::No;
        }
        match self.organizational {
            // Its walk meets what the author domain's met from there on, so it is its own.
            Ok(organizational) if domain == organizational => Aligned::Yes,
            Ok(organizational) if !is_within(domain, organizational) => Aligned::No,
            Ok(organizational) => match walk(dns, domain).await.organizational_domain() {
                Ok(found) if found == organizational => Aligned::Yes,
                Ok(_) => Aligned::No,
                Err(why) => Aligned::Unknown(why.to_owned()),
            },
            // The organizational domain is one of the names above both.
            Err(_) if top_level(domain) != top_level(self.domain) => Aligned::No,
            Err(why) => Aligned::Unknown(why.to_owned()),
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
        })
    }
}

/// The domains that may align: SPF's of MAIL FROM, and DKIM's of signatures over the whole body,
/// for what is appended to a part is not the signer's.
pub(super) fn identifiers(spf: &[Spf], dkim: &[Verification]) -> Vec<Identifier> {
    let spf = spf
        .iter()
        .filter(|spf| spf.identity == Identity::MailFrom)
        .map(|spf| (Method::Spf, &spf.domain, spf.result));
    let dkim = dkim
        .iter()
        .filter(|signature| signature.covers_body || signature.result == AuthResult::Temperror)
        .map(|signature| (Method::Dkim, &signature.domain, signature.result));
    let (mut passed, open): (Vec<_>, Vec<_>) = spf
        .chain(dkim)
        .filter(|(_, _, result)| matches!(result, AuthResult::Pass | AuthResult::Temperror))
        .filter_map(|(method, domain, result)| {
            let has_passed = result == AuthResult::Pass;
            Some(Identifier { method, domain: normalize(domain)?, has_passed, aligns: None })
        })
        .partition(|identifier| identifier.has_passed);
    passed.extend(open);
    passed.truncate(IDENTIFIERS_MAX);
    passed
}

fn top_level(domain: &str) -> &str {
    domain.rsplit('.').next().unwrap_or(domain)
}
