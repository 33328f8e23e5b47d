//! Macro expansion (RFC 7208 §7).

use std::fmt::Write as _;
use std::net::IpAddr;

use viaspf_record::{
    Escape, ExplainString, ExplainStringSegment, Macro, MacroExpand, MacroKind, MacroString,
    MacroStringSegment,
};

use super::domain::Sender;
use crate::message::domain::NAME_OCTETS_MAX;
use crate::runtime::system_clock;

/// An explanation is one line of a reply (RFC 5321 §4.5.3.1.5 allows 512 octets).
const EXPLANATION_BYTES_MAX: usize = 400;

/// What macros stand for (RFC 7208 §7.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) sender: &'a Sender,
    pub(super) domain: &'a str,
    pub(super) client: IpAddr,
    pub(super) helo: &'a str,
    pub(super) receiver: &'a str,
    /// The client's validated name, looked up where a macro wants it.
    pub(super) validated: Option<&'a str>,
}

impl Values<'_> {
    /// The domain name that the text expands to, without its final dot, cut to fit from the left.
    pub(super) fn name(&self, text: &MacroString) -> String {
        let mut name = String::new();
        for segment in &text.segments {
            self.segment(segment, &mut name);
            // Only the end is wanted: a record of 64 KB cannot make a name of megabytes.
            let excess = name.len().saturating_sub(2 * NAME_OCTETS_MAX);
            if excess > NAME_OCTETS_MAX {
                name.drain(..name.ceil_char_boundary(excess));
            }
        }
        fit(&name).to_owned()
    }

    /// The explanation that the text expands to, bounded.
    pub(super) fn explanation(&self, text: &ExplainString) -> String {
        let mut explanation = String::new();
        for segment in &text.segments {
            match segment {
                ExplainStringSegment::Space => explanation.push(' '),
                ExplainStringSegment::MacroString(text) => {
                    for segment in &text.segments {
                        self.segment(segment, &mut explanation);
                        if explanation.len() > EXPLANATION_BYTES_MAX {
                            explanation
                                .truncate(explanation.floor_char_boundary(EXPLANATION_BYTES_MAX));
                            return explanation;
                        }
                    }
                }
            }
        }
        explanation.truncate(explanation.floor_char_boundary(EXPLANATION_BYTES_MAX));
        explanation
    }

    fn segment(&self, segment: &MacroStringSegment, text: &mut String) {
        match segment {
            MacroStringSegment::MacroLiteral(literal) => text.push_str(literal.as_ref()),
            MacroStringSegment::MacroExpand(MacroExpand::Escape(escape)) => {
                text.push_str(match escape {
                    Escape::Percent => "%",
                    Escape::Space => " ",
                    Escape::UrlEncodedSpace => "%20",
                });
            }
            MacroStringSegment::MacroExpand(MacroExpand::Macro(found)) => {
                let value = transform(found, &self.value(found.kind()));
                if found.url_encode() {
                    text.push_str(&url_escape(&value));
                } else {
                    text.push_str(&value);
                }
            }
        }
    }

    fn value(&self, kind: MacroKind) -> String {
        match kind {
            MacroKind::Sender => format!("{}@{}", self.sender.local_part, self.sender.domain),
            MacroKind::LocalPart => self.sender.local_part.clone(),
            MacroKind::DomainPart => self.sender.domain.clone(),
            MacroKind::Domain => self.domain.to_owned(),
            MacroKind::Ip => dotted(self.client),
            MacroKind::ValidatedDomain => self.validated.unwrap_or("unknown").to_owned(),
            MacroKind::HeloDomain => self.helo.to_owned(),
            MacroKind::PrettyIp => self.client.to_string(),
            MacroKind::Receiver => self.receiver.to_owned(),
            MacroKind::Timestamp => system_clock().to_string(),
            MacroKind::VersionLabel => {
                if self.client.is_ipv4() { "in-addr" } else { "ip6" }.to_owned()
            }
        }
    }
}

/// IPv4 as usual, IPv6 as 32 nibbles with dots between (RFC 7208 §7.3).
fn dotted(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(addr) => addr.to_string(),
        IpAddr::V6(addr) => {
            let nibbles: Vec<String> =
                format!("{:032x}", addr.to_bits()).chars().map(String::from).collect();
            nibbles.join(".")
        }
    }
}

/// Splits at the delimiters, reverses, keeps the right-hand parts and joins with dots (§7.3).
fn transform(found: &Macro, value: &str) -> String {
    if found.limit().is_none() && !found.reverse() && found.delimiters().is_none() {
        return value.to_owned();
    }
    let delimiters = found.delimiters().map_or(".", AsRef::as_ref);
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if found.reverse() {
        parts.reverse();
    }
    let count = found.limit().map_or(parts.len(), |limit| usize::from(limit.get()));
    parts[parts.len().saturating_sub(count)..].join(".")
}

/// RFC 7208 §7.3: everything outside RFC 3986's unreserved set.
fn url_escape(value: &str) -> String {
    let mut escaped = String::new();
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

/// RFC 7208 §7.3: labels are removed from the left until 253 octets are left.
fn fit(name: &str) -> &str {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(excess) = name.len().checked_sub(NAME_OCTETS_MAX).filter(|&excess| excess > 0) else {
        return name;
    };
    // The dot before the first label that is kept stands at `excess - 1` or later.
    match name.bytes().enumerate().skip(excess - 1).find(|&(_, octet)| octet == b'.') {
        Some((dot, _)) => &name[dot + 1..],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        Sender { local_part: "strong-bad".into(), domain: "email.example.com".into() }
    }

    fn expand(client: &str, text: &str) -> String {
        let values = Values {
            sender: &sender(),
            domain: "email.example.com",
            client: client.parse().unwrap(),
            helo: "mx.example.org",
            receiver: "here.example",
            validated: None,
        };
        values.name(&text.parse().unwrap())
    }

    #[test]
    fn the_examples_of_section_7_4() {
        for (text, expanded) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ] {
            assert_eq!(expand("192.0.2.3", text), expanded, "{text}");
        }
        assert_eq!(
            expand("2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}"),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    #[test]
    fn other_letters_and_escapes() {
        assert_eq!(expand("192.0.2.3", "%{p}.%{h}"), "unknown.mx.example.org");
        assert_eq!(expand("192.0.2.3", "%{S}%%%_%-"), "strong-bad%40email.example.com% %20");
    }

    /// CVE-2021-20314: libspf2 wrote past its buffer when a transformer asked for many parts.
    #[test]
    fn transformers_larger_than_the_value() {
        assert_eq!(expand("192.0.2.3", "%{d99r}"), "com.example.email");
        assert_eq!(expand("192.0.2.3", "%{d255r}"), "com.example.email");
        assert_eq!(expand("192.0.2.3", "%{S127r.-+,/_=}"), "com.example.bad%40email.strong");
    }

    #[test]
    fn names_are_cut_from_the_left_at_a_dot() {
        let labels = "a23456789.".repeat(30);
        let name = expand("192.0.2.3", &format!("{labels}example.com"));
        assert_eq!(name.len(), 251);
        assert!(name.starts_with("a23456789.") && name.ends_with(".example.com"));
        assert_eq!(expand("192.0.2.3", &format!("{}com.", "b.".repeat(126))).len(), 253);
        let label = format!("{}.com", "c".repeat(300));
        assert_eq!(expand("192.0.2.3", &label), "com");
    }

    #[test]
    fn macros_do_not_multiply_without_bound() {
        let text = "%{S}%{l255r+}%{ir}".repeat(65_536 / 18);
        let start = std::time::Instant::now();
        assert!(expand("2001:db8::1", &text).len() <= NAME_OCTETS_MAX);
        assert!(start.elapsed().as_secs() < 2);
    }
}
