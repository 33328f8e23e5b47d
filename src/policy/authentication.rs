//! What policy finds in the results of the authentication methods.
//!
//! The enhanced status codes are those of RFC 7372 §3, which registered one for each kind of failure
//! so that a sender's reader of logs need not read the text. What no code there names is X.7.1,
//! "delivery not authorized", a local policy's. A temporary code is the permanent one's with a 4.

use super::Finding;
use crate::auth::Authentication;
use crate::auth::dmarc::{self, Dmarc};
use crate::auth::iprev::Iprev;
use crate::auth::spf::{Identity, Spf};
use crate::config::{self, Config};
use crate::message::domain::is_within;
use crate::result::AuthResult;
use crate::text;
use crate::verdict::Action;

/// One finding a method.
pub(super) fn findings(config: &Config, auth: &Authentication) -> Vec<Finding> {
    let policy = &config.policy;
    [
        auth.dmarc
            .as_ref()
            .filter(|_| auth.arc_override().is_none())
            .and_then(|dmarc| dmarc_failure(policy.dmarc, dmarc)),
        spf_failure(policy.spf_fail, auth),
        spf_any(policy, auth),
        dkim_required(config, auth),
        auth.iprev.as_ref().and_then(|iprev| iprev_failure(policy.iprev_fail, iprev)),
        temperror(config, auth),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn finding(action: Action, tag: &str, enhanced: &'static str, cause: String) -> Finding {
    Finding { action, tag: Some(tag.to_owned()), code: 550, enhanced, cause, told: None }
}

/// What the author domain's policy asks for, no stricter than the operator lets it be.
fn dmarc_failure(strictest: Action, dmarc: &Dmarc) -> Option<Finding> {
    let asked = match dmarc.applied_policy()? {
        dmarc::Policy::None => return None,
        dmarc::Policy::Quarantine => Action::Quarantine,
        dmarc::Policy::Reject => Action::Reject,
    };
    let cause = || {
        let domain = dmarc.author_domain.as_deref().unwrap_or("the author domain");
        let domain = text::visible(domain);
        format!("DMARC of {domain} fails: neither SPF nor DKIM passes for an aligned domain")
    };
    // §3.3, X.7.26: multiple authentication checks failed. DMARC fails only where both SPF and DKIM
    // do, for the author domain. X.7.1, which RFC 7489 §10.3 showed as its example a year before
    // X.7.26 was used for it, could as well be a blocked client's; RFC 9989 obliges to neither.
    let failed = dmarc.result == AuthResult::Fail;
    failed.then(|| finding(asked.min(strictest), "dmarc-fail", "5.7.26", cause()))
}

/// Forwarding breaks SPF and not DKIM: where DMARC passes, the author domain vouches for it; where
/// it passed at a trusted sealer, the sealer does.
fn spf_failure(action: Action, auth: &Authentication) -> Option<Finding> {
    let passed = auth.dmarc.as_ref().is_some_and(|dmarc| dmarc.result == AuthResult::Pass);
    if passed || auth.arc_override().is_some() {
        return None;
    }
    let spf = mail_from(auth).filter(|spf| spf.result == AuthResult::Fail)?;
    let cause = format!("SPF of {} does not allow this client", text::visible(&spf.domain));
    Some(finding(action, "spf-fail", "5.7.23", cause))
}

/// A pass that says nothing, of a domain that the operator means.
fn spf_any(policy: &config::Policy, auth: &Authentication) -> Option<Finding> {
    if auth.dmarc.as_ref().is_some_and(|dmarc| dmarc.dkim_aligned) {
        return None;
    }
    let spf = mail_from(auth).filter(|spf| spf.result == AuthResult::Pass && spf.any_client)?;
    let domains = &policy.spf_any_domains;
    if !domains.is_empty() && !domains.iter().any(|domain| is_within(&spf.domain, domain)) {
        return None;
    }
    let cause =
        format!("SPF of {} lets half of all clients or more pass", text::visible(&spf.domain));
    Some(finding(policy.spf_any, "spf-any", "5.7.1", cause))
}

fn mail_from(auth: &Authentication) -> Option<&Spf> {
    auth.spf.iter().find(|spf| spf.identity == Identity::MailFrom)
}

/// What `verify.require_dkim` says of the author domain: a private ADSP (RFC 5617). A list breaks
/// signatures; where a trusted sealer saw DMARC pass before it did, that will do.
fn dkim_required(config: &Config, auth: &Authentication) -> Option<Finding> {
    if auth.arc_override().is_some() {
        return None;
    }
    let author = auth.dmarc.as_ref()?.author_domain.as_deref()?;
    let domain = config
        .verify
        .require_dkim
        .iter()
        .find(|domain| is_within(author, domain) && !signed(auth, domain, AuthResult::Pass))?;
    let cause = format!("mail of {domain} must have a passing DKIM signature of that domain");
    if signed(auth, domain, AuthResult::Temperror) {
        return Some(open(config.policy.temperror, &format!("DKIM of {author}"), "5.7.5"));
    }
    let passed: Vec<_> =
        auth.dkim.iter().filter(|signature| signature.result == AuthResult::Pass).collect();
    let enhanced = if passed.is_empty() {
        // §3.1: no passing signature,
        "5.7.20"
    } else if passed.iter().any(|signature| is_within(&signature.domain, domain)) {
        // none that is acceptable,
        "5.7.21"
    } else {
        // none that matches the author.
        "5.7.22"
    };
    Some(finding(config.policy.require_dkim, "dkim-required", enhanced, cause))
}

/// Whether a signature of the domain has that result. What is appended to a part that was signed
/// is not the signer's.
fn signed(auth: &Authentication, domain: &str, result: AuthResult) -> bool {
    auth.dkim.iter().any(|signature| {
        signature.result == result
            && is_within(&signature.domain, domain)
            && (signature.covers_body || result != AuthResult::Pass)
    })
}

fn iprev_failure(action: Action, iprev: &Iprev) -> Option<Finding> {
    // RFC 8601 §2.7.3: permerror says that the address has no name at all.
    let failed = matches!(iprev.result, AuthResult::Fail | AuthResult::Permerror);
    let cause = || format!("iprev of client {} fails: no name leads back to it", iprev.addr);
    failed.then(|| finding(action, "iprev-fail", "5.7.25", cause()))
}

/// Where DNS trouble left open a result that matters to the outcome: DMARC's own, SPF's where
/// there is no DMARC policy, or iprev's where there is an action for its fail.
fn temperror(config: &Config, auth: &Authentication) -> Option<Finding> {
    let dmarc = auth.dmarc.as_ref();
    let spf = auth.spf.iter().find(|spf| spf.result == AuthResult::Temperror);
    let iprev = auth.iprev.as_ref().filter(|iprev| iprev.result == AuthResult::Temperror);
    let (what, enhanced) = match (dmarc.map(|dmarc| dmarc.result), spf, iprev) {
        (Some(AuthResult::Temperror), ..) => {
            let domain = dmarc.and_then(|dmarc| dmarc.author_domain.as_deref());
            (format!("DMARC of {}", domain.unwrap_or("the author domain")), "5.7.0")
        }
        // RFC 7372 §3.2, X.7.24: SPF validation error.
        (Some(AuthResult::None) | None, Some(spf), _) => {
            (format!("SPF of {}", spf.domain), "5.7.24")
        }
        (.., Some(iprev)) if config.policy.iprev_fail != Action::Off => {
            (format!("iprev of client {}", iprev.addr), "5.7.25")
        }
        _ => return None,
    };
    Some(open(config.policy.temperror, &what, enhanced))
}

/// RFC 6376 §6.3: 4.7.5 where a key cannot be had.
fn open(action: Action, what: &str, enhanced: &'static str) -> Finding {
    let cause = format!("{} could not be checked for DNS trouble", text::visible(what));
    Finding { action, tag: None, code: 550, enhanced, cause, told: None }
}
