//! `opendkim.conf` (opendkim.conf(5)). Its keys, tables and the `[[sign.map]]` that they come to are
//! `keys::import`'s.

use std::path::Path;

use super::directive::{Directive, of_opendkim};
use super::draft::{Draft, toml_list, toml_text};
use super::opendmarc::{authserv_id, dns_timeout};
use super::{hosts, service};
use crate::config::Config;
use crate::file;
use crate::keys::import::{Plan, conf, opendkim, read_text};

/// Options that are of the keys, which the plan reads.
const KEYS: &[&str] = &[
    "keytable",
    "signingtable",
    "multiplesignatures",
    "subdomains",
    "domain",
    "selector",
    "keyfile",
    "include",
];

/// Options that change nothing here, each with the sentence that says why.
const TOLD: &[(&str, &str)] = &[
    (
        "externalignorelist",
        "it silenced a warning about strangers that write your domains; mailseal has none",
    ),
    (
        "requiresafekeys",
        "keys that others can read are always refused, with the command that mends it",
    ),
    ("alwaysaddarheader", "the results field is always written where mail is verified"),
    ("authservidwithjobid", "the authserv-id stands alone; the log has the queue id"),
    ("removearall", "results fields of other names are kept, ours are removed"),
    ("keepauthresults", "forged results fields of ours are always removed"),
    ("removeoldsignatures", "signatures that arrive are kept"),
    ("softwareheader", "no such field is written"),
    ("x-header", "no such field is written"),
    ("trustanchorfile", "DNSSEC is for the resolver to validate"),
    ("resolverconfiguration", "DNSSEC is for the resolver to validate"),
    ("unboundconfigfile", "DNSSEC is for the resolver to validate"),
    ("dnsconnect", "look-ups go over UDP, and over TCP where an answer is truncated"),
    ("resolvertracing", "telemetry.level = \"debug\" logs look-ups"),
    ("minimum", "a signature with l= counts for DMARC only where it covers the whole body"),
    ("bodylengthdb", "signatures never have l="),
    ("bodylengthdbfile", "signatures never have l="),
    ("allowsha1only", "SHA-1 neither signs nor passes (RFC 8301)"),
    (
        "maximumsignaturestoverify",
        "the number of signatures that are verified has a limit of its own",
    ),
    ("maximumsignedbytes", "bodies are always signed whole"),
    ("clockdrift", "the clock may drift by a fixed time"),
    ("querycache", "answers are cached as their times to live say"),
    ("statistics", "telemetry.metrics serves counts for Prometheus"),
    ("statisticsname", "telemetry.metrics serves counts for Prometheus"),
    ("statisticsprefix", "telemetry.metrics serves counts for Prometheus"),
    ("sendreports", "no reports are sent"),
    ("requestreports", "no reports are asked for"),
    ("reportaddress", "no reports are sent"),
    ("reportbccaddress", "no reports are sent"),
    ("mtacommand", "no mail is ever sent"),
    ("redirectfailuresto", "mail is not redirected"),
    ("captureunknownerrors", "mail that cannot be judged is answered with a 451"),
    ("diagnostics", "signatures have no z="),
    ("diagnosticdirectory", "mailseal check explains why a signature fails"),
    ("fixcrlf", "line ends are CRLF in all digests"),
    ("noheaderb", "the results have header.b (RFC 6008)"),
    ("singleauthresult", "the results have every signature"),
    ("mustbesigned", "whatever a signature covers besides From is the signer's affair"),
    ("requiredheaders", "policy.malformed_from is about From alone"),
    ("strictheaders", "policy.malformed_from is about From alone"),
    ("ignoremalformedmail", "malformed mail is judged like all other"),
    ("weaksyntaxchecks", "policy.malformed_from says what becomes of a From that cannot be read"),
    ("domainkeyscompat", "DomainKeys of 2007 is not spoken"),
    ("disablecryptoinit", "has no counterpart"),
    ("softstart", "has no counterpart"),
    ("stricttestmode", "has no counterpart"),
    ("testpublickeys", "was for tests; mailseal asks DNS"),
    ("testdnsdata", "was for tests; mailseal asks DNS"),
    ("originalrecipient", "has no counterpart"),
    ("boguskey", "DNSSEC is for the resolver to validate"),
    ("unprotectedkey", "DNSSEC is for the resolver to validate"),
    ("selectcanonicalizationheader", "has no counterpart"),
    ("sendermacro", "the author domain alone decides who signs"),
    ("senderheaders", "the domain of From alone decides who signs, never that of another field"),
];

/// Options whose loss would be a loss: somebody must decide.
const REFUSED: &[(&str, &str)] = &[
    (
        "peerlist",
        "no client goes unseen; the MTA can leave the filter out for one (smtpd_milter_maps)",
    ),
    ("exemptdomains", "no domain goes unverified; [[policy.exempt]] leaves mail alone"),
    ("dontsignmailto", "recipients do not decide about signing"),
    ("resignall", "mail of strangers is not signed; [arc] seals it"),
    ("resignmailto", "mail of strangers is not signed; [arc] seals it"),
    ("trustsignaturesfrom", "DMARC decides which signatures count"),
    ("replaceheaders", "header fields are not rewritten before they are signed"),
    ("replacerules", "header fields are not rewritten before they are signed"),
    ("popdbfile", "POP before SMTP is not known; have clients authenticate"),
];

pub(super) fn read(draft: &mut Draft, path: &Path, text: &str) {
    let options = of_opendkim(path, text);
    for option in &options {
        if !service::option(draft, option) {
            one(draft, option);
        }
    }
    if !options.iter().any(|option| option.key == "canonicalization") {
        let path = file::plain(path);
        draft.tell(format!("{path}: signatures were simple/simple, and are relaxed/relaxed"));
    }
    keys(draft, path, text);
}

fn one(draft: &mut Draft, option: &Directive) {
    match option.key.as_str() {
        key if KEYS.contains(&key) => {}
        "authservid" => authserv_id(draft, option),
        "canonicalization" => canonicalization(draft, option),
        "mode" => mode(draft, option),
        "internalhosts" => internal_hosts(draft, option),
        "mta" => {
            draft.set(("identity", "originating_daemons"), toml_list(&option.elements()), option);
        }
        "macrolist" => macro_list(draft, option),
        "minimumkeybits" => minimum_key_bits(draft, option),
        "oversignheaders" => oversign(draft, option),
        "signheaders" | "omitheaders" => fields(draft, option),
        "signaturettl" => ttl(draft, option),
        "signaturealgorithm" if option.value == "rsa-sha1" => {
            draft.change(
                option,
                "signatures are rsa-sha256 or ed25519-sha256, as the key is (RFC 8301)",
            );
        }
        "signaturealgorithm" => {}
        "nameservers" => nameservers(draft, option),
        "dnstimeout" => dns_timeout(draft, option),
        "maximumheaders" => maximum_headers(draft, option),
        "removearfrom" => {
            draft.set(("identity", "authserv_ids_ours"), toml_list(&option.elements()), option);
        }
        "quarantine" => {
            draft.change(option, "a failed signature alone holds no mail; policy.dmarc does");
        }
        key if key.starts_with("on-") => action(draft, option),
        key if ["ldap", "vbr-", "atps"].iter().any(|start| key.starts_with(start)) => {
            draft.refuse(option, "is not supported");
        }
        key if key.ends_with("policyscript") => {
            draft.refuse(option, "there are no scripts; see what a rule or [[sign.map]] can say");
        }
        key => match (told(TOLD, key), told(REFUSED, key)) {
            (Some(says), _) => draft.change(option, says),
            (_, Some(why)) => draft.refuse(option, why),
            _ => draft.unknown(option),
        },
    }
}

fn told(list: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    list.iter().find(|(name, _)| *name == key).map(|(_, says)| *says)
}

/// One word is the header's, and the body is simple then.
fn canonicalization(draft: &mut Draft, option: &Directive) {
    let value = option.value.to_ascii_lowercase();
    let (header, body) = value.split_once('/').unwrap_or((&value, "simple"));
    let is_known = |word: &str| ["simple", "relaxed"].contains(&word);
    if !is_known(header) || !is_known(body) {
        return draft.refuse(option, "is not of simple and relaxed");
    }
    draft.set(("sign", "canonicalization"), toml_text(&format!("{header}/{body}")), option);
}

fn mode(draft: &mut Draft, option: &Directive) {
    let has = |letter: char| option.value.to_ascii_lowercase().contains(letter);
    if has('v') {
        if !has('s') {
            draft.change(
                option,
                "mail is signed for the domains that have active keys: import none",
            );
        }
        return;
    }
    draft.set(("verify", "enabled"), "false".to_owned(), option);
}

fn internal_hosts(draft: &mut Draft, option: &Directive) {
    let networks = hosts::networks(draft, option);
    if networks.is_empty() {
        return;
    }
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    draft.set(("identity", "trusted_networks"), toml_list(&networks), option);
    draft.change(
        option,
        "mail of these clients is neither verified nor refused, and is signed by the domain of From \
         alone (identity.trusted_networks)",
    );
}

/// `daemon_name|ORIGINATING`: other macros do not tell whose mail it is.
fn macro_list(draft: &mut Draft, option: &Directive) {
    let mut names = Vec::new();
    for entry in hosts::entries(draft, option) {
        let (name, value) = entry.split_once('|').unwrap_or((&entry, ""));
        if name.trim_matches(['{', '}']) == "daemon_name" && !value.is_empty() {
            names.extend(value.split('|').map(str::to_owned));
        } else {
            draft.refuse(option, "of macros {daemon_name} alone tells whose mail it is");
        }
    }
    if !names.is_empty() {
        draft.set(("identity", "originating_daemons"), toml_list(&names), option);
    }
}

fn minimum_key_bits(draft: &mut Draft, option: &Directive) {
    match option.value.parse::<u32>() {
        Ok(bits @ 1024..=4096) => {
            draft.set(("verify", "min_rsa_bits"), bits.to_string(), option);
        }
        _ => draft.change(option, "signatures by keys below 1024 bits never pass (RFC 8301)"),
    }
}

/// What we oversign by ourselves stays; Sender and the fields that lists add cannot be.
fn oversign(draft: &mut Draft, option: &Directive) {
    let mut fields = Config::default().sign.oversign;
    let mut left_out = Vec::new();
    for name in option.elements() {
        let lower = name.to_ascii_lowercase();
        if lower == "sender" || lower.starts_with("list-") || lower.starts_with("resent-") {
            left_out.push(name);
        } else if !fields.iter().any(|field| field.eq_ignore_ascii_case(name)) {
            fields.push(name.to_owned());
        }
    }
    if fields.len() > Config::default().sign.oversign.len() {
        draft.set(("sign", "oversign"), toml_list(&fields), option);
    }
    let mut says = "To, Cc, Subject, Reply-To and Content-Type are oversigned, too".to_owned();
    if !left_out.is_empty() {
        says = format!("{says}, and {} cannot be: lists add them", left_out.join(", "));
    }
    draft.change(option, &says);
}

/// `*,+Name,-Name` changes the default list, names alone replace it.
fn fields(draft: &mut Draft, option: &Directive) {
    let is_omitted = option.key == "omitheaders";
    let names = option.elements();
    let is_edit = |name: &str| name == "*" || name.starts_with(['+', '-']);
    let mut fields = if is_omitted || names.iter().any(|name| is_edit(name)) {
        Config::default().sign.fields
    } else {
        Vec::new()
    };
    for name in names.into_iter().filter(|name| *name != "*") {
        let bare = name.trim_start_matches(['+', '-']);
        let has = |field: &String| field.eq_ignore_ascii_case(bare);
        match name.starts_with('-') || is_omitted {
            true => fields.retain(|field| !has(field)),
            false if fields.iter().any(has) => {}
            false => fields.push(bare.to_owned()),
        }
    }
    if draft.has("sign", "fields") {
        return draft
            .refuse(option, "SignHeaders and OmitHeaders are there both; see to sign.fields");
    }
    draft.set(("sign", "fields"), toml_list(&fields), option);
    draft.change(
        option,
        "of fields that are there List-Unsubscribe and List-Unsubscribe-Post always are signed",
    );
}

fn ttl(draft: &mut Draft, option: &Directive) {
    match option.value.parse::<u64>() {
        Ok(0) => {}
        Ok(secs @ 3600..=31_536_000) => {
            draft.set(("sign", "expire_secs"), secs.to_string(), option);
        }
        _ => draft.refuse(option, "sign.expire_secs is from 3600 to 31536000 seconds"),
    }
}

fn nameservers(draft: &mut Draft, option: &Directive) {
    let servers = option.elements();
    let is_address = |server: &&&str| {
        server.parse::<std::net::IpAddr>().is_ok() || server.parse::<std::net::SocketAddr>().is_ok()
    };
    if servers.iter().filter(is_address).count() == servers.len() {
        draft.set(("dns", "servers"), toml_list(&servers), option);
    } else {
        draft.refuse(option, "is not a list of addresses");
    }
}

fn maximum_headers(draft: &mut Draft, option: &Directive) {
    match option.value.parse::<u64>() {
        Ok(bytes @ 1024..=16_777_216) => {
            draft.set(("limits", "header_bytes_max"), bytes.to_string(), option);
            draft.change(option, "a larger header block gets 552 (limits.header_bytes_max)");
        }
        _ => draft.change(option, "header blocks have a limit (limits.header_bytes_max)"),
    }
}

/// `On-BadSignature` and its kin: a failed signature is like none (RFC 6376 §6.3).
fn action(draft: &mut Draft, option: &Directive) {
    let value = option.value.to_ascii_lowercase();
    let value = value.chars().next().unwrap_or('a');
    match (option.key.as_str(), value) {
        ("on-dnserror" | "on-internalerror" | "on-default", 't') => {
            draft.set(("policy", "temperror"), toml_text("tempfail"), option);
        }
        (_, 'a') => {}
        ("on-nosignature", _) => draft.refuse(
            option,
            "mail without a signature is refused only for the domains of verify.require_dkim",
        ),
        ("on-security" | "on-signatureerror" | "on-policyerror", _) => {
            draft.change(option, "what cannot be signed leaves unsigned, and the log says why");
        }
        _ => draft.change(
            option,
            "a signature that fails is like none (RFC 6376); DMARC decides about the message \
             (policy.dmarc)",
        ),
    }
}

/// Who signs for whom; the keys themselves are imported by `keys import`.
fn keys(draft: &mut Draft, path: &Path, text: &str) {
    let mut plan = Plan::default();
    let conf = conf::keys_of(&mut plan, path, text);
    match &conf.tables {
        Some(tables) => {
            let texts = read_text(&tables.key_table)
                .and_then(|keys| read_text(&tables.signing_table).map(|signing| (keys, signing)));
            match texts {
                Ok((keys, signing)) => opendkim(&mut plan, tables, &keys, &signing),
                Err(error) => draft.refused.push(error.to_string()),
            }
        }
        None if conf.has_key() => conf.single(&mut plan, path),
        None => {}
    }
    draft.maps.append(&mut plan.maps);
    for note in plan.notes.drain(..) {
        draft.tell(note);
    }
    draft.refused.append(&mut plan.refused);
    draft.has_keys |= !plan.keys.is_empty();
}
