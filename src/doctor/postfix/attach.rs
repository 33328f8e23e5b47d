//! Whether mail comes to us at all, once, and last.

use std::path::PathBuf;

use super::milter::{Milter, Whose};
use super::{Attached, Postfix, place, spelling};
use crate::config::Endpoint;
use crate::doctor::{Facts, Finding, Severity};

/// Filters that do what mailseal does, by what is in the names of their sockets; rspamd has its port.
const SAME_JOB: &[&str] =
    &["opendkim", "opendmarc", "openarc", "clamav-milter", "spf-milter", "dkim", ":11332"];

pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let ours = &facts.config.milter.listen;
    let smtpds = postfix.smtpds(ours);
    let cleanup = postfix.cleanup(ours);
    let mut findings = Vec::new();
    findings.extend(astray(postfix, ours, &smtpds, &cleanup));
    findings.extend(not_attached(postfix, ours, &smtpds));
    findings.extend(not_at_cleanup(postfix, ours, &cleanup));
    findings.extend(bounces(postfix, &cleanup));
    let lists = smtpds.iter().map(|one| (place(one.service), &one.milters));
    let lists = lists.chain([("main.cf, non_smtpd_milters".to_owned(), &cleanup)]);
    let mut seen: Vec<&Vec<(Milter, Whose)>> = Vec::new();
    for (at, list) in lists {
        // Services that share a list share what is wrong with it.
        if !seen.contains(&list) {
            seen.push(list);
            findings.extend(twice(&at, list));
            findings.extend(order(&at, list));
        }
    }
    findings.extend(maps(postfix));
    findings
}

/// Our socket by a path that the process does not see.
fn astray(
    postfix: &Postfix,
    ours: &[Endpoint],
    smtpds: &[Attached],
    cleanup: &[(Milter, Whose)],
) -> Option<Finding> {
    let lists = smtpds.iter().map(|one| (one.service, &one.milters[..]));
    let at_cleanup = postfix.services.iter().find(|service| service.command == "cleanup");
    let mut lists = lists.chain(at_cleanup.map(|service| (service, cleanup)));
    let (service, milter) = lists.find_map(|(service, list)| {
        let (milter, _) = list.iter().find(|(_, whose)| *whose == Whose::Astray)?;
        Some((service, milter))
    })?;
    let who = format!("{} ({})", service.name, service.command);
    let queue = postfix.queue_directory();
    let is_in_chroot = postfix.is_in_chroot(service);
    let seen = milter.file(&queue, is_in_chroot)?;
    let why = if is_in_chroot {
        format!("runs in the chroot {}", queue.display())
    } else {
        "does not run in a chroot".to_owned()
    };
    let says = format!(
        "{} leads to no socket of ours: {who} {why} and looks for {}, so that it takes mailseal for \
         gone",
        milter.spec,
        seen.display()
    );
    let finding = Finding::new("socket-path", Severity::Error, says);
    let reachable = ours.iter().find_map(|endpoint| match endpoint {
        Endpoint::Unix(path) => path.strip_prefix(&queue).ok(),
        Endpoint::Inet(_) => None,
    });
    let inside = reachable.map_or_else(|| PathBuf::from("mailseal/milter.sock"), PathBuf::from);
    let finding = if reachable.is_some() {
        finding
    } else {
        let path = queue.join(&inside);
        let listen = format!("listen = [\"unix:{}\"]", path.display());
        let dir = path.parent().unwrap_or(&queue).display().to_string();
        finding
            .mend("mailseal.toml", ["[milter]", &listen])
            .mend("shell", [format!("install -d -o mailseal -g postfix -m 2750 {dir}")])
    };
    let line = format!("smtpd_milters = unix:{}", inside.display());
    Some(finding.mend("main.cf", [line, "non_smtpd_milters = $smtpd_milters".to_owned()]))
}

fn not_attached(postfix: &Postfix, ours: &[Endpoint], smtpds: &[Attached]) -> Vec<Finding> {
    let is_meant = |one: &Attached| one.milters.iter().any(|(_, whose)| *whose != Whose::Others);
    let spelling = spelling(postfix, ours);
    if !smtpds.iter().any(is_meant) {
        let says = "no SMTP service of Postfix has mailseal among its smtpd_milters: mail is neither \
                    verified nor signed";
        let list = postfix.main_value("smtpd_milters");
        let old = if list.is_empty() { String::new() } else { format!("{list}, ") };
        let finding = Finding::new("not-attached", Severity::Error, says);
        return vec![finding.mend("main.cf", [format!("smtpd_milters = {old}{spelling}")])];
    }
    let without = smtpds.iter().filter(|one| !is_meant(one));
    without
        .filter_map(|one| {
            let does = if one.service.is_submission() {
                "your users' mail is not signed"
            } else if one.service.is_public() {
                "mail of strangers is not verified"
            } else {
                // Re-injection and services of other kinds do without us on purpose.
                return None;
            };
            let says = format!("{} goes without mailseal: {does}", one.service.name);
            let finding = Finding::new("service-not-attached", Severity::Error, says);
            Some(finding.mend(place(one.service), [format!("-o smtpd_milters={spelling}")]))
        })
        .collect()
}

fn not_at_cleanup(
    postfix: &Postfix,
    ours: &[Endpoint],
    cleanup: &[(Milter, Whose)],
) -> Option<Finding> {
    if cleanup.iter().any(|(_, whose)| *whose != Whose::Others) {
        return None;
    }
    let says = "mail of sendmail(1) and bounces pass by mailseal and are not signed: \
                non_smtpd_milters does not have it";
    let list = postfix.main_value("non_smtpd_milters");
    let line = match list.as_str() {
        "" => "non_smtpd_milters = $smtpd_milters".to_owned(),
        old => format!("non_smtpd_milters = {old}, {}", spelling(postfix, ours)),
    };
    Some(Finding::new("non-smtpd-milters", Severity::Warning, says).mend("main.cf", [line]))
}

fn bounces(postfix: &Postfix, cleanup: &[(Milter, Whose)]) -> Option<Finding> {
    let classes = postfix.main_value("internal_mail_filter_classes");
    let is_ours = cleanup.iter().any(|(_, whose)| *whose == Whose::Ours);
    if !is_ours || classes.contains("bounce") {
        return None;
    }
    let says = "bounces that Postfix writes itself pass by mailseal and are not signed, so that they \
                may fail DMARC";
    let line = format!("internal_mail_filter_classes = {classes} bounce").replace("  ", " ");
    Some(Finding::new("bounces", Severity::Note, says).mend("main.cf", [line]))
}

fn twice(at: &str, list: &[(Milter, Whose)]) -> Option<Finding> {
    let ours: Vec<&Milter> =
        list.iter().filter(|(_, whose)| *whose == Whose::Ours).map(|(one, _)| one).collect();
    let [first, _, ..] = ours[..] else { return None };
    let says = format!(
        "{at} has mailseal {} times: every message is judged again, and its results fields are \
         taken for forged ones",
        ours.len()
    );
    let rest = list.iter().filter(|(_, whose)| *whose == Whose::Others);
    let others: Vec<&str> = rest.map(|(other, _)| other.spec.as_str()).collect();
    let line = [&others[..], &[first.spec.as_str()]].concat().join(", ");
    let finding = Finding::new("attached-twice", Severity::Error, says);
    Some(finding.mend(at, [format!("smtpd_milters = {line}")]))
}

/// Filters that come after us, and filters that do the same.
fn order(at: &str, list: &[(Milter, Whose)]) -> Vec<Finding> {
    let Some(own) = list.iter().rposition(|(_, whose)| *whose == Whose::Ours) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let after: Vec<&str> =
        list.iter().skip(own + 1).map(|(milter, _)| milter.spec.as_str()).collect();
    if !after.is_empty() {
        let says = format!(
            "{at}: {} comes after mailseal; what it changes breaks our signatures, and its \
             fields are not seen by our rules",
            after.join(", ")
        );
        let before: Vec<&str> = list.iter().take(own).map(|(one, _)| one.spec.as_str()).collect();
        let own = list.get(own).map_or("", |(one, _)| one.spec.as_str());
        let line = [&before[..], &after[..], &[own]].concat().join(", ");
        let finding = Finding::new("milter-order", Severity::Warning, says);
        findings.push(finding.mend(at, [format!("smtpd_milters = {line}")]));
    }
    let others = list.iter().filter(|(_, whose)| *whose == Whose::Others);
    for (milter, _) in others {
        if SAME_JOB.iter().any(|name| milter.spec.contains(name)) {
            let says = format!(
                "{at}: {} does what mailseal does: both sign, and both write results; take it out \
                 when mailseal has taken over (docs/migrating.md)",
                milter.spec
            );
            findings.push(Finding::new("old-filter", Severity::Note, says));
        }
    }
    findings
}

fn maps(postfix: &Postfix) -> Option<Finding> {
    let maps = postfix.main_value("smtpd_milter_maps");
    let says = format!(
        "smtpd_milter_maps = {maps}: the clients that it names may go to other filters or to none, \
         which is not looked into here"
    );
    (!maps.is_empty()).then(|| Finding::new("milter-maps", Severity::Note, says))
}
