//! A content filter takes mail out of Postfix and hands it back in, where the filters see it again: by then its
//! client is this host, whose mail is ours and is signed.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{Attached, Postfix, place};
use crate::config::Identity;
use crate::doctor::{Facts, Finding, Severity};

/// As which a content filter hands mail back.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let config = &facts.config;
    if !has_content_filter(postfix) {
        return Vec::new();
    }
    let smtpds = postfix.smtpds(&config.milter.listen);
    let (back, front): (Vec<&Attached>, Vec<&Attached>) =
        smtpds.iter().partition(|one| is_reinjection(postfix, one));
    let is_before = front.iter().any(|one| one.has_ours());
    let mut findings: Vec<Finding> = back
        .iter()
        .filter(|one| one.has_ours())
        .filter_map(|one| back_in(one, is_before, facts))
        .collect();
    if is_before {
        findings.push(edited_later());
    }
    findings
}

fn has_content_filter(postfix: &Postfix) -> bool {
    ["content_filter", "smtpd_proxy_filter"]
        .iter()
        .flat_map(|name| postfix.values(name))
        .any(|(value, _)| !value.is_empty())
}

fn is_reinjection(postfix: &Postfix, one: &Attached) -> bool {
    let service = one.service;
    let has_none = |name: &str| postfix.value(service, name).is_empty();
    service.is_loopback() && has_none("content_filter") && has_none("smtpd_proxy_filter")
}

/// The service that takes mail back has us.
fn back_in(one: &Attached, is_before: bool, facts: &Facts) -> Option<Finding> {
    let identity = &facts.config.identity;
    if identity.trusted_relays.iter().any(|network| network.contains(&LOOPBACK)) {
        return None;
    }
    let name = &one.service.name;
    let says = if is_before {
        format!(
            "{name} takes mail back from the content filter and shows it to mailseal again: mail is \
             judged twice, the results of the first time are removed as forged, and strangers' mail \
             counts as this host's own"
        )
    } else {
        format!(
            "mailseal sees mail at {name} alone, where it comes back from the content filter: every \
             client is 127.0.0.1 then, whose mail is ours, so that nothing is verified and a \
             stranger's mail from one of your domains is signed"
        )
    };
    let finding = Finding::new("reinjection", Severity::Error, says);
    Some(if is_before {
        let others = "no_unknown_recipient_checks,no_header_body_checks,no_milters";
        finding.mend(place(one.service), [format!("-o receive_override_options={others}")])
    } else {
        finding.mend("mailseal.toml", as_relay(identity))
    })
}

/// The network of this host goes from one list to the other: in both, it is warned of, and in none,
/// Postfix would relay for strangers.
fn as_relay(identity: &Identity) -> [String; 3] {
    let (mut relays, ours): (Vec<IpNet>, Vec<IpNet>) =
        identity.trusted_networks.iter().partition(|network| network.contains(&LOOPBACK));
    if relays.is_empty() {
        relays.push(LOOPBACK.into());
    }
    let list = |networks: &[IpNet]| {
        let quoted: Vec<String> = networks.iter().map(|network| format!("\"{network}\"")).collect();
        quoted.join(", ")
    };
    [
        "[identity]".to_owned(),
        format!("trusted_relays = [{}]", list(&relays)),
        format!("trusted_networks = [{}]", list(&ours)),
    ]
}

fn edited_later() -> Finding {
    let says = "the content filter gets mail after mailseal has signed it: what it changes (a \
                disclaimer, a subject, an encoding) breaks the signature; let it change nothing of \
                mail that leaves, or attach it as a milter before mailseal";
    Finding::new("content-filter", Severity::Note, says)
}
