//! What is done about a message, given all that was found: pure, first match wins.
//!
//! The order: a message over a limit; the scan; a malformed From; the authentication methods,
//! unless an exemption names the message; the rules; the built-in checks. The strictest action of
//! one step wins inside it. Tags of all steps are added: they say what was found, whatever is done about it.

mod authentication;
mod offers;
mod rules;
mod scan;

use crate::auth::Authentication;
use crate::auth::arc::{ArcChain, Endorsement};
use crate::checks;
use crate::config::{self, Config, Exempt};
use crate::message::Offers;
use crate::message::address::{Author, is_or_is_at};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::limit::Limit;
use crate::message::origin::Origin;
use crate::scan::ScanResult;
use crate::text;
use crate::verdict::{Action, Disposition, Hit, Reply};

pub(crate) use rules::Edits;

/// Everything that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Findings<'a> {
    /// Where the message comes from.
    pub origin: Origin,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its header block.
    pub headers: &'a HeaderBlock,
    /// Its author domain.
    pub author: &'a Author,
    /// What the authentication methods said.
    pub auth: &'a Authentication,
    /// The rules that matched; `None` where they did not end in time.
    pub hits: Option<&'a [Hit]>,
    /// What the built-in checks found.
    pub checks: &'a [checks::Finding],
    /// What the scanner said.
    pub scan: Option<&'a ScanResult>,
    /// The limit that the message is over.
    pub over_limit: Option<Limit>,
    /// What the MTA lets us do.
    pub offers: Offers,
}

/// Policy's answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Decision {
    /// What becomes of the message.
    pub disposition: Disposition,
    /// The reply, where that is a refusal.
    pub reply: Option<Reply>,
    /// What decided, in words; `None` where the message is accepted.
    pub cause: Option<String>,
    /// The tags, in the order in which they were found, each once.
    pub tags: Vec<String>,
    /// What rules edit, where the message is delivered.
    pub edits: Edits,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// One thing found that policy has an action for.
struct Finding {
    action: Action,
    tag: Option<String>,
    /// The reply to a refusal; a temporary one says 4 where this says 5.
    code: u16,
    enhanced: &'static str,
    cause: String,
    /// What the client is told, where the cause is for the log alone.
    told: Option<String>,
}

/// Decides what becomes of a message.
pub(crate) fn decide(config: &Config, findings: &Findings<'_>) -> Decision {
    let mut tags: Vec<String> = Vec::new();
    let mut reasons = Vec::new();
    let mut deciding: Option<Finding> = None;
    reasons.extend(overridden(findings.auth));
    reasons.extend(exempted(config, findings));
    for step in steps(config, findings) {
        let mut strictest: Option<Finding> = None;
        for finding in step.into_iter().filter(|finding| finding.action != Action::Off) {
            reasons.push(format!("{}: {}", name(finding.action), finding.cause));
            if let Some(tag) = finding.tag.clone()
                && !tags.contains(&tag)
            {
                tags.push(tag);
            }
            if strictest.as_ref().is_none_or(|strictest| finding.action > strictest.action) {
                strictest = Some(finding);
            }
        }
        let decides = |finding: &Finding| Disposition::from(finding.action) != Disposition::Accept;
        deciding = deciding.or(strictest.filter(decides));
    }
    let mut decision = decided(config, findings, deciding, &mut reasons);
    if matches!(decision.disposition, Disposition::Accept | Disposition::Quarantine) {
        let (edits, more) = rules::edits(findings);
        decision.edits = edits;
        reasons.extend(more);
    }
    reasons.extend(rules::shadows(findings.hits));
    let decision = Decision { tags, reasons, ..decision };
    decision.within(findings.offers, findings.envelope.queue_id.as_deref())
}

/// What becomes of the message, by the finding that decides.
fn decided(
    config: &Config,
    findings: &Findings<'_>,
    deciding: Option<Finding>,
    reasons: &mut Vec<String>,
) -> Decision {
    let Some(deciding) = deciding else { return Decision::default() };
    let asked = Disposition::from(deciding.action);
    let (disposition, softened) = soften(asked, config, findings);
    reasons.extend(softened);
    let reply = reply(disposition, &deciding, findings.envelope.queue_id.as_deref());
    Decision { disposition, reply, cause: Some(deciding.cause), ..Decision::default() }
}

/// The action's name in a reason.
fn name(action: Action) -> &'static str {
    match action {
        Action::Off => "off",
        Action::Tag => "tag",
        action => Disposition::from(action).as_str(),
    }
}

fn steps(config: &Config, findings: &Findings<'_>) -> [Vec<Finding>; 5] {
    if let Some(limit) = findings.over_limit {
        // What was dropped for the limit is not judged.
        return [over_limit(limit), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    }
    let author = findings.author;
    let exempt = is_exempt(config, findings);
    let verified = !findings.origin.is_ours();
    let accepted = findings.hits.into_iter().flatten().any(Hit::accepts);
    let treatment = config.clamav.treatment_of(findings.origin);
    [
        findings.scan.and_then(|scan| scan::finding(treatment, scan)).into_iter().collect(),
        if verified { malformed_from(&config.policy, author) } else { Vec::new() },
        if verified && !exempt {
            authentication::findings(config, findings.auth)
        } else {
            Vec::new()
        },
        rules::findings(findings.hits),
        findings
            .checks
            .iter()
            .filter(|found| {
                let is_lifted =
                    (accepted && found.lifted_by_accept) || (exempt && found.lifted_by_exemption);
                !is_lifted
            })
            .map(found_by_check)
            .collect(),
    ]
}

fn over_limit(limit: Limit) -> Vec<Finding> {
    let (action, code, enhanced, cause) = match limit {
        // RFC 3463 §3.4: "system not accepting network messages", for a host under excessive load.
        limit if limit.is_passing() => {
            (Action::Tempfail, 451, "4.3.2", format!("no room for the message now: {limit}"))
        }
        limit => (Action::Reject, 552, "5.3.4", format!("message is over {limit}")),
    };
    vec![Finding { action, tag: None, code, enhanced, cause, told: None }]
}

fn malformed_from(config: &config::Policy, author: &Author) -> Vec<Finding> {
    let Author::Malformed(malformed) = author else { return Vec::new() };
    vec![Finding {
        action: config.malformed_from,
        tag: Some("malformed-from".to_owned()),
        code: 550,
        enhanced: "5.6.0",
        cause: format!("malformed From field: {malformed}"),
        told: None,
    }]
}

/// Says that a DMARC failure is not acted on.
fn overridden(auth: &Authentication) -> Option<String> {
    let Endorsement { instance, sealer, author_domain } = auth.arc_override()?;
    Some(format!(
        "DMARC failure of {} not acted on: it passed at the trusted ARC sealer {}, i={instance}",
        text::visible(author_domain),
        text::visible(sealer),
    ))
}

/// Whether the policies on authentication leave the message alone.
fn is_exempt(config: &Config, findings: &Findings<'_>) -> bool {
    config.policy.exempt.iter().any(|exempt| names(exempt, findings))
}

/// Says that nothing is done for what authentication found.
fn exempted(config: &Config, findings: &Findings<'_>) -> Option<String> {
    let matters = !findings.origin.is_ours() && is_exempt(config, findings);
    let would = || authentication::findings(config, findings.auth);
    let spared = would().into_iter().filter(|finding| matters && finding.action != Action::Off);
    let of_checks = findings
        .checks
        .iter()
        .filter(|found| matters && found.lifted_by_exemption && found.action != Action::Off);
    let causes: Vec<String> = spared
        .map(|finding| finding.cause)
        .chain(of_checks.map(|found| found.cause.clone()))
        .collect();
    (!causes.is_empty())
        .then(|| format!("exempt, [[policy.exempt]] names the message: {}", causes.join(", ")))
}

fn found_by_check(found: &checks::Finding) -> Finding {
    Finding {
        action: found.action,
        tag: Some(found.tag.to_owned()),
        code: found.code,
        enhanced: found.enhanced,
        cause: found.cause.clone(),
        told: found.told.clone(),
    }
}

/// Who must not be refused: a relay would have to bounce what it took, mail of local origin with a
/// null reverse path is itself a bounce that would be lost, and other local mail would be bounced
/// to its sender by our own MTA. All of them keep what is deferred, and try again.
fn soften(
    asked: Disposition,
    config: &Config,
    findings: &Findings<'_>,
) -> (Disposition, Option<String>) {
    let unrefusable = match findings.origin {
        _ if asked != Disposition::Reject => return (asked, None),
        Origin::Relay => "mail of a trusted relay is held and not rejected",
        Origin::Local if findings.envelope.is_null_sender() => {
            "mail of local origin with a null reverse path is held and not rejected"
        }
        Origin::Local if !config.policy.reject_local => {
            "mail of local origin is held and not rejected: policy.reject_local is off"
        }
        _ => return (asked, None),
    };
    (Disposition::Quarantine, Some(unrefusable.to_owned()))
}

/// RFC 5321 §4.5.3.1.5: a line of a reply has 512 octets, with its codes and our queue id.
const REPLY_CHARS_MAX: usize = 400;

fn reply(disposition: Disposition, finding: &Finding, queue_id: Option<&str>) -> Option<Reply> {
    let (code, enhanced) = match disposition {
        Disposition::Reject => (finding.code, format!("5{}", &finding.enhanced[1..])),
        Disposition::Tempfail => (451, format!("4{}", &finding.enhanced[1..])),
        _ => return None,
    };
    let told = finding.told.as_ref().unwrap_or(&finding.cause);
    let cut = if told.chars().nth(REPLY_CHARS_MAX).is_some() { "..." } else { "" };
    let told: String = told.chars().take(REPLY_CHARS_MAX).chain(cut.chars()).collect();
    let text = match queue_id {
        Some(id) => format!("{told} (queue id {})", text::visible(id)),
        None => told,
    };
    // A percent sign is a directive to the MTA's formatting of replies.
    Some(Reply { code, enhanced, text: text.replace('%', "_") })
}

fn names(exempt: &Exempt, findings: &Findings<'_>) -> bool {
    let Findings { envelope, headers, author, .. } = findings;
    let addr = envelope.client.addr;
    addr.is_some_and(|addr| exempt.networks.iter().any(|net| net.contains(&addr)))
        || exempt.domains.iter().any(|domain| author.domain() == Some(domain.as_str()))
        || goes_to_exempt_alone(exempt, &envelope.recipients)
        || findings
            .auth
            .arc
            .as_ref()
            .and_then(ArcChain::newest_sealer)
            .is_some_and(|sealer| exempt.sealers.iter().any(|domain| domain == sealer))
        || list_id(headers)
            .is_some_and(|id| exempt.lists.iter().any(|list| list.eq_ignore_ascii_case(id)))
}

/// Anybody may add a recipient that is exempt; the others are not for that.
fn goes_to_exempt_alone(exempt: &Exempt, recipients: &[String]) -> bool {
    let is_exempt =
        |recipient: &String| exempt.recipients.iter().any(|entry| is_or_is_at(recipient, entry));
    !recipients.is_empty() && recipients.iter().all(is_exempt)
}

/// The identifier of the list that a message came by (RFC 2919 §3).
fn list_id(headers: &HeaderBlock) -> Option<&str> {
    let value = str::from_utf8(headers.named("List-Id").next()?.value).ok()?;
    Some(value.rsplit_once('<')?.1.split_once('>')?.0.trim())
}
