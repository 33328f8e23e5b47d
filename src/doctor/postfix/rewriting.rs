//! Addresses that Postfix rewrites: in mail of its own before the filters, and at the last moment after them.

use super::{Postfix, place};
use crate::doctor::{Facts, Finding, Severity};

pub(super) fn findings(postfix: &Postfix, _: &Facts) -> Vec<Finding> {
    let mut findings = generic(postfix);
    findings.extend(remote(postfix));
    findings.extend(again(postfix));
    findings
}

/// `smtp_generic_maps`: after we have signed.
fn generic(postfix: &Postfix) -> Vec<Finding> {
    let set =
        postfix.values("smtp_generic_maps").into_iter().filter(|(value, _)| !value.is_empty());
    let finding = |(value, who): (String, Option<&super::Service>)| {
        let says = format!(
            "smtp_generic_maps = {value} rewrites addresses in From, To and other fields when mail \
             leaves, after mailseal has signed it: the signature of each message that it changes \
             breaks; canonical_maps rewrites before the filters"
        );
        let at = who.map_or_else(|| "main.cf".to_owned(), place);
        let lines = [format!("sender_canonical_maps = {value}"), "smtp_generic_maps =".to_owned()];
        Finding::new("generic-maps", Severity::Error, says).mend(at, lines)
    };
    set.map(finding).collect()
}

/// Header addresses of strangers' mail that are completed or rewritten: their signatures break.
fn remote(postfix: &Postfix) -> Option<Finding> {
    let domain = postfix.main_value("remote_header_rewrite_domain");
    let clients = postfix.main_value("local_header_rewrite_clients");
    let line = if !domain.is_empty() {
        "remote_header_rewrite_domain ="
    } else if clients.contains("static:all") {
        "local_header_rewrite_clients = permit_mynetworks, permit_sasl_authenticated"
    } else {
        return None;
    };
    let says = "Postfix rewrites addresses in the header fields of strangers' mail before mailseal \
                sees it: their DKIM signatures over From, To and Cc fail here";
    Some(Finding::new("remote-rewriting", Severity::Warning, says).mend("main.cf", [line]))
}

/// Mail that comes back from a content filter passes the rewriting again, signed.
fn again(postfix: &Postfix) -> Option<Finding> {
    let filter = ["content_filter", "smtpd_proxy_filter"]
        .iter()
        .flat_map(|name| postfix.values(name))
        .any(|(value, _)| !value.is_empty());
    let names = [
        "canonical_maps",
        "sender_canonical_maps",
        "recipient_canonical_maps",
        "masquerade_domains",
    ];
    let rewrites = names.iter().find(|name| !postfix.main_value(name).is_empty())?;
    let back = postfix.services.iter().find(|service| {
        service.is_smtpd()
            && service.is_loopback()
            && !postfix.value(service, "receive_override_options").contains("no_address_mappings")
            && !postfix.value(service, "local_header_rewrite_clients").is_empty()
    })?;
    if !filter {
        return None;
    }
    let says = format!(
        "{rewrites} works once more on what comes back from the content filter at {}, signed by \
         then; it is harmless only as long as the second time changes nothing",
        back.name
    );
    let line = "-o local_header_rewrite_clients=";
    Some(Finding::new("rewritten-again", Severity::Note, says).mend(place(back), [line]))
}
