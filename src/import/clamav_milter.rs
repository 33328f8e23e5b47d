//! `clamav-milter.conf` (clamav-milter.conf(5)).

use std::path::Path;

use super::directive::{Directive, of_clamav};
use super::draft::{Draft, toml_list, toml_text};
use super::service;
use crate::config::Endpoint;

pub(super) fn read(draft: &mut Draft, path: &Path, text: &str) {
    let options = of_clamav(path, text);
    for option in &options {
        if !service::option(draft, option) {
            one(draft, option);
        }
    }
    servers(draft, &options);
    defaults(draft);
}

fn one(draft: &mut Draft, option: &Directive) {
    match option.key.as_str() {
        // There may be several sockets, which are looked at together.
        "clamdsocket" | "supportmultiplerecipients" => {}
        "oninfected" => on_infected(draft, option),
        "onfail" => on_fail(draft, option),
        "onclean" if option.value.eq_ignore_ascii_case("accept") => {}
        "onclean" => draft.refuse(option, "clean mail goes on; a rule can hold or refuse mail"),
        "maxfilesize" => max_file_size(draft, option),
        "addheader" => draft.change(
            option,
            "X-Virus-Status is always written, and forged ones removed; its values are Clean, Infected \
             (NAME) and Unscanned (REASON); X-Virus-Scanned is not written",
        ),
        "reporthostname" => draft.change(option, "no field of mailseal's scan names the host"),
        "localnet" | "skipauthenticated" => draft.change(
            option,
            "mail of all clients is scanned; [[clamav.origin]] sets what is done about that of some",
        ),
        "whitelist" | "allowlist" => draft.refuse(
            option,
            "no address is exempt from scanning; clamav.ignore_signatures names signatures that are \
             not acted on",
        ),
        "rejectmsg" => draft.change(option, "the reply names the virus and the queue id"),
        "virusaction" => draft.refuse(option, "mailseal starts no program; read its log or metrics"),
        "readtimeout" => draft.change(
            option,
            "a scan may take clamav.timeout_secs (20) after the end of the message, and the message \
             limits.message_secs_max (30) in all: clients give up on a slow answer and deliver twice",
        ),
        "example" => draft.refuse(option, "the file is a sample that was never edited"),
        _ => draft.unknown(option),
    }
}

/// What clamav-milter does where its file says nothing, and we do otherwise.
fn defaults(draft: &mut Draft) {
    for (key, word) in [("on_infected", "quarantine"), ("on_failure", "tempfail")] {
        draft.set_default(("clamav", key), toml_text(word), "clamav-milter");
    }
}

fn servers(draft: &mut Draft, options: &[Directive]) {
    let mut servers = Vec::new();
    let sockets: Vec<&Directive> =
        options.iter().filter(|option| option.key == "clamdsocket").collect();
    for option in &sockets {
        // A host may stand without a port, and then it is clamd's own.
        let spec = match option.value.strip_prefix("tcp:") {
            Some(host) if host.rsplit_once(':').is_none_or(|(_, port)| port.ends_with(']')) => {
                format!("inet:{host}:3310")
            }
            Some(rest) => format!("inet:{rest}"),
            None => option.value.clone(),
        };
        match spec.parse::<Endpoint>() {
            Ok(endpoint) => servers.push(endpoint.to_string()),
            Err(complaint) => draft.refuse(option, &complaint.to_string()),
        }
    }
    if let (Some(first), false) = (sockets.first(), servers.is_empty()) {
        draft.set(("clamav", "servers"), toml_list(&servers), first);
    }
}

fn on_infected(draft: &mut Draft, option: &Directive) {
    let word = match option.value.to_ascii_lowercase().as_str() {
        "reject" => "reject",
        "quarantine" => "quarantine",
        "blackhole" => "discard",
        "accept" => {
            draft
                .change(option, "infected mail goes on with the tag infected (clamav.on_infected)");
            "tag"
        }
        "defer" => {
            draft.change(option, "infected mail is held: to defer it is to get it again for days");
            "quarantine"
        }
        _ => return draft.refuse(option, "is no action of clamav-milter's"),
    };
    draft.set(("clamav", "on_infected"), toml_text(word), option);
}

fn on_fail(draft: &mut Draft, option: &Directive) {
    let word = match option.value.to_ascii_lowercase().as_str() {
        "reject" => "reject",
        "quarantine" => "quarantine",
        "accept" => "accept",
        "defer" => "tempfail",
        "blackhole" => {
            draft.change(option, "unscanned mail is held, and not thrown away");
            "quarantine"
        }
        _ => return draft.refuse(option, "is no action of clamav-milter's"),
    };
    draft.set(("clamav", "on_failure"), toml_text(word), option);
}

/// `25M`, `100K`, or octets.
fn max_file_size(draft: &mut Draft, option: &Directive) {
    let text = option.value.to_ascii_uppercase();
    let (number, factor) = match text.strip_suffix(['M', 'K']) {
        Some(number) if text.ends_with('M') => (number, 1 << 20),
        Some(number) => (number, 1 << 10),
        None => (text.as_str(), 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match bytes {
        Some(bytes @ 1024..=4_294_967_295) => {
            draft.set(("clamav", "scan_bytes_max"), bytes.to_string(), option);
            draft.change(
                option,
                "of what is larger the beginning is scanned, and X-Virus-Status says so \
                 (clamav.on_oversize); it passed unscanned and unmarked",
            );
        }
        _ => draft.refuse(option, "is no size from 1024 octets to 4 GiB"),
    }
}
