//! The checks that are built in: what an MTA cannot check by itself, and no rule can say.
//!
//! Each check is a file that says what is wrong with a message, as a value; [`findings`] puts what
//! the configuration has for it beside that. `policy.rs` takes all of them as one step below the
//! rules. To add a check: a file, a section of the configuration, a call in [`findings`] and a case.

pub(crate) mod attachments;
pub mod identity_gate;
mod login_line;
pub mod logins;
mod loops;
pub(crate) mod own_domains;
pub(crate) mod report;
mod shown;
mod spoof;

use crate::auth::Authentication;
use crate::config::Config;
use crate::message::address::{is_or_is_at, sender_domain};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::text;
use crate::verdict::Action;
use identity_gate::Mismatch;
use own_domains::OwnDomains;
use report::Returned;
use spoof::Spoof;

/// What the checks look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// What the operator set.
    pub config: &'a Config,
    /// Where the message comes from.
    pub origin: Origin,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its header block.
    pub headers: &'a HeaderBlock,
    /// What the authentication methods said; empty where nothing was verified.
    pub auth: &'a Authentication,
    /// The domains that are ours.
    pub own: OwnDomains<'a>,
    /// What a delivery report returns, where it is one and that can be told.
    pub returned: Option<Returned>,
    /// What the identity gate found before signing.
    pub mismatch: Option<&'a Mismatch>,
}

/// What a check found, and what the configuration has for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// The operator's action.
    pub action: Action,
    /// The tag, which names the bad thing.
    pub tag: &'static str,
    /// The code of a refusal, 5xx; a temporary one is made of it.
    pub code: u16,
    /// The enhanced status code, `5.x.y`.
    pub enhanced: &'static str,
    /// What was found, with foreign text made safe (`text::visible`).
    pub cause: String,
    /// What the client is told, where the cause is for the log alone.
    pub told: Option<String>,
    /// Whether a rule that accepts the message lifts it.
    pub lifted_by_accept: bool,
    /// Whether `[[policy.exempt]]` lifts it.
    pub lifted_by_exemption: bool,
}

/// What all checks found, in the order of the checks.
pub(crate) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(facts.mismatch.map(|mismatch| identity_mismatch(facts.config, mismatch)));
    // What a relay of ours hands on was at our doors before.
    if facts.origin == Origin::Inbound {
        findings.extend(own_domain_spoof(facts));
        findings.extend(delivery_loop(facts));
        findings.extend(foreign_report(facts));
        findings.extend(success_notice(facts));
    }
    findings
}

/// Not signed in any case: no rule lifts what the user may not write.
fn identity_mismatch(config: &Config, mismatch: &Mismatch) -> Finding {
    let action = config.identity_gate.action;
    let finding = finding(action, "identity-mismatch", "5.7.1", mismatch.to_string());
    Finding { lifted_by_accept: false, ..finding }
}

fn own_domain_spoof(facts: &Facts<'_>) -> Option<Finding> {
    let config = facts.config.own_domain_spoof;
    // Where nothing was verified, nothing could vouch for our own mail from elsewhere.
    facts.auth.dmarc.as_ref()?;
    let found = match spoof::spoof(facts.headers, facts.auth, facts.own)? {
        Spoof::Author(domain) => {
            let domain = text::visible(domain);
            let cause = format!(
                "From is of {domain}, a domain of ours: neither SPF nor DKIM passes for it"
            );
            finding(config.author, "own-domain-spoof", "5.7.1", cause)
        }
        Spoof::DisplayName(address) => {
            let address = text::visible(address);
            let cause = format!("From shows {address}, an address of ours, and is of another");
            finding(config.display_name, "display-name-spoof", "5.7.1", cause)
        }
    };
    Some(Finding { lifted_by_exemption: true, ..found })
}

/// Refused only while the client still has the message, and nobody else is to get it.
fn delivery_loop(facts: &Facts<'_>) -> Option<Finding> {
    let recipients = &facts.envelope.recipients;
    let found = loops::looping(facts.headers, recipients, |recipient| is_exempt(facts, recipient))?;
    let asked = facts.config.backscatter.delivered_to;
    let action = if found.is_of_all { asked } else { asked.min(Action::Tag) };
    let recipient = text::visible(found.recipient);
    let cause = format!("mail for {recipient} has been delivered there: Delivered-To names it");
    Some(finding(action, "delivery-loop", "5.4.6", cause))
}

/// Only to the domains that sign: others send mail that no signature could show to be ours.
fn foreign_report(facts: &Facts<'_>) -> Option<Finding> {
    let what = match facts.returned? {
        Returned::Ours => return None,
        Returned::Foreign => "returns mail that has no signature of ours",
        Returned::Nothing => "returns nothing of the mail that it is on",
    };
    let is_to_signer = |recipient: &&String| {
        let domain = sender_domain(recipient);
        domain.is_some_and(|domain| facts.own.sign(&domain)) && !is_exempt(facts, recipient)
    };
    let recipient = facts.envelope.recipients.iter().find(is_to_signer)?;
    let cause = format!("delivery report to {} {what}", text::visible(recipient));
    Some(finding(facts.config.backscatter.report, "foreign-report", "5.7.1", cause))
}

/// Nothing is reported on mail with a null reverse path, whatever it asks for (RFC 3461 §5.2.10).
fn success_notice(facts: &Facts<'_>) -> Option<Finding> {
    let Envelope { success_asked, recipients, .. } = facts.envelope;
    let is_exempt = recipients.iter().all(|recipient| is_exempt(facts, recipient));
    if *success_asked == 0 || is_exempt || facts.envelope.is_null_sender() {
        return None;
    }
    let cause = "the client asks to be told of delivery, NOTIFY=SUCCESS".to_owned();
    let action = facts.config.backscatter.notify_success;
    Some(finding(action, "notify-success", "5.7.1", cause))
}

fn is_exempt(facts: &Facts<'_>, recipient: &str) -> bool {
    let exempt = &facts.config.backscatter.exempt;
    exempt.iter().any(|entry| is_or_is_at(recipient, entry))
}

fn finding(action: Action, tag: &'static str, enhanced: &'static str, cause: String) -> Finding {
    Finding {
        action,
        tag,
        code: 550,
        enhanced,
        cause,
        told: None,
        lifted_by_accept: true,
        lifted_by_exemption: false,
    }
}
