//! The Authentication-Results header field (RFC 8601): the results of all methods in one field,
//! and the telling of forged ones.
//!
//! Names, addresses and reasons come from strangers. Each value is a token, an address or a
//! quoted string by RFC 8601 §2.2's grammar, so that it cannot end where it does not end; what
//! the field cannot carry (controls, octets above ASCII) is replaced, and what is too long is
//! left out. Lines are folded between those values, never within one.

mod fold;
mod forged;
mod pvalue;
pub(crate) mod read;
mod received_spf;

use super::Authentication;
use super::arc::{ArcChain, Endorsement};
use super::dmarc::suffix::SuffixReading;
use super::dmarc::{Dmarc, Policy};
use super::iprev::Iprev;
use super::spf::{Identity, Spf};
use crate::dkim::Verification;
use crate::result::AuthResult;
use crate::text;

pub use forged::claims_authserv_id;
pub use read::repeated;
pub use received_spf::received_spf;

/// The value of the field, without the leading space; folds are CRLF and a tab.
pub fn render(authserv_id: &str, auth: &Authentication) -> String {
    fold::fold(&pvalue::value(authserv_id), &all(auth))
}

/// The value of an ARC-Authentication-Results field: the same, and the results that hosts of ours
/// found before us, for a set has one such field (RFC 8617 §4.1.1).
pub fn render_arc(
    instance: u8,
    authserv_id: &str,
    auth: &Authentication,
    repeated: &[Vec<String>],
) -> String {
    let own = all(auth).into_iter().filter(|words| repeated.is_empty() || words[..] != ["none"]);
    let results: Vec<_> = own.chain(repeated.iter().cloned()).collect();
    fold::fold(&format!("i={instance}; {}", pvalue::value(authserv_id)), &results)
}

/// Each method's result, in its words.
fn all(auth: &Authentication) -> Vec<Vec<String>> {
    let mut results: Vec<Vec<String>> = Vec::new();
    results.extend(auth.iprev.as_ref().map(iprev));
    results.extend(auth.spf.iter().map(spf));
    // A message has few of them: what is above `verify::SIGNATURES_MAX` is only counted.
    results.extend(auth.dkim.iter().map(dkim));
    results.extend(dkim_left_out(auth.dkim_left_out));
    // RFC 8601 §2.7.1: verified, and no signature there.
    let verified = !results.is_empty() || auth.arc.is_some() || auth.dmarc.is_some();
    if auth.dkim.is_empty() && verified {
        results.push(method("dkim", AuthResult::None, None));
    }
    results.extend(auth.arc.as_ref().map(arc));
    results.extend(auth.dmarc.as_ref().map(|dmarc| self::dmarc(dmarc, auth.arc_override())));
    if results.is_empty() {
        results.push(vec!["none".to_owned()]);
    }
    results
}

/// RFC 8601 §2.7.3.
fn iprev(iprev: &Iprev) -> Vec<String> {
    let mut result = method("iprev", iprev.result, iprev.reason.as_deref());
    property(&mut result, "policy.iprev", Some(&iprev.addr.to_string()));
    result.extend(iprev.name.as_deref().and_then(pvalue::comment));
    result
}

/// RFC 8601 §2.7.2.
fn spf(spf: &Spf) -> Vec<String> {
    let mut result = method("spf", spf.result, spf.reason.as_deref());
    if spf.result == AuthResult::Pass && spf.any_client {
        let reason = pvalue::reason(spf.reason.as_deref().unwrap_or_default());
        result.push(format!("reason={reason}"));
    }
    let name = match spf.identity {
        Identity::Helo => "smtp.helo",
        Identity::MailFrom => "smtp.mailfrom",
    };
    let value = if spf.value.is_empty() { &spf.domain } else { &spf.value };
    property(&mut result, name, Some(value));
    result
}

/// RFC 8601 §2.7.1 has `neutral` for signatures that "were not otherwise able to be processed".
fn dkim_left_out(count: usize) -> Option<Vec<String>> {
    let reason = format!("{count} more signatures were not verified");
    (count > 0).then(|| method("dkim", AuthResult::Neutral, Some(&reason)))
}

/// RFC 8601 §2.7.1, RFC 6008 (`header.b`).
fn dkim(signature: &Verification) -> Vec<String> {
    let mut result = method("dkim", signature.result, signature.reason.as_deref());
    property(&mut result, "header.d", Some(&signature.domain));
    property(&mut result, "header.i", signature.auid.as_deref());
    property(&mut result, "header.s", signature.selector.as_deref());
    property(&mut result, "header.a", signature.algorithm.as_deref());
    property(&mut result, "header.b", signature.signature_start.as_deref());
    result
}

/// RFC 8617 §6, §10.2.
fn arc(chain: &ArcChain) -> Vec<String> {
    let mut result = method("arc", chain.result, chain.reason.as_deref());
    let remote_ip = chain.remote_ip.map(|addr| addr.to_string());
    let oldest_pass = chain.oldest_pass.map(|instance| instance.to_string());
    property(&mut result, "smtp.remote-ip", remote_ip.as_deref());
    property(&mut result, "header.oldest-pass", oldest_pass.as_deref());
    result
}

/// RFC 9989: `header.from`, and in `policy.dmarc` what the author domain asks for after `sp`,
/// `np` and `t` have had their say. A failure that is not acted on for a trusted sealer's word is
/// still one (RFC 8617 §7.2.1); `policy.arc` names that policy and what it came to (RFC 8601 §2.4).
fn dmarc(dmarc: &Dmarc, overriding: Option<&Endorsement>) -> Vec<String> {
    let sealed = overriding.map(|endorsement| {
        let Endorsement { instance, sealer, .. } = endorsement;
        format!("not acted on: it passed at the trusted ARC sealer {sealer}, i={instance}")
    });
    let reason = sealed.or_else(|| dmarc.reason.clone());
    let mut result = method("dmarc", dmarc.result, reason.as_deref());
    property(&mut result, "header.from", dmarc.author_domain.as_deref());
    property(&mut result, "policy.dmarc", dmarc.applied_policy().map(Policy::as_str));
    property(&mut result, "policy.arc", overriding.map(|_| "pass"));
    result.extend(dmarc.psl.as_ref().map(psl));
    result
}

/// The reading that decides nothing is a comment.
fn psl(psl: &SuffixReading) -> String {
    let SuffixReading { result, organizational_domain, policy } = psl;
    let policy = policy.map_or("no policy", Policy::as_str);
    let organizational = text::visible(organizational_domain);
    format!("(public suffix list: {result}, {organizational}, {policy})")
}

fn method(name: &str, result: AuthResult, reason: Option<&str>) -> Vec<String> {
    // How something passed, or that nothing was there, needs no words in every message.
    let reason = reason.filter(|_| !matches!(result, AuthResult::Pass | AuthResult::None));
    let reason = reason.map(|reason| format!("reason={}", pvalue::reason(reason)));
    std::iter::once(format!("{name}={result}")).chain(reason).collect()
}

/// A property without a value, or with one that no line can hold, is left out.
fn property(result: &mut Vec<String>, name: &str, value: Option<&str>) {
    let value = value.filter(|value| !value.is_empty()).and_then(pvalue::pvalue);
    result.extend(value.map(|value| format!("{name}={value}")));
}
