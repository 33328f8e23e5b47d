//! The client that a trusted relay names in its Received field (RFC 5321 §4.4), in the forms of
//! Postfix, Sendmail and Exim: `from HELO (NAME [ADDRESS])`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::envelope::Client;
use super::header::HeaderBlock;

/// Who handed the message to the outermost of our relays, and with which HELO name; `None` where
/// their Received fields do not say it.
pub(crate) fn client(headers: &HeaderBlock, trusted_relays: &[IpNet]) -> Option<(Client, String)> {
    for field in headers.named("Received") {
        let (addr, client, helo) = parse(field.value)?;
        if !trusted_relays.iter().any(|net| net.contains(&addr)) {
            return Some((client, helo));
        }
    }
    None
}

fn parse(value: &[u8]) -> Option<(IpAddr, Client, String)> {
    let value = str::from_utf8(value).ok()?;
    let (helo, rest) = value.trim_start().strip_prefix("from ")?.split_once(char::is_whitespace)?;
    // The clause ends where the next one begins: an address further on is not the client's.
    let clause = rest.split_once("by ").map_or(rest, |(clause, _)| clause);
    let (before, bracketed) = clause.split_once('[')?;
    let (literal, _) = bracketed.split_once(']')?;
    let addr = literal.trim_start_matches("IPv6:").parse::<IpAddr>().ok()?.to_canonical();
    let name = before.rsplit('(').next().unwrap_or_default().trim().trim_end_matches('.');
    let name = (!name.is_empty() && name != "unknown").then(|| name.to_owned());
    Some((addr, Client { addr: Some(addr), name }, helo.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<(Client, String)> {
        let mut headers = HeaderBlock::default();
        headers.push(b"Received", value.as_bytes());
        client(&headers, &[])
    }

    #[test]
    fn common_forms() {
        let forms = [
            (" from helo.example (mx.example [192.0.2.7])\r\n\tby relay", Some("mx.example")),
            (" from helo.example (unknown [192.0.2.7])\r\n\tby relay", None),
            (" from helo.example ([192.0.2.7]) by relay", None),
            (" from helo.example (mx.example. [192.0.2.7]) by relay", Some("mx.example")),
        ];
        for (value, name) in forms {
            let (client, helo) = parsed(value).unwrap();
            assert_eq!(client.addr, Some("192.0.2.7".parse().unwrap()), "{value}");
            assert_eq!(client.name.as_deref(), name, "{value}");
            assert_eq!(helo, "helo.example");
        }
        let (client, _) = parsed(" from h (n [IPv6:2001:db8::7]) by r").unwrap();
        assert_eq!(client.addr, Some("2001:db8::7".parse().unwrap()));
    }

    #[test]
    fn inner_relays_are_passed_over() {
        let mut headers = HeaderBlock::default();
        headers.push(b"Received", b" from inner (inner [10.0.0.1]) by relay");
        headers.push(b"Received", b" from outer (outer [192.0.2.7]) by inner");
        let (client, _) = client(&headers, &["10.0.0.0/8".parse().unwrap()]).unwrap();
        assert_eq!(client.name.as_deref(), Some("outer"));
    }

    #[test]
    fn no_client_is_better_than_a_wrong_one() {
        for value in
            ["", " by relay with local", " from h by r (x [192.0.2.1])", " from h (n [x]) by r"]
        {
            assert_eq!(parsed(value), None, "{value}");
        }
    }
}
