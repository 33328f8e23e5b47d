//! Our own side: the configuration, the key store, and what DNS shows of our domains.

use super::{Facts, Finding, Severity};
use crate::keys::state::KeyState;
use crate::rotation::status::DomainStatus;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let warn = |name, says: &String| Finding::new(name, Severity::Warning, says);
    let mut findings: Vec<Finding> =
        facts.config_warnings.iter().map(|says| warn("config", says)).collect();
    let problems = facts.key_problems.iter();
    findings.extend(problems.map(|says| Finding::new("key-store", Severity::Error, says)));
    if facts.domains.is_empty() && facts.key_problems.is_empty() {
        findings.push(
            Finding::new("no-keys", Severity::Note, "there are no keys, so that no mail is signed")
                .mend("shell", ["mailseal keys generate example.org"]),
        );
    }
    findings.extend(facts.domains.iter().flat_map(domain));
    findings
}

fn domain(domain: &DomainStatus) -> Vec<Finding> {
    let name = &domain.domain;
    let mut findings: Vec<Finding> = domain
        .problems
        .iter()
        .map(|problem| Finding::new("key-store", Severity::Warning, format!("{name}: {problem}")))
        .collect();
    for key in &domain.keys {
        if let Some(todo) = &key.todo {
            let says = format!("key {} of {name}: {todo}", key.selector);
            let see = format!("mailseal keys status {name}");
            findings.push(Finding::new("key", Severity::Warning, says).mend("shell", [see]));
        }
    }
    if !domain.keys.iter().any(|key| key.state == KeyState::Active) {
        let says = format!("{name} has no key that signs: its mail leaves unsigned");
        let line = format!("mailseal keys status {name}");
        findings.push(Finding::new("no-active-key", Severity::Warning, says).mend("shell", [line]));
    }
    findings
}
