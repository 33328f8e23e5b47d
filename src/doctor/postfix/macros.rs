//! What Postfix tells us of a client, by which mail is known as ours.

use super::main_cf::networks;
use super::master_cf::Service;
use super::{Postfix, place};
use crate::doctor::{Facts, Finding, Severity};

/// The macros that decide the origin, and the list that each is in.
const NEEDED: &[(&str, &[&str])] = &[
    ("milter_mail_macros", &["{auth_type}", "{auth_authen}"]),
    ("milter_connect_macros", &["{daemon_name}"]),
];

pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let mut findings = not_originating(postfix, facts);
    findings.extend(untrusted_networks(postfix, facts));
    findings.extend(missing_macros(postfix));
    findings.extend(protocol(postfix, facts));
    findings.extend(authserv_id(postfix, facts));
    findings
}

/// Submission where a client need not authenticate, under a name that says nothing.
fn not_originating(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let daemons = &facts.config.identity.originating_daemons;
    let smtpds = postfix.smtpds(&facts.config.milter.listen);
    let submissions = smtpds.iter().filter(|one| one.has_ours() && one.service.is_submission());
    submissions
        .filter(|one| {
            let name = postfix.value(one.service, "milter_macro_daemon_name");
            !daemons.contains(&name) && !must_authenticate(postfix, one.service)
        })
        .map(|one| {
            let says = format!(
                "{} lets clients in without authentication, and does not say that they are yours: \
                 such mail is verified as a stranger's and not signed",
                one.service.name
            );
            let name = daemons.first().map_or("ORIGINATING", String::as_str);
            let line = format!("-o milter_macro_daemon_name={name}");
            Finding::new("originating", Severity::Warning, says).mend(place(one.service), [line])
        })
        .collect()
}

/// Whether the first restrictions that decide let in nobody but who has authenticated.
fn must_authenticate(postfix: &Postfix, service: &Service) -> bool {
    let has_sasl = postfix.value(service, "smtpd_sasl_auth_enable").eq_ignore_ascii_case("yes");
    let stages = ["client", "helo", "sender", "relay", "recipient"];
    let only_sasl = |stage: &&str| {
        let list = postfix.value(service, &format!("smtpd_{stage}_restrictions"));
        let words: Vec<&str> =
            list.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect();
        let permits = words.iter().filter(|word| word.starts_with("permit"));
        let rejects = words.last().is_some_and(|last| *last == "reject");
        rejects && permits.into_iter().all(|word| *word == "permit_sasl_authenticated")
    };
    has_sasl && stages.iter().any(only_sasl)
}

/// Clients that Postfix relays for and that are strangers to us.
fn untrusted_networks(postfix: &Postfix, facts: &Facts) -> Option<Finding> {
    if !postfix.main.is_set("mynetworks") {
        return None;
    }
    let identity = &facts.config.identity;
    let known: Vec<_> = identity.trusted_networks.iter().chain(&identity.trusted_relays).collect();
    let mynetworks = networks(&postfix.main_value("mynetworks"));
    let unknown: Vec<String> = mynetworks
        .iter()
        .filter(|network| !known.iter().any(|known| known.contains(*network)))
        .map(ToString::to_string)
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let says = format!(
        "Postfix relays for {} (mynetworks), and mailseal takes them for strangers: their mail is \
         not signed unless they authenticate",
        unknown.join(", ")
    );
    let all: Vec<String> = identity.trusted_networks.iter().map(ToString::to_string).collect();
    let all: Vec<String> = all.into_iter().chain(unknown).map(|one| format!("\"{one}\"")).collect();
    let line = format!("trusted_networks = [{}]", all.join(", "));
    let finding = Finding::new("mynetworks", Severity::Warning, says);
    Some(finding.mend("mailseal.toml", ["[identity]".to_owned(), line]))
}

fn missing_macros(postfix: &Postfix) -> Vec<Finding> {
    let missing = |(list, needed): &(&str, &[&str])| {
        let values = postfix.values(list).into_iter();
        let set = values.filter(|(_, who)| who.is_some() || postfix.main.is_set(list));
        let without = |value: &str| needed.iter().find(|name| !value.contains(*name)).copied();
        let found: Vec<Finding> = set
            .filter_map(|(value, who)| {
                let name = without(&value)?;
                let says = format!(
                    "{list} does not send {name}, by which mail is known as ours: mailseal asks for \
                     it itself, which Postfix grants from 2.5 on, but other filters lack it"
                );
                let at = who.map_or_else(|| "main.cf".to_owned(), place);
                let line = format!("{list} = {value} {}", needed.join(" "));
                Some(Finding::new("auth-macros", Severity::Note, says).mend(at, [line]))
            })
            .collect();
        found
    };
    NEEDED.iter().flat_map(missing).collect()
}

fn protocol(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let is_simple = facts.config.sign.header_canonicalization
        == crate::dkim::canonical::Canonicalization::Simple;
    let low = postfix.values("milter_protocol").into_iter().filter_map(|(value, who)| {
        let version: u32 = value.trim().parse().ok()?;
        let (severity, does) = match version {
            6.. => return None,
            _ if is_simple => (
                Severity::Warning,
                "the white space of header fields is not told, so that headers are signed relaxed \
                 although sign.canonicalization asks for simple",
            ),
            _ => (
                Severity::Note,
                "an answer is waited for at every header field and chunk, and the white space of \
                 header fields is not told",
            ),
        };
        let at = who.map_or_else(|| "main.cf".to_owned(), place);
        let says = format!("milter_protocol = {version} at {at}: {does}");
        let line = if who.is_some() { "-o milter_protocol=6" } else { "milter_protocol = 6" };
        Some(Finding::new("milter-protocol", severity, says).mend(at, [line]))
    });
    low.collect()
}

fn authserv_id(postfix: &Postfix, facts: &Facts) -> Option<Finding> {
    let identity = &facts.config.identity;
    let own = &identity.authserv_id;
    let host = postfix.main_value("myhostname");
    let mut ours = identity.authserv_ids_ours.iter().chain([own]);
    if host.is_empty() || ours.any(|id| id.eq_ignore_ascii_case(&host)) {
        return None;
    }
    let says = format!(
        "results claim to be of {own} (identity.authserv_id), and Postfix calls itself {host}: what \
         reads results by the host's name, such as Sieve or OpenDMARC, does not find them, and forged \
         ones of {host} are kept"
    );
    let line = format!("authserv_ids_ours = [\"{host}\"]");
    let finding = Finding::new("authserv-id", Severity::Note, says);
    Some(finding.mend("mailseal.toml", ["[identity]".to_owned(), line]))
}
