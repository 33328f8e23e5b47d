//! `master.cf`: services, as `postconf -M` prints them or as the file has them (master(5)).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::main_cf::{addresses, elements, logical_lines};

/// One line of `master.cf`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Its name: a port, an address and a port, or a socket's name.
    pub name: String,
    /// `inet`, `unix`, `pass` and so on.
    pub kind: String,
    /// Whether it is confined to the queue directory; `None` where the default decides.
    pub chroot: Option<bool>,
    /// Its program.
    pub command: String,
    /// Its `-o` options.
    pub options: BTreeMap<String, String>,
}

/// Reads all lines that are services.
pub(super) fn parse(text: &str) -> Vec<Service> {
    logical_lines(text).filter_map(|line| service(&line)).collect()
}

fn service(line: &str) -> Option<Service> {
    let words = words(line);
    let [name, kind, _private, _unprivileged, chroot, _wakeup, _processes, command, arguments @ ..] =
        &words[..]
    else {
        return None;
    };
    let chroot = match chroot.as_str() {
        "y" => Some(true),
        "n" => Some(false),
        _ => None,
    };
    let (name, kind, command) = (name.clone(), kind.clone(), command.clone());
    Some(Service { name, kind, chroot, command, options: options(arguments) })
}

/// Words, of which braces keep one together and are taken off.
fn words(line: &str) -> Vec<String> {
    // A comma parts no words here, and stands in for nothing that an option has.
    let words = elements(&line.replace(',', "\0"));
    let bare = |word: String| {
        let inner = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        inner.unwrap_or(&word).trim().replace('\0', ",")
    };
    words.into_iter().map(bare).collect()
}

fn options(arguments: &[String]) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let option = match word.strip_prefix("-o") {
            Some("") => words.next().map(String::as_str),
            joined => joined,
        };
        if let Some((name, value)) = option.and_then(|option| option.split_once('=')) {
            options.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    options
}

impl Service {
    /// Whether mail comes in here by SMTP.
    pub(super) fn is_smtpd(&self) -> bool {
        self.command == "smtpd"
    }

    /// Its port, or the name of it.
    fn port(&self) -> &str {
        self.name.rsplit_once(':').map_or(&self.name, |(_, port)| port)
    }

    /// Whether it is where users submit their mail (RFC 6409, RFC 8314).
    pub(super) fn is_submission(&self) -> bool {
        let ports = ["submission", "submissions", "smtps", "587", "465"];
        self.is_smtpd() && ports.contains(&self.port())
    }

    /// Whether strangers deliver mail here.
    pub(super) fn is_public(&self) -> bool {
        let is_public = self.kind == "pass" || ["smtp", "25"].contains(&self.port());
        self.is_smtpd() && is_public && !self.is_loopback()
    }

    /// Whether only this host reaches it.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.name.rsplit_once(':').map(|(host, _)| addresses(host));
        host.is_some_and(|all| !all.is_empty() && all.iter().all(IpAddr::is_loopback))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_options() {
        let text = "# comment\n\
            smtp      inet  n  -  y  -  -  smtpd\n\
            127.0.0.1:10025 inet n - n - - smtpd\n    -o content_filter=\n\
            \x20   -o { smtpd_milters = inet:127.0.0.1:1, inet:127.0.0.1:2 }\n\
            587 inet n - - - - smtpd -o milter_macro_daemon_name=ORIGINATING -osyslog_name=sub\n\
            short line\n";
        let services = parse(text);
        assert_eq!(services.len(), 3);
        assert_eq!((services[0].chroot, services[1].chroot), (Some(true), Some(false)));
        assert!(services[0].is_public() && !services[0].is_submission());
        let options = &services[1].options;
        assert_eq!(options["content_filter"], "");
        assert_eq!(options["smtpd_milters"], "inet:127.0.0.1:1, inet:127.0.0.1:2");
        assert!(services[1].is_loopback() && !services[1].is_public());
        assert!(services[2].is_submission() && services[2].chroot.is_none());
        assert_eq!(services[2].options["milter_macro_daemon_name"], "ORIGINATING");
        assert_eq!(services[2].options["syslog_name"], "sub");
    }
}
