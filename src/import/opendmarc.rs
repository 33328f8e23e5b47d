//! `opendmarc.conf` (opendmarc.conf(5)).

use std::path::Path;

use super::directive::{Directive, of_opendkim};
use super::draft::{Draft, toml_list, toml_text};
use super::{hosts, service};

/// Options of the reports that mailseal does not write.
const REPORTS: &[&str] = &[
    "failurereports",
    "failurereportsbcc",
    "failurereportsonnone",
    "failurereportssentby",
    "historyfile",
    "recordallmessages",
    "reportcommand",
    "copyfailuresto",
];

pub(super) fn read(draft: &mut Draft, path: &Path, text: &str) {
    let options = of_opendkim(path, text);
    for option in &options {
        if !service::option(draft, option) {
            one(draft, option);
        }
    }
    policy(draft, &options);
}

fn one(draft: &mut Draft, option: &Directive) {
    match option.key.as_str() {
        "authservid" => authserv_id(draft, option),
        "trustedauthservids" => trusted_ids(draft, option),
        "rejectmultivaluefrom" | "requiredheaders" if option.is_yes() => {
            draft.set(("policy", "malformed_from"), toml_text("reject"), option);
            draft.change(
                option,
                "policy.malformed_from rejects From fields with no, several or \
                unreadable author domains; several mailboxes of one domain are one author",
            );
        }
        "ignoreauthenticatedclients" if !option.is_yes() => {
            draft.change(option, "mail of authenticated clients is signed and never verified");
        }
        // Those of policy are looked at together; the others are as here, or for tests.
        "rejectfailures"
        | "holdquarantinedmessages"
        | "rejectmultivaluefrom"
        | "requiredheaders"
        | "ignoreauthenticatedclients"
        | "domainwhitelistsize"
        | "testdnsdata" => {}
        "ignorehosts" => ignored_hosts(draft, option),
        "ignoremailfrom" => exempt(draft, "domains", option),
        "ignoremailto" => exempt(draft, "recipients", option),
        "domainwhitelist" => {
            draft.set(("arc", "trusted_sealers"), toml_list(&lower(&option.elements())), option);
        }
        "domainwhitelistfile" => {
            let domains = hosts::lines(draft, option);
            let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
            draft.set(("arc", "trusted_sealers"), toml_list(&lower(&domains)), option);
        }
        "dnstimeout" => dns_timeout(draft, option),
        "spfignoreresults" | "spfselfvalidate" => draft.change(
            option,
            "mailseal evaluates SPF itself, always, and believes no field that arrives",
        ),
        "publicsuffixlist" => draft.change(
            option,
            "organizational domains are found in DNS (RFC 9989's tree walk), not in a list; \
             verify.dmarc_psl shows what the list would have said",
        ),
        "authservidwithjobid" => {
            draft.change(option, "the authserv-id stands alone; the log has the queue id");
        }
        "softwareheader" => draft.change(option, "no such field is written"),
        "rejectstring" => {
            draft.change(option, "the reply names the domain, the cause and the queue id");
        }
        key if REPORTS.contains(&key) => {
            if !["false", "no", "0"].iter().any(|no| option.value.eq_ignore_ascii_case(no)) {
                draft.change(option, "mailseal writes no DMARC reports and keeps no history");
            }
        }
        _ => draft.unknown(option),
    }
}

/// What is done about a failure: OpenDMARC holds what asks for quarantine only where told so.
fn policy(draft: &mut Draft, options: &[Directive]) {
    let last = |key: &str| options.iter().rfind(|option| option.key == key);
    let is_on = |key: &str| last(key).is_some_and(Directive::is_yes);
    if let Some(option) = last("rejectfailures").filter(|_| is_on("rejectfailures")) {
        draft.set(("policy", "dmarc"), toml_text("reject"), option);
        draft.change(
            option,
            "what asks for rejection is rejected (policy.dmarc), and what asks for quarantine is held; \
             RFC 9989 advises against rejecting for p=reject alone, since mail of lists is lost: consider \
             \"quarantine\"; where DNS fails, policy.temperror decides",
        );
    } else if let Some(option) = last("holdquarantinedmessages").filter(|one| one.is_yes()) {
        draft.set(("policy", "dmarc"), toml_text("quarantine"), option);
        draft.change(option, "what asks for rejection is held, too (policy.dmarc)");
    } else if let Some(option) = last("rejectfailures") {
        draft.change(option, "failures get the field X-Mailseal-Tag: dmarc-fail (policy.dmarc)");
    }
}

pub(super) fn authserv_id(draft: &mut Draft, option: &Directive) {
    // HOSTNAME is what we do by ourselves; OpenDKIM takes a file, too, whose name has a slash.
    if option.value.eq_ignore_ascii_case("hostname") {
        return;
    }
    if option.value.contains(['/', ':']) || option.value.contains(char::is_whitespace) {
        draft.refuse(option, "is not a name; set identity.authserv_id");
    } else {
        draft.set(("identity", "authserv_id"), toml_text(&option.value), option);
    }
}

/// Results of these names were believed: now none is, and those that arrive with them are forged.
fn trusted_ids(draft: &mut Draft, option: &Directive) {
    let mut ids = option.elements();
    ids.retain(|id| !id.eq_ignore_ascii_case("hostname"));
    if ids.is_empty() {
        return;
    }
    draft.set(("identity", "authserv_ids_ours"), toml_list(&ids), option);
    draft.change(
        option,
        "no result that arrives is believed; fields of these names are removed as forged \
         (identity.authserv_ids_ours), except from identity.trusted_relays",
    );
}

fn ignored_hosts(draft: &mut Draft, option: &Directive) {
    let mut networks = hosts::networks(draft, option);
    // Mail of this host is not verified anyway.
    networks.retain(|network| !network.addr().is_loopback());
    if networks.is_empty() {
        return;
    }
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    draft.exempt.push(("networks", toml_list(&networks), option.place.to_string()));
    draft.change(
        option,
        "mail of these hosts is verified and has its results field, and no policy acts on it \
         ([[policy.exempt]]); hosts whose mail is yours belong into identity.trusted_networks",
    );
}

fn exempt(draft: &mut Draft, key: &'static str, option: &Directive) {
    let list = toml_list(&lower(&option.elements()));
    draft.exempt.push((key, list, option.place.to_string()));
    draft.change(
        option,
        "such mail is verified and has its results field, and no policy acts on it \
         ([[policy.exempt]])",
    );
}

pub(super) fn dns_timeout(draft: &mut Draft, option: &Directive) {
    match option.value.parse::<u64>() {
        Ok(secs @ 1..=60) => draft.set(("dns", "timeout_secs"), secs.to_string(), option),
        _ => draft.change(option, "a look-up takes dns.timeout_secs at most, from 1 to 60"),
    }
}

fn lower(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_ascii_lowercase()).collect()
}
