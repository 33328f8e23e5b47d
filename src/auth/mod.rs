//! Email authentication: one file a method, each with its result in RFC 8601's words.

pub mod arc;
pub mod dmarc;
pub(crate) mod explain;
pub mod iprev;
pub(crate) mod lookups;
pub mod results;
pub mod spf;

use std::fmt;

use serde::Serialize;

use crate::result::AuthResult;
use crate::text;

/// What each method said of one message; `None` where it was not run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Authentication {
    /// Does the client's address resolve to a name and back?
    pub iprev: Option<iprev::Iprev>,
    /// SPF of the HELO identity, then of the MAIL FROM identity (RFC 7208 §2.3, §2.4).
    pub spf: Vec<spf::Spf>,
    /// One entry a signature, in the order of the fields.
    pub dkim: Vec<crate::dkim::Verification>,
    /// How many more signatures there are: beyond the limit nothing is verified.
    pub dkim_left_out: usize,
    /// The chain of custody that forwarders left (RFC 8617).
    pub arc: Option<arc::ArcChain>,
    /// The author domain's policy and whether the message aligns with it.
    pub dmarc: Option<dmarc::Dmarc>,
}

impl Authentication {
    /// The trusted sealer's word for which a DMARC failure is not acted on, as a matter of local
    /// policy (RFC 8617 §7.2.1).
    pub fn arc_override(&self) -> Option<&arc::Endorsement> {
        let failed = self.dmarc.as_ref().filter(|dmarc| dmarc.result == AuthResult::Fail)?;
        self.arc.as_ref()?.endorsement(failed.author_domain.as_deref()?)
    }
}

/// A line a result, as `check` prints them.
impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(iprev) = &self.iprev {
            let name = iprev.name.as_deref().unwrap_or("-");
            line(
                f,
                &format!("iprev {} {}", iprev.result, iprev.addr),
                &[name],
                iprev.reason.as_deref(),
            )?;
        }
        for spf in &self.spf {
            let head = format!("spf {} {}", spf.result, spf.identity.as_str());
            line(f, &head, &[&spf.value], spf.reason.as_deref())?;
        }
        for dkim in &self.dkim {
            let facts = [
                &dkim.domain,
                dkim.selector.as_deref().unwrap_or("-"),
                dkim.algorithm.as_deref().unwrap_or("-"),
            ];
            line(f, &format!("dkim {}", dkim.result), &facts, dkim.reason.as_deref())?;
        }
        if let Some(arc) = self.arc.as_ref().filter(|arc| arc.result != AuthResult::None) {
            let domains: Vec<&str> = arc.sealers.iter().map(|s| s.domain.as_str()).collect();
            line(f, &format!("arc {}", arc.result), &domains, arc.reason.as_deref())?;
        }
        if let Some(dmarc) = &self.dmarc {
            let domain = dmarc.author_domain.as_deref().unwrap_or("-");
            line(f, &format!("dmarc {}", dmarc.result), &[domain], dmarc.reason.as_deref())?;
        }
        Ok(())
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    head: &str,
    facts: &[&str],
    reason: Option<&str>,
) -> fmt::Result {
    write!(f, "{head}")?;
    for fact in facts {
        write!(f, " {}", text::visible(fact))?;
    }
    match reason {
        Some(reason) => writeln!(f, " ({})", text::visible(reason)),
        None => writeln!(f),
    }
}
