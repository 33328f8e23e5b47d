//! Links: where they lead, and where their text says that they lead (WHATWG URL).

use url::{Host, Url};

use super::html::{Anchor, Html};

/// The most links of one message that are kept.
pub(crate) const LINKS_MAX: usize = 1_000;

/// The longest address in a text.
const URL_OCTETS_MAX: usize = 2_048;

/// A link of HTML, or an address in a text that readers make one of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Where it leads, as written.
    pub target: String,
    /// The host of the target: a domain in A-labels and lower case, or an address.
    pub host: Option<String>,
    /// What a reader sees of it.
    pub text: String,
    /// The host that the text shows, where it shows one.
    pub text_host: Option<String>,
    /// Where the text begins in the view `decoded`.
    pub offset: usize,
}

impl Link {
    /// Whether the text shows a host that is not the target's, nor of the same organization by the
    /// Public Suffix List.
    pub fn differs(&self) -> bool {
        match (&self.text_host, &self.host) {
            (Some(shown), Some(host)) => organization(shown) != organization(host),
            (Some(_), None) => !self.target.is_empty() && !self.target.starts_with(['#', '/']),
            (None, _) => false,
        }
    }
}

fn organization(host: &str) -> &str {
    psl::domain_str(host).unwrap_or(host)
}

/// The link of an anchor, in a text that stands at `offset` of the view.
pub(crate) fn html_link(html: &Html, anchor: &Anchor, offset: usize) -> Link {
    let text = html.text.get(anchor.start..anchor.end).unwrap_or_default().trim();
    let text: String = text.chars().take(URL_OCTETS_MAX).collect();
    Link {
        target: anchor.target.clone(),
        host: host(&anchor.target, html.base.as_deref()),
        text_host: shown_host(&text),
        text,
        offset: offset + anchor.start,
    }
}

/// The addresses in a text that stands at `offset` of the view, without those inside `anchors`.
pub(crate) fn find_links(text: &str, anchors: &[Anchor], offset: usize) -> Vec<Link> {
    let mut links = Vec::new();
    let mut anchors = anchors.iter().peekable();
    let mut from = 0;
    while let Some(start) = next_address(text, from) {
        let address = address(&text[start..]);
        from = start + address.len().max(1);
        while anchors.peek().is_some_and(|anchor| anchor.end <= start) {
            anchors.next();
        }
        let is_inside = anchors.peek().is_some_and(|anchor| anchor.start <= start);
        if !is_inside && let Some(host) = shown_host(address) {
            let (target, text) = (address.to_owned(), address.to_owned());
            let (host, text_host) = (Some(host.clone()), Some(host));
            links.push(Link { target, host, text, text_host, offset: offset + start });
        }
        if links.len() > LINKS_MAX {
            break;
        }
    }
    links
}

/// Where the next `http://`, `https://`, `ftp://` or `www.` begins.
fn next_address(text: &str, from: usize) -> Option<usize> {
    let octets = text.as_bytes();
    let mut at = from;
    loop {
        let rest = octets.get(at..)?;
        let found = at + memchr::memchr2(b':', b'.', rest)?;
        let ends_with = |word: &str| {
            let start = found.checked_sub(word.len()).filter(|start| *start >= from)?;
            let is_word = octets[start..found].eq_ignore_ascii_case(word.as_bytes());
            let before = start.checked_sub(1).map(|before| octets[before]);
            (is_word && !before.is_some_and(|octet| octet.is_ascii_alphanumeric())).then_some(start)
        };
        let start = if octets[found] == b'.' {
            ends_with("www")
        } else if octets[found..].starts_with(b"://") {
            ["https", "http", "ftp"].iter().find_map(|scheme| ends_with(scheme))
        } else {
            None
        };
        if start.is_some() {
            return start;
        }
        at = found + 1;
    }
}

/// The address that the text begins with: to the next white space or delimiter.
fn address(text: &str) -> &str {
    let ends =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '|');
    let end = text
        .char_indices()
        .find(|(index, c)| ends(*c) || *index >= URL_OCTETS_MAX)
        .map_or(text.len(), |(index, _)| index);
    text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '*', '_'])
}

/// The host of a target, as a browser finds it.
fn host(target: &str, base: Option<&str>) -> Option<String> {
    let url = match Url::parse(target) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let base = base.and_then(|base| Url::parse(base).ok());
            let base = base.or_else(|| Url::parse("https://invalid").ok())?;
            base.join(target).ok().filter(|url| url.host_str() != Some("invalid"))?
        }
        Err(_) => return None,
    };
    match url.host()? {
        Host::Domain(domain) => {
            let domain = domain.trim_end_matches('.').to_ascii_lowercase();
            (!domain.is_empty()).then_some(domain)
        }
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

/// The host that a text shows which is an address, or looks like the beginning of one.
fn shown_host(text: &str) -> Option<String> {
    let word = text.split_whitespace().next().filter(|word| word.len() <= URL_OCTETS_MAX)?;
    let lower = word.get(..8).unwrap_or(word).to_ascii_lowercase();
    let has_scheme =
        ["http://", "https://", "ftp://"].iter().any(|scheme| lower.starts_with(scheme));
    if has_scheme {
        return host(word, None);
    }
    let name = host(&format!("http://{word}"), None)?;
    let is_shown = lower.starts_with("www.") || (is_whole(text, word) && is_registered(&name));
    (is_shown && name.contains('.') && !word.contains('@')).then_some(name)
}

/// Whether a word is all of a text: `example.com` alone, and not the first word of a sentence.
fn is_whole(text: &str, word: &str) -> bool {
    text.trim().len() == word.len()
}

/// Whether the name ends in a suffix of the list, and has a label before it.
fn is_registered(name: &str) -> bool {
    psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known())
        && psl::domain(name.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::html;
    use super::*;

    fn links(document: &str) -> Vec<Link> {
        let html = html::read(document);
        let mut links: Vec<Link> = html.anchors.iter().map(|a| html_link(&html, a, 0)).collect();
        links.extend(find_links(&html.text, &html.anchors, 0));
        links
    }

    #[test]
    fn hosts_are_those_that_a_browser_asks() {
        for (target, host) in [
            ("https://Example.ORG/a", Some("example.org")),
            ("http://bank.example@evil.example/", Some("evil.example")),
            ("http:\\\\evil.example\\", Some("evil.example")),
            ("https:evil.example", Some("evil.example")),
            ("//evil.example/x", Some("evil.example")),
            ("ht\ntps://evil.example", Some("evil.example")),
            ("http://0x7f000001/", Some("127.0.0.1")),
            ("http://[::1]/", Some("::1")),
            ("https://bücher.example", Some("xn--bcher-kva.example")),
            ("https://ex%61mple.org", Some("example.org")),
            ("mailto:a@example.org", None),
            ("/relative", None),
            ("#", None),
            ("", None),
            ("http://", None),
        ] {
            assert_eq!(super::host(target, None).as_deref(), host, "{target}");
        }
        assert_eq!(host("/x", Some("https://base.example/")).as_deref(), Some("base.example"));
    }

    #[test]
    fn texts_show_hosts() {
        for (text, target, differs) in [
            ("www.bank.example.com", "https://evil.example/", true),
            ("https://bank.com/login", "https://login.bank.com/", false),
            ("bank.com", "https://evil.net/", true),
            ("Click here", "https://evil.net/", false),
            ("Mr.Smith writes", "https://evil.net/", false),
            ("file.tgz", "https://evil.net/", false),
            ("a@bank.com", "https://evil.net/", false),
            ("bank.com", "#top", false),
        ] {
            let found = links(&format!("<a href='{target}'>{text}</a>"));
            assert_eq!(found[0].differs(), differs, "{text} -> {target}: {found:?}");
        }
    }

    #[test]
    fn addresses_in_text_are_links() {
        let found = links(
            "see (http://a.example/x), WWW.b.example. <a href='https://c.example'>http://d.example</a>",
        );
        let hosts: Vec<&str> = found.iter().filter_map(|link| link.host.as_deref()).collect();
        assert_eq!(hosts, ["c.example", "a.example", "www.b.example"]);
        assert!(links("http : // x . y www. xhttp://a.b").is_empty());
        assert!(links(&":.".repeat(200_000)).is_empty());
    }
}
