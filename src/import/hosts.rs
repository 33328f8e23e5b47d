//! Lists of hosts: addresses and networks stand for themselves; names we do not look up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ipnet::IpNet;

use super::directive::Directive;
use super::draft::Draft;
use crate::config::error::quoted;
use crate::keys::import::{conf, directives, read_text};

/// What every system calls localhost.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The entries of a data set: a list in the configuration itself, or a file of lines.
pub(super) fn entries(draft: &mut Draft, from: &Directive) -> Vec<String> {
    let value = from.value.as_str();
    let is_list = !value.starts_with(['/', '.']) && !value.contains(':');
    let inline = value.strip_prefix("csl:").or_else(|| is_list.then_some(value));
    // An IPv6 address has colons, too.
    let inline = inline.or_else(|| network(value.split(',').next()?.trim()).map(|_| value));
    if let Some(list) = inline {
        let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        return words.map(str::to_owned).collect();
    }
    let file = conf::table(value).map(|(path, _)| path);
    match file.and_then(|path| read_text(&path).map_err(|error| error.to_string())) {
        Ok(text) => directives(&text).map(|(_, entry, _)| entry.to_owned()).collect(),
        Err(reason) => {
            draft.refuse(from, &reason);
            Vec::new()
        }
    }
}

/// The networks of a list; what is none is refused.
pub(super) fn networks(draft: &mut Draft, from: &Directive) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for entry in entries(draft, from) {
        let found = if entry.eq_ignore_ascii_case("localhost") {
            LOOPBACK.map(IpNet::from).to_vec()
        } else {
            network(&entry).into_iter().collect()
        };
        if found.is_empty() {
            let entry = quoted(&entry);
            let reason = format!("{entry} is no address or network, and names are not looked up");
            draft.refuse(from, &reason);
        }
        for one in found {
            if !networks.contains(&one) {
                networks.push(one);
            }
        }
    }
    networks
}

fn network(entry: &str) -> Option<IpNet> {
    let bare = entry.trim_start_matches('[').replace(']', "");
    let one = bare.parse::<IpNet>().ok().map(|network| network.trunc());
    one.or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The lines of a file that an option names, without a data set's prefix.
pub(super) fn lines(draft: &mut Draft, from: &Directive) -> Vec<String> {
    match read_text(Path::new(&from.value)) {
        Ok(text) => directives(&text).map(|(_, entry, _)| entry.to_owned()).collect(),
        Err(error) => {
            draft.refuse(from, &error.to_string());
            Vec::new()
        }
    }
}
