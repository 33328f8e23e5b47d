//! The client that a trusted relay names in its Received field (RFC 5321 §4.4), in the forms of
//! Postfix, Sendmail and Exim:
//!
//! ```text
//! from HELO (NAME [ADDRESS])                     Postfix, Sendmail
//! from HELO (NAME [ADDRESS] (may be forged))     Sendmail
//! from NAME ([ADDRESS] helo=HELO)                Exim
//! from [ADDRESS] (helo=HELO)                     Exim, for a host without a name
//! ```
//!
//! HELO is the client's own word and may look like anything, so that each form is matched whole: no
//! client is better than a wrong one. Names are not taken over; iprev looks them up.

use std::net::IpAddr;

use ipnet::IpNet;

use super::header::HeaderBlock;

/// Who handed a message to a relay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ReceivedFrom {
    /// The client's address.
    pub addr: IpAddr,
    /// What it said at HELO.
    pub helo: String,
}

/// Who handed the message to the outermost of our relays; `None` where their Received fields do not
/// say it.
pub(crate) fn client(headers: &HeaderBlock, trusted_relays: &[IpNet]) -> Option<ReceivedFrom> {
    for field in headers.named("Received") {
        let from = parse(str::from_utf8(field.value).ok()?)?;
        if !trusted_relays.iter().any(|net| net.contains(&from.addr)) {
            return Some(from);
        }
    }
    None
}

fn parse(value: &str) -> Option<ReceivedFrom> {
    let (first, rest) =
        value.trim_start().strip_prefix("from ")?.split_once(char::is_whitespace)?;
    let comment = comment(rest.trim_start())?;
    // Postfix and Sendmail write a HELO that is an address literal in the place of Exim's client.
    match (bracketed(first), comment.strip_prefix("helo=")) {
        (Some(_), Some(helo)) if helo.contains(char::is_whitespace) => None,
        (Some(addr), Some(helo)) => Some(ReceivedFrom { addr, helo: helo.to_owned() }),
        _ => named_client(first, comment),
    }
}

fn named_client(first: &str, comment: &str) -> Option<ReceivedFrom> {
    let comment = comment.strip_suffix(" (may be forged)").unwrap_or(comment);
    let words: Vec<&str> = comment.split_ascii_whitespace().collect();
    let (addr, helo) = match words[..] {
        [addr, word] if addr.starts_with('[') => (addr, word.strip_prefix("helo=")?),
        [addr] | [_, addr] => (addr, first),
        _ => return None,
    };
    Some(ReceivedFrom { addr: bracketed(addr)?, helo: helo.to_owned() })
}

/// What the parentheses at the start of a text enclose.
fn comment(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?;
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&inner[..at]);
        }
    }
    None
}

/// The address of a literal (RFC 5321 §4.1.3).
fn bracketed(text: &str) -> Option<IpAddr> {
    let literal = text.strip_prefix('[')?.strip_suffix(']')?;
    let literal = literal.strip_prefix("IPv6:").unwrap_or(literal);
    literal.parse::<IpAddr>().ok().map(|addr| addr.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(values: &[&str], relays: &[IpNet]) -> Option<(String, String)> {
        let mut headers = HeaderBlock::default();
        for value in values {
            headers.push(b"Received", value.as_bytes());
        }
        client(&headers, relays).map(|from| (from.addr.to_string(), from.helo))
    }

    #[test]
    fn the_forms_of_three_mtas() {
        let forms = [
            (" from h.example (mx.example [192.0.2.7])\r\n\tby relay", "192.0.2.7", "h.example"),
            (" from h.example (unknown [192.0.2.7])\r\n\tby relay", "192.0.2.7", "h.example"),
            (" from by (mail.shop.by [192.0.2.7]) by relay", "192.0.2.7", "by"),
            (" from [198.51.100.1] (mx.example [192.0.2.7]) by r", "192.0.2.7", "[198.51.100.1]"),
            (" from h (n [IPv6:2001:db8::7]) by r", "2001:db8::7", "h"),
            (" from h ([192.0.2.7]) by r", "192.0.2.7", "h"),
            (" from h (bank.example [192.0.2.7] (may be forged)) by r", "192.0.2.7", "h"),
            (" from mx.example ([192.0.2.7] helo=h.example)\r\n\tby r", "192.0.2.7", "h.example"),
            (" from [192.0.2.7] (helo=h.example)\r\n\tby r", "192.0.2.7", "h.example"),
            (" from [192.0.2.7] (helo=[203.0.113.5]) by r", "192.0.2.7", "[203.0.113.5]"),
        ];
        for (value, addr, helo) in forms {
            let expected = Some((addr.to_owned(), helo.to_owned()));
            assert_eq!(received(&[value], &[]), expected, "{value}");
        }
    }

    #[test]
    fn inner_relays_are_passed_over() {
        let values =
            [" from inner (inner [10.0.0.1]) by relay", " from outer (outer [192.0.2.7]) by inner"];
        let (addr, helo) = received(&values, &["10.0.0.0/8".parse().unwrap()]).unwrap();
        assert_eq!((addr.as_str(), helo.as_str()), ("192.0.2.7", "outer"));
    }

    #[test]
    fn no_client_is_better_than_a_wrong_one() {
        for value in [
            "",
            " by relay with local",
            " from h by r (x [192.0.2.1])",
            " from h (n [x]) by r",
            " from h (n [192.0.2.1]",
            " from h (n [192.0.2.1] [192.0.2.2]) by r",
            " from h (a b [192.0.2.1]) by r",
            " from [192.0.2.7] (helo=x [203.0.113.5]) by r",
            " from mx.example ([192.0.2.7] port=25 helo=h) by r",
        ] {
            assert_eq!(received(&[value], &[]), None, "{value}");
        }
    }
}
