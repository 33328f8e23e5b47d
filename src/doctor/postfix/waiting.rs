//! How long Postfix waits for us, and what it does with mail when we are not there.

use std::collections::BTreeMap;

use super::main_cf::seconds;
use super::milter::Whose;
use super::{Attached, Postfix};
use crate::doctor::{Facts, Finding, Severity};

/// What a message may take beyond `limits.message_secs_max`: the last step and the way back.
const MARGIN_SECS: u64 = 5;
/// What we answer at once may still wait for a busy host.
const ANSWER_SECS: u64 = 10;

pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let smtpds = postfix.smtpds(&facts.config.milter.listen);
    let mut findings = timeouts(postfix, facts, &smtpds);
    findings.extend(default_action(postfix, &smtpds));
    findings.extend(queue_lifetime(postfix, facts));
    findings
}

/// The values of a parameter where we are attached: as attributes of ours, of services, of `main.cf`.
fn in_force(postfix: &Postfix, smtpds: &[Attached], name: &str, attribute: &str) -> Vec<String> {
    let mut values: Vec<String> = smtpds
        .iter()
        .flat_map(|one| {
            let ours = one.milters.iter().filter(|(_, whose)| *whose == Whose::Ours);
            ours.map(|(milter, _)| {
                let own = milter.attributes.get(attribute).cloned();
                own.unwrap_or_else(|| postfix.value(one.service, name))
            })
        })
        .collect();
    if values.is_empty() {
        values.push(postfix.main.value(&BTreeMap::new(), name));
    }
    values.sort();
    values.dedup();
    values
}

fn timeouts(postfix: &Postfix, facts: &Facts, smtpds: &[Attached]) -> Vec<Finding> {
    let message_secs = facts.config.limits.message.as_secs();
    let content = format!(
        "a message may take {message_secs} s (limits.message_secs_max); Postfix gives up before, acts \
         by milter_default_action, and mailseal's answer is lost"
    );
    let answer = "a busy host may need as long for an answer that is ready; Postfix then acts by \
                  milter_default_action";
    let wanted = [
        ("content", message_secs + MARGIN_SECS, message_secs + 30, content.as_str()),
        ("command", ANSWER_SECS, 30, answer),
        ("connect", ANSWER_SECS, 30, answer),
    ];
    let short = |(kind, least, advised, why): &(&str, u64, u64, &str)| -> Vec<Finding> {
        let name = format!("milter_{kind}_timeout");
        let values = in_force(postfix, smtpds, &name, &format!("{kind}_timeout")).into_iter();
        let severity = if *kind == "content" { Severity::Error } else { Severity::Warning };
        values
            .filter(|value| seconds(value, 's').is_some_and(|secs| secs < *least))
            .map(|value| {
                let says = format!("{name} is {value}: {why}");
                let line = format!("{name} = {advised}s");
                Finding::new("milter-timeout", severity, says).mend("main.cf", [line])
            })
            .collect()
    };
    wanted.iter().flat_map(short).collect()
}

fn default_action(postfix: &Postfix, smtpds: &[Attached]) -> Vec<Finding> {
    let values = in_force(postfix, smtpds, "milter_default_action", "default_action").into_iter();
    let action = |value: String| {
        let (severity, does) = match value.as_str() {
            "accept" => (
                Severity::Warning,
                "while mailseal is away mail passes unsigned, unverified and unscanned, and forged \
                 results fields with it",
            ),
            "reject" => {
                (Severity::Warning, "while mailseal is away all mail is refused for good, and lost")
            }
            "quarantine" => (
                Severity::Warning,
                "while mailseal is away all mail is held, where nobody looks by itself, and leaves \
                 unsigned when it is released",
            ),
            _ => return None,
        };
        let says = format!("milter_default_action is {value}: {does}");
        let finding = Finding::new("milter-default-action", severity, says);
        Some(finding.mend("main.cf", ["milter_default_action = tempfail"]))
    };
    values.filter_map(action).collect()
}

/// Mail that lies in the queue for longer than its key's record stays.
fn queue_lifetime(postfix: &Postfix, facts: &Facts) -> Option<Finding> {
    const DAY_SECS: u64 = 24 * 3600;
    let ours = facts.config.rotation.queue_secs;
    let names = ["maximal_queue_lifetime", "bounce_queue_lifetime"];
    let longest = names.iter().filter_map(|name| seconds(&postfix.main_value(name), 'd')).max()?;
    let kept = ours.max(facts.config.rotation.overlap_secs);
    if longest <= kept {
        return None;
    }
    let days = longest.div_ceil(DAY_SECS);
    let says = format!(
        "Postfix keeps mail for {days} days (maximal_queue_lifetime), and the record of a key that no \
         longer signs may go after {}: what is delivered after that fails",
        kept / DAY_SECS
    );
    let finding = Finding::new("queue-lifetime", Severity::Warning, says);
    let lines = [format!("queue_days = {days}"), format!("overlap_days = {days}")];
    Some(finding.mend("mailseal.toml", ["[rotation]".to_owned()].iter().chain(&lines)))
}
