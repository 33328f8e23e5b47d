//! An element of `smtpd_milters`: a socket, and attributes of it alone (`MILTER_README`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::main_cf::{addresses, elements};
use crate::config::Endpoint;

/// A filter as the MTA is told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Milter {
    /// As it is written.
    pub(super) spec: String,
    /// `connect_timeout`, `default_action` and so on.
    pub(super) attributes: BTreeMap<String, String>,
}

/// What an element has to do with us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    /// It is our socket.
    Ours,
    /// It is meant to be our socket, and leads elsewhere.
    Astray,
    /// It is another filter.
    Others,
}

/// The filters of a list.
pub(super) fn milters(list: &str) -> Vec<Milter> {
    elements(list).iter().map(|element| milter(element)).collect()
}

fn milter(element: &str) -> Milter {
    let Some(inner) = element.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return Milter { spec: element.to_owned(), attributes: BTreeMap::new() };
    };
    let mut parts = elements(inner).into_iter();
    let spec = parts.next().unwrap_or_default();
    // `name = value` may have white space around its sign.
    let rest = parts.collect::<Vec<_>>().join(" ").replace(" = ", "=");
    let attributes = rest.split(' ').filter_map(|part| part.split_once('='));
    Milter { spec, attributes: attributes.map(|(k, v)| (k.to_owned(), v.to_owned())).collect() }
}

impl Milter {
    /// The file of a Unix socket, as a process of Postfix's finds it: relative to the queue directory, which
    /// is also the root of those in a chroot.
    pub(super) fn file(&self, queue_directory: &Path, in_chroot: bool) -> Option<PathBuf> {
        let path = self.spec.strip_prefix("unix:").or_else(|| self.spec.strip_prefix("local:"))?;
        let inside = path.trim_start_matches('/');
        let is_inside = in_chroot || !path.starts_with('/');
        Some(if is_inside { queue_directory.join(inside) } else { PathBuf::from(path) })
    }

    /// What it has to do with our sockets.
    pub(super) fn whose(&self, ours: &[Endpoint], queue_directory: &Path, chroot: bool) -> Whose {
        let file = self.file(queue_directory, chroot);
        let raw = self.file(Path::new("/"), false);
        let meant = |endpoint: &Endpoint| match (endpoint, &file, &raw) {
            (Endpoint::Inet(address), None, _) => {
                if is_at(&self.spec, *address) {
                    Whose::Ours
                } else {
                    Whose::Others
                }
            }
            (Endpoint::Unix(ours), Some(file), _) if ours == file => Whose::Ours,
            (Endpoint::Unix(ours), _, Some(raw)) if is_meant(ours, raw) => Whose::Astray,
            _ => Whose::Others,
        };
        let all: Vec<Whose> = ours.iter().map(meant).collect();
        [Whose::Ours, Whose::Astray]
            .into_iter()
            .find(|whose| all.contains(whose))
            .unwrap_or(Whose::Others)
    }
}

/// `inet:HOST:PORT`; a socket of ours that is bound to all addresses is at each of them.
fn is_at(spec: &str, ours: std::net::SocketAddr) -> bool {
    let Some((host, port)) = spec.strip_prefix("inet:").and_then(|rest| rest.rsplit_once(':'))
    else {
        return false;
    };
    let is_host = ours.ip().is_unspecified() || addresses(host).contains(&ours.ip());
    port.parse() == Ok(ours.port()) && is_host
}

/// The same path, or one of them without the beginning that a chroot takes away.
fn is_meant(ours: &Path, raw: &Path) -> bool {
    let tail = raw.strip_prefix("/").unwrap_or(raw);
    ours == raw || (tail.components().count() > 1 && ours.ends_with(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "/var/spool/postfix";

    fn whose(spec: &str, ours: &str, chroot: bool) -> Whose {
        let ours: Endpoint = ours.parse().unwrap();
        milters(spec)[0].whose(&[ours], Path::new(QUEUE), chroot)
    }

    #[test]
    fn a_path_is_what_the_process_sees() {
        let inside = "unix:/var/spool/postfix/mailseal/milter.sock";
        for (spec, chroot, wanted) in [
            ("unix:mailseal/milter.sock", true, Whose::Ours),
            ("unix:mailseal/milter.sock", false, Whose::Ours),
            ("unix:/mailseal/milter.sock", true, Whose::Ours),
            ("unix:/mailseal/milter.sock", false, Whose::Astray),
            (inside, false, Whose::Ours),
            (inside, true, Whose::Astray),
            ("unix:/opendkim/opendkim.sock", true, Whose::Others),
            ("inet:127.0.0.1:8891", true, Whose::Others),
        ] {
            assert_eq!(whose(spec, inside, chroot), wanted, "{spec} {chroot}");
        }
        let outside = "unix:/run/mailseal/milter.sock";
        assert_eq!(whose(outside, outside, true), Whose::Astray);
        assert_eq!(whose(outside, outside, false), Whose::Ours);
    }

    #[test]
    fn an_address_has_several_spellings() {
        for (spec, ours, wanted) in [
            ("inet:127.0.0.1:8891", "inet:127.0.0.1:8891", Whose::Ours),
            ("inet:localhost:8891", "inet:127.0.0.1:8891", Whose::Ours),
            ("inet:localhost:8891", "inet:[::1]:8891", Whose::Ours),
            ("inet:[::1]:8891", "inet:[::1]:8891", Whose::Ours),
            ("inet:192.0.2.1:8891", "inet:0.0.0.0:8891", Whose::Ours),
            ("inet:127.0.0.1:8892", "inet:127.0.0.1:8891", Whose::Others),
            ("inet:192.0.2.1:8891", "inet:127.0.0.1:8891", Whose::Others),
        ] {
            assert_eq!(whose(spec, ours, true), wanted, "{spec} {ours}");
        }
    }

    #[test]
    fn attributes_are_of_one_filter() {
        let list = milters("{ inet:127.0.0.1:1, default_action=accept, content_timeout = 5s }, x");
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].spec, "inet:127.0.0.1:1");
        assert_eq!(list[0].attributes["default_action"], "accept");
        assert_eq!(list[0].attributes["content_timeout"], "5s");
    }

    #[test]
    fn the_default_of_chroot_came_with_compatibility_level_1() {
        let master = "25 inet n - - - - smtpd\n";
        for (level, wanted) in [("0", true), ("1", false), ("3.6", false), ("", true)] {
            let postfix =
                super::super::Postfix::parse(&format!("compatibility_level = {level}\n"), master);
            assert_eq!(postfix.is_in_chroot(&postfix.services[0]), wanted, "{level}");
        }
    }
}
