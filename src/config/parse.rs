//! What the strings of a config file must look like.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::endpoint::Endpoint;
use super::error::{Complaint, quoted};
use super::words;
use crate::dns::{Kind, policy};
use crate::keys::{DomainName, Selector};
use crate::message::domain::{NAME_OCTETS_MAX, normalize};
use crate::sign::map::Authors;

/// The port of DNS (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// The longest name of a header field that fits a line with its colon (RFC 5322 §2.1.1).
const FIELD_NAME_BYTES_MAX: usize = 996;

/// Fields that change on the way, that the MTA removes, or that tell of later hops: a signature
/// over them breaks (RFC 6376 §5.4.1).
const NEVER_SIGNED: [&str; 10] = [
    "Received",
    "Return-Path",
    "Bcc",
    "Resent-Bcc",
    "Delivered-To",
    "DKIM-Signature",
    "Authentication-Results",
    "Received-SPF",
    "X-Virus-Status",
    "X-Mailseal-Tag",
];

/// The types of Postfix's tables that are made from such a text.
const TEXT_TABLES: [&str; 7] = ["hash", "texthash", "btree", "lmdb", "cdb", "dbm", "sdbm"];

/// What the files end with that are made from it.
const TABLE_ENDINGS: [&str; 5] = [".db", ".lmdb", ".cdb", ".pag", ".dir"];

/// More characters do not separate.
const DELIMITERS_MAX: usize = 8;

/// A network in CIDR notation, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Complaint> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| {
        Complaint::new(format!("{} is not a network", quoted(text)))
            .hint("write ADDRESS or ADDRESS/PREFIX, such as \"192.0.2.0/24\"")
    })?;
    if network.trunc() == network {
        return Ok(network);
    }
    Err(Complaint::new(format!("network {} has host bits set", quoted(text))).hint(format!(
        "write \"{}\" or \"{}\"",
        network.trunc(),
        network.addr()
    )))
}

/// A server that we connect to: never port 0.
pub(super) fn peer(text: &str) -> Result<Endpoint, Complaint> {
    match text.parse()? {
        Endpoint::Inet(address) if address.port() == 0 => {
            Err(Complaint::new(format!("{} names port 0", quoted(text))))
        }
        endpoint => Ok(endpoint),
    }
}

/// A resolver: an address, with or without a port.
pub(super) fn resolver(text: &str) -> Result<SocketAddr, Complaint> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    bare.or_else(|_| text.parse::<SocketAddr>())
        .ok()
        .filter(|server| server.port() != 0)
        .ok_or_else(|| {
            Complaint::new(format!("{} is not the address of a DNS server", quoted(text)))
                .hint("write ADDRESS, ADDRESS:PORT or [IPV6]:PORT")
        })
}

/// Where we listen for HTTP.
pub(super) fn address(text: &str) -> Result<SocketAddr, Complaint> {
    text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0).ok_or_else(|| {
        Complaint::new(format!("{} is not an address and port", quoted(text)))
            .hint("write ADDRESS:PORT or [IPV6]:PORT")
    })
}

/// An authserv-id (RFC 8601 §2.2) that needs no quoting.
pub(super) fn authserv_id(text: &str) -> Result<String, Complaint> {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
    if !text.is_empty() && text.len() <= NAME_OCTETS_MAX && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(format!("{} is not an authserv-id", quoted(text)))
        .hint("write a host name in ASCII, such as \"mx.example.org\""))
}

/// The name of a header field (RFC 5322 §2.2).
pub(super) fn field_name(text: &str) -> Result<String, Complaint> {
    let ftext = |octet: u8| octet.is_ascii_graphic() && octet != b':';
    if text.is_empty() || text.len() > FIELD_NAME_BYTES_MAX || !text.bytes().all(ftext) {
        return Err(Complaint::new(format!("{} is not the name of a header field", quoted(text))));
    }
    if NEVER_SIGNED.iter().any(|never| never.eq_ignore_ascii_case(text)) {
        return Err(Complaint::new(format!("{} must not be signed", quoted(text)))
            .hint("it changes on the way, and the signature would break"));
    }
    Ok(text.to_owned())
}

/// The name of a header field that may be signed once more than it is there. What lists and
/// resenders add on the way, and rightly, must not be signed as absent.
pub(super) fn oversigned_name(text: &str) -> Result<String, Complaint> {
    let name = field_name(text)?;
    let lower = name.to_ascii_lowercase();
    let is_added = lower == "sender" || ["list-", "resent-"].iter().any(|p| lower.starts_with(p));
    if !is_added {
        return Ok(name);
    }
    Err(Complaint::new(format!("{} must not be oversigned", quoted(text))).hint(
        "lists and people who hand mail on add it; in sign.fields it is signed where it is there",
    ))
}

/// The author domains of a map.
pub(super) fn authors(text: &str) -> Result<Authors, Complaint> {
    let normalized = |text: &str| {
        normalize(text).ok_or_else(|| {
            Complaint::new(format!("{} names no author domains", quoted(text)))
                .hint("write example.org, *.example.org for all below it, or * for all")
        })
    };
    match text.strip_prefix("*.") {
        _ if text == "*" => Ok(Authors::Any),
        Some(parent) => normalized(parent).map(Authors::Below),
        None => normalized(text).map(Authors::Domain),
    }
}

/// A domain that signs.
pub(super) fn signing_domain(text: &str) -> Result<String, Complaint> {
    let domain = DomainName::parse(text).map_err(|error| Complaint::new(error.to_string()))?;
    Ok(domain.as_str().to_owned())
}

/// A selector.
pub(super) fn selector(text: &str) -> Result<Selector, Complaint> {
    Selector::parse(text).map_err(|error| Complaint::new(error.to_string()))
}

/// Any text of one line that is not empty.
pub(super) fn line(text: &str) -> Result<String, Complaint> {
    match text {
        "" => Err(Complaint::new("is empty")),
        _ if text.chars().any(char::is_control) => {
            Err(Complaint::new(format!("{} has control characters", quoted(text))))
        }
        _ => Ok(text.to_owned()),
    }
}

/// A record to publish, which the parsers that judge mail read to its end.
pub(super) fn record(kind: Kind, text: &str) -> Result<String, Complaint> {
    policy::check(kind, text).map(|()| text.to_owned()).map_err(Complaint::new)
}

/// A part of mailseal and its level.
pub(super) fn log_filter(text: &str) -> Result<String, Complaint> {
    let parts = || format!("one of: {}", words::LOG_PARTS.join(", "));
    let Some((part, level)) = text.split_once('=') else {
        return Err(Complaint::new(format!("{} is not PART=LEVEL", quoted(text)))
            .hint("such as \"scan=debug\""));
    };
    if !words::LOG_PARTS.contains(&part) {
        return Err(Complaint::new(format!("unknown part {}", quoted(part))).hint(parts()));
    }
    if !words::LEVELS.iter().any(|(word, _)| *word == level) {
        return Err(Complaint::new(format!("unknown level {}", quoted(level)))
            .hint("one of: error, warn, info, debug, trace"));
    }
    Ok(text.to_owned())
}

/// A directory.
pub(super) fn directory(text: &str) -> Result<std::path::PathBuf, Complaint> {
    line(text).map(Into::into)
}

/// A domain, in ASCII lower case and as A-labels (RFC 5890), so that comparing is simple.
pub(super) fn domain(text: &str) -> Result<String, Complaint> {
    normalize(text).ok_or_else(|| {
        Complaint::new(format!("{} is not a domain", quoted(text)))
            .hint("write it as in example.org")
    })
}

/// The extension of a file, in lower case.
pub(super) fn extension(text: &str) -> Result<String, Complaint> {
    let is_one = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '.' | '/' | '*');
    if text.is_empty() || !text.chars().all(is_one) {
        return Err(Complaint::new(format!("{} is not the extension of a file", quoted(text)))
            .hint("write it without the dot, as in \"exe\""));
    }
    Ok(text.to_lowercase())
}

/// A media type, in lower case.
pub(super) fn media_type(text: &str) -> Result<String, Complaint> {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/')
    };
    match text.split_once('/') {
        Some((main, sub)) if is_token(main) && is_token(sub) => Ok(text.to_ascii_lowercase()),
        _ => Err(Complaint::new(format!("{} is not a media type", quoted(text)))
            .hint("write it as in \"application/pdf\"")),
    }
}

/// An address or a domain; the domain in ASCII lower case.
pub(super) fn recipient(text: &str) -> Result<String, Complaint> {
    match text.rsplit_once('@') {
        Some(("", _)) => Err(Complaint::new(format!("{} has no local part", quoted(text)))),
        Some((local, host)) => Ok(format!("{}@{}", line(local)?, domain(host)?)),
        None => domain(text),
    }
}

/// The text of a table of logins, which may stand behind the type that Postfix makes of it.
pub(super) fn login_map(text: &str) -> Result<std::path::PathBuf, Complaint> {
    let bare = text.strip_prefix("proxy:").unwrap_or(text);
    let path = match bare.split_once(':') {
        Some((kind, path)) if TEXT_TABLES.contains(&kind) => path,
        Some((kind, _)) if !kind.is_empty() && kind.bytes().all(|o| o.is_ascii_lowercase()) => {
            return Err(Complaint::new(format!("tables of type {} are not read", quoted(kind)))
                .hint("name a text as postmap(1) reads it: an address and its logins a line"));
        }
        _ => bare,
    };
    if TABLE_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
        return Err(Complaint::new(format!("{} is what postmap(1) makes", quoted(path)))
            .hint("name the text that it is made from"));
    }
    directory(path)
}

/// The characters that separate an address's extension (Postfix's `recipient_delimiter`).
pub(super) fn delimiters(text: &str) -> Result<String, Complaint> {
    let may_separate = |octet: u8| octet.is_ascii_graphic() && !b"@\"\\(),:;<>[]".contains(&octet);
    if text.len() <= DELIMITERS_MAX && text.bytes().all(may_separate) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(format!("{} cannot separate an extension", quoted(text)))
        .hint("as recipient_delimiter of main.cf, such as \"+\""))
}

/// The identifier of a List-Id field (RFC 2919), with or without its angle brackets.
pub(super) fn list_id(text: &str) -> Result<String, Complaint> {
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    line(bare).map(|id| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_and_host_bits_are_not() {
        assert_eq!(network("192.0.2.1").map(|n| n.to_string()), Ok("192.0.2.1/32".to_owned()));
        assert_eq!(network("::1").map(|n| n.to_string()), Ok("::1/128".to_owned()));
        let complaint = network("10.1.2.3/8").expect_err("host bits").to_string();
        assert!(complaint.contains(r#"write "10.0.0.0/8" or "10.1.2.3""#), "{complaint}");
        assert!(network("10.0.0.0/33").is_err());
    }

    #[test]
    fn a_resolver_has_a_port() {
        for (text, meant) in
            [("127.0.0.1", "127.0.0.1:53"), ("::1", "[::1]:53"), ("[::1]:54", "[::1]:54")]
        {
            assert_eq!(resolver(text).map(|s| s.to_string()), Ok(meant.to_owned()));
        }
        assert!(resolver("127.0.0.1:0").is_err());
        assert!(resolver("ns.example").is_err());
    }

    #[test]
    fn lists_and_recipients_are_brought_to_one_form() {
        assert_eq!(list_id("<Announce.Example.ORG>"), Ok("announce.example.org".to_owned()));
        assert_eq!(recipient("Abuse@Example.ORG."), Ok("Abuse@example.org".to_owned()));
        assert!(recipient("@example.org").is_err());
    }
}
