//! `main.cf`: parameters, as `postconf -n` prints them or as the file has them (postconf(5)).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// So many `$name` of a value are followed, and none deeper: values may refer to themselves.
const EXPANSIONS_MAX: usize = 1_000;
const DEPTH_MAX: usize = 16;

/// What counts where `main.cf` says nothing; empty where it is not listed.
const DEFAULTS: &[(&str, &str)] = &[
    ("bounce_queue_lifetime", "5d"),
    ("compatibility_level", "0"),
    ("disable_mime_output_conversion", "no"),
    ("local_header_rewrite_clients", "permit_inet_interfaces"),
    ("mail_owner", "postfix"),
    ("maximal_queue_lifetime", "5d"),
    ("milter_command_timeout", "30s"),
    ("milter_connect_timeout", "30s"),
    ("milter_content_timeout", "300s"),
    ("milter_default_action", "tempfail"),
    ("milter_macro_daemon_name", "$myhostname"),
    ("milter_protocol", "6"),
    ("queue_directory", "/var/spool/postfix"),
    ("smtp_line_length_limit", "998"),
    ("smtputf8_enable", "yes"),
];

/// The parameters that are set.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    set: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads `NAME = VALUE` lines; one that begins with white space continues the one before.
    pub fn parse(text: &str) -> Self {
        let assignments = logical_lines(text).filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        });
        Self { set: assignments.collect() }
    }

    /// Whether it is set, to whatever.
    pub fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// The value in force, with the `-o` options of a service before it, and `$name` replaced.
    pub(super) fn value(&self, options: &BTreeMap<String, String>, name: &str) -> String {
        self.expand(options, self.raw(options, name), 0, &mut 0)
    }

    fn raw<'a>(&'a self, options: &'a BTreeMap<String, String>, name: &str) -> &'a str {
        let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let value = options.get(name).or_else(|| self.set.get(name)).map(String::as_str);
        value.or_else(default).unwrap_or_default()
    }

    /// `$name`, `${name}` and `$(name)`; what is conditional (`${name?text}`) stays as it is.
    fn expand(
        &self,
        options: &BTreeMap<String, String>,
        text: &str,
        depth: usize,
        done: &mut usize,
    ) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out += before;
            let (name, tail) = macro_name(after);
            rest = tail;
            if name.is_empty() {
                out.push('$');
            } else if depth < DEPTH_MAX && *done < EXPANSIONS_MAX {
                *done += 1;
                out += &self.expand(options, self.raw(options, name), depth + 1, done);
            }
        }
        (out + rest).trim().to_owned()
    }
}

/// The name after a `$`, and what follows it.
fn macro_name(after: &str) -> (&str, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (open, close) in [('{', '}'), ('(', ')')] {
        if let Some((name, tail)) = after.strip_prefix(open).and_then(|s| s.split_once(close)) {
            return if name.chars().all(is_name) { (name, tail) } else { ("", after) };
        }
    }
    after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()))
}

/// Lines without comments, continued ones joined by a space.
pub(in crate::doctor) fn logical_lines(text: &str) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    lines.into_iter().filter(|line| !line.trim().is_empty())
}

/// The elements of a list: white space and commas are between them, and braces keep one together.
pub(super) fn elements(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == ',' || c.is_whitespace()) {
            found.push(String::new());
        } else if let Some(last) = found.last_mut() {
            last.push(c);
        }
    }
    found.retain(|element| !element.is_empty());
    found
}

/// A time in seconds: `30`, `30s`, `5m`, `1h`, `5d`, `1w`; a number alone has the given unit.
pub(in crate::doctor) fn seconds(text: &str, unit: char) -> Option<u64> {
    let (number, unit) = match text.char_indices().next_back()? {
        (at, last) if last.is_ascii_alphabetic() => (&text[..at], last),
        _ => (text, unit),
    };
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        _ => return None,
    };
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

/// The networks of a list such as `mynetworks`; tables, `!` and names are left out.
pub(super) fn networks(text: &str) -> Vec<IpNet> {
    let network = |element: &String| -> Option<IpNet> {
        let bare = element.replace(['[', ']'], "");
        bare.parse().ok().or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))
    };
    elements(text).iter().filter_map(network).collect()
}

/// An address of a socket, where it is one: `localhost` is both loopbacks.
pub(super) fn addresses(host: &str) -> Vec<IpAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let bare = bare.strip_prefix("ipv6:").unwrap_or(bare);
    if bare.eq_ignore_ascii_case("localhost") {
        return loopback.to_vec();
    }
    bare.parse().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> String {
        Parameters::parse(text).value(&BTreeMap::new(), name)
    }

    #[test]
    fn values_are_expanded_as_postfix_does() {
        let text = "# comment\nmydomain = example.org\nmyhostname = mx.$mydomain\n\
                    list = a,\n  # in between\n\tb ${mydomain} $(mydomain)\n";
        assert_eq!(value(text, "myhostname"), "mx.example.org");
        assert_eq!(value(text, "list"), "a, b example.org example.org");
        assert_eq!(value(text, "milter_macro_daemon_name"), "mx.example.org");
        assert_eq!(value("", "milter_protocol"), "6");
        assert_eq!(value("", "unknown"), "");
    }

    #[test]
    fn what_refers_to_itself_ends() {
        assert!(value("a = x $a $a $a\n", "a").len() < 10 * EXPANSIONS_MAX);
        assert_eq!(value("a = ${b?x} $ $\n", "a"), "${b?x} $ $");
    }

    #[test]
    fn braces_keep_an_element_together() {
        assert_eq!(elements("a, b\tc"), ["a", "b", "c"]);
        assert_eq!(elements("{ inet:h:1, x=5s } unix:/a"), ["{ inet:h:1, x=5s }", "unix:/a"]);
        assert_eq!(elements(" ,, "), [""; 0]);
    }

    #[test]
    fn times_have_units() {
        for (text, wanted) in
            [("30", Some(30)), ("30s", Some(30)), ("5m", Some(300)), ("5d", Some(432_000))]
        {
            assert_eq!(seconds(text, 's'), wanted, "{text}");
        }
        assert_eq!(seconds("1", 'd'), Some(86_400));
        assert_eq!(seconds("x", 's'), None);
        assert_eq!(seconds("", 's'), None);
    }
}
