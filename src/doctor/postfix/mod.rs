//! Postfix: what its configuration does to mail on its way to us, and after us.
//!
//! What happens before the filters and what after them is not in its manuals in one place; the
//! end-to-end tests hold it: `canonical_maps`, `masquerade_domains` and `header_checks` come before,
//! `smtp_generic_maps`, `smtp_header_checks`, re-encoding and line breaking after.

mod attach;
mod checks_table;
mod header_checks;
mod macros;
mod main_cf;
mod master_cf;
mod milter;
mod reinjection;
mod rewriting;
mod transport;
mod waiting;

use std::path::PathBuf;

use self::milter::{Milter, Whose, milters};
use super::{Facts, Finding};
use crate::config::Endpoint;
pub use header_checks::PARAMETERS as TABLE_PARAMETERS;
pub use main_cf::Parameters;
pub(super) use main_cf::{logical_lines, seconds};
pub use master_cf::Service;

/// Its configuration.
#[derive(Clone, Debug)]
pub struct Postfix {
    /// `main.cf`
    pub main: Parameters,
    /// `master.cf`
    pub services: Vec<Service>,
}

/// A service that mail comes in by, and its filters.
struct Attached<'a> {
    service: &'a Service,
    milters: Vec<(Milter, Whose)>,
}

impl Postfix {
    /// Reads what `postconf -n` and `postconf -M` print, or the files themselves.
    pub fn parse(main_cf: &str, master_cf: &str) -> Self {
        Self { main: Parameters::parse(main_cf), services: master_cf::parse(master_cf) }
    }

    /// A parameter of `main.cf`, or its default.
    pub fn main_value(&self, name: &str) -> String {
        self.main.value(&std::collections::BTreeMap::new(), name)
    }

    /// A parameter as a service has it.
    pub fn value(&self, service: &Service, name: &str) -> String {
        self.main.value(&service.options, name)
    }

    /// All values of a parameter: that of `main.cf`, and those of `-o` options, with whose they are.
    pub fn values(&self, name: &str) -> Vec<(String, Option<&Service>)> {
        let own = self.services.iter().filter(|service| service.options.contains_key(name));
        let own = own.map(|service| (self.value(service, name), Some(service)));
        let mut values = vec![(self.main_value(name), None)];
        values.extend(own);
        values
    }

    /// The tables that a parameter names, in `main.cf` and in `-o` options: `TYPE:NAME`.
    pub fn tables(&self, name: &str) -> Vec<String> {
        let values = self.values(name).into_iter();
        values.flat_map(|(value, _)| main_cf::elements(&value)).collect()
    }

    /// Where its queue is; the root of its processes in a chroot.
    pub fn queue_directory(&self) -> PathBuf {
        PathBuf::from(self.main_value("queue_directory"))
    }

    /// Whether a service is confined to the queue directory (master(5): the default changed with
    /// `compatibility_level` 1).
    fn is_in_chroot(&self, service: &Service) -> bool {
        let level = self.main_value("compatibility_level");
        let major = level.split('.').next().and_then(|major| major.trim().parse::<u32>().ok());
        let is_old = major.unwrap_or(0) == 0;
        service.chroot.unwrap_or(is_old)
    }

    fn yes(&self, name: &str) -> bool {
        self.main_value(name).eq_ignore_ascii_case("yes")
    }

    fn whose(&self, list: &str, ours: &[Endpoint], service: &Service) -> Vec<(Milter, Whose)> {
        let (queue, chroot) = (self.queue_directory(), self.is_in_chroot(service));
        let milters = milters(list).into_iter();
        milters
            .map(|one| {
                let whose = one.whose(ours, &queue, chroot);
                (one, whose)
            })
            .collect()
    }

    /// The services that mail comes in by over SMTP, with their filters.
    fn smtpds(&self, ours: &[Endpoint]) -> Vec<Attached<'_>> {
        let attached = |service| {
            let list = self.value(service, "smtpd_milters");
            let is_off = self.value(service, "receive_override_options").contains("no_milters");
            let list = if is_off { "" } else { &list };
            Attached { service, milters: self.whose(list, ours, service) }
        };
        self.services.iter().filter(|service| service.is_smtpd()).map(attached).collect()
    }

    /// The filters of mail that comes in otherwise: cleanup speaks to them.
    fn cleanup(&self, ours: &[Endpoint]) -> Vec<(Milter, Whose)> {
        let Some(cleanup) = self.services.iter().find(|service| service.command == "cleanup")
        else {
            return Vec::new();
        };
        self.whose(&self.value(cleanup, "non_smtpd_milters"), ours, cleanup)
    }
}

impl Attached<'_> {
    fn has_ours(&self) -> bool {
        self.milters.iter().any(|(_, whose)| *whose == Whose::Ours)
    }
}

/// How Postfix should spell our first socket.
fn spelling(postfix: &Postfix, ours: &[Endpoint]) -> String {
    let first = ours.first().map(|endpoint| endpoint.for_postfix(&postfix.queue_directory()));
    first.unwrap_or_default()
}

/// `master.cf` at that service, as the place of a line.
fn place(service: &Service) -> String {
    format!("master.cf, {} {}", service.name, service.kind)
}

/// All findings about it.
pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    [
        attach::findings,
        reinjection::findings,
        macros::findings,
        waiting::findings,
        header_checks::findings,
        rewriting::findings,
        transport::findings,
    ]
    .iter()
    .flat_map(|check| check(postfix, facts))
    .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Loaded;
    use crate::doctor::{Account, Permissions, Severity, SocketFact, SocketState, examine};

    const MAIN: &str = "\
compatibility_level = 3.6
myhostname = mx.example.org
mynetworks = 127.0.0.0/8 [::1]/128
smtpd_milters = inet:127.0.0.1:8891
non_smtpd_milters = $smtpd_milters
internal_mail_filter_classes = bounce
smtpd_discard_ehlo_keywords = silent-discard, dsn
";

    const MASTER: &str = "\
smtp       inet  n       -       y       -       -       smtpd
cleanup    unix  n       -       y       -       0       cleanup
smtp       unix  -       -       y       -       -       smtp
";

    const SUBMISSION: &str = "submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes
    -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n";

    const REINJECTION: &str = "127.0.0.1:10025 inet n - n - - smtpd -o content_filter=\n";

    const CONFIG: &str = "[identity]\nauthserv_id = \"mx.example.org\"\n";

    const QUEUE_SOCKET: &str =
        "[milter]\nlisten = [\"unix:/var/spool/postfix/mailseal/milter.sock\"]\n";

    /// Facts about a host with these lines beside the healthy ones; a later one of a name counts.
    fn facts(main: &str, master: &str, config: &str) -> Facts {
        let config = format!("{CONFIG}{config}");
        let loaded = Loaded::parse(&config, Path::new("mailseal.toml"), Path::new("")).unwrap();
        let mut facts = Facts {
            config: loaded.config,
            postfix: Some(Postfix::parse(&format!("{MAIN}{main}"), &format!("{MASTER}{master}"))),
            ..Facts::default()
        };
        let line = |pattern: &str, action: &str| format!("{pattern} {action}\n");
        for (name, text) in [
            ("regexp:/etc/postfix/subject", line("/^Subject: (.*)/", "REPLACE Subject: [x] $1")),
            ("regexp:/etc/postfix/harmless", line("/^X-Spam:/", "IGNORE")),
            ("pcre:/etc/postfix/ours", line("/^(Authentication-Results|X-Tag):/", "IGNORE")),
        ] {
            facts.tables.insert(name.to_owned(), text);
        }
        facts
    }

    fn names(facts: &Facts) -> Vec<&'static str> {
        let findings = examine(facts).findings;
        findings.iter().map(|one| one.name).filter(|name| *name != "no-keys").collect()
    }

    #[test]
    fn a_healthy_host_has_no_findings() {
        assert_eq!(names(&facts("", "", "")), [""; 0]);
        assert_eq!(names(&facts("", SUBMISSION, "")), [""; 0]);
        let chroot = "smtpd_milters = unix:mailseal/milter.sock\n";
        assert_eq!(names(&facts(chroot, SUBMISSION, QUEUE_SOCKET)), [""; 0]);
        assert_eq!(
            names(&facts("header_checks = regexp:/etc/postfix/harmless\n", "", "")),
            [""; 0]
        );
        assert_eq!(names(&facts("milter_default_action = tempfail\n", "", "")), [""; 0]);
        // A re-injection that goes without filters, and one that is a relay.
        let without = format!("{} -o smtpd_milters=\n", REINJECTION.trim());
        let filtered = "content_filter = amavis:[127.0.0.1]:10024\n";
        assert_eq!(names(&facts(filtered, &without, "")), ["content-filter"]);
        let relay = "trusted_relays = [\"127.0.0.1\"]\n";
        assert_eq!(names(&facts(filtered, REINJECTION, relay)), ["content-filter"]);
    }

    #[test]
    fn each_fault_of_main_cf_has_its_finding() {
        for (main, wanted) in [
            ("smtpd_milters =\n", &["not-attached", "non-smtpd-milters"][..]),
            ("non_smtpd_milters =\n", &["non-smtpd-milters"]),
            ("internal_mail_filter_classes =\n", &["bounces"]),
            ("smtpd_milters = inet:localhost:8891, inet:127.0.0.1:8891\n", &["attached-twice"]),
            ("smtpd_milters = inet:127.0.0.1:8891, inet:127.0.0.1:1\n", &["milter-order"]),
            (
                "smtpd_milters = unix:/opendkim/opendkim.sock, inet:127.0.0.1:8891\n",
                &["old-filter"],
            ),
            ("smtpd_milter_maps = cidr:/etc/postfix/maps\n", &["milter-maps"]),
            ("mynetworks = 127.0.0.0/8, 192.0.2.0/24\n", &["mynetworks"]),
            ("milter_mail_macros = i\n", &["auth-macros"]),
            ("milter_connect_macros = j\n", &["auth-macros"]),
            ("milter_protocol = 2\n", &["milter-protocol"]),
            ("myhostname = other.example.org\n", &["authserv-id"]),
            ("milter_content_timeout = 30s\n", &["milter-timeout"]),
            ("milter_command_timeout = 2s\n", &["milter-timeout"]),
            ("milter_connect_timeout = 1s\n", &["milter-timeout"]),
            ("smtpd_milters = { inet:127.0.0.1:8891, content_timeout=9s }\n", &["milter-timeout"]),
            ("milter_default_action = accept\n", &["milter-default-action"]),
            ("milter_default_action = reject\n", &["milter-default-action"]),
            ("milter_default_action = quarantine\n", &["milter-default-action"]),
            ("maximal_queue_lifetime = 10d\n", &["queue-lifetime"]),
            ("header_checks = regexp:/etc/postfix/subject\n", &["header-checks"]),
            ("smtp_header_checks = regexp:/etc/postfix/subject\n", &["header-checks"]),
            ("milter_header_checks = pcre:/etc/postfix/ours\n", &["header-checks"]),
            ("smtp_generic_maps = hash:/etc/postfix/generic\n", &["generic-maps"]),
            ("remote_header_rewrite_domain = domain.invalid\n", &["remote-rewriting"]),
            ("local_header_rewrite_clients = static:all\n", &["remote-rewriting"]),
            ("smtp_line_length_limit = 200\n", &["line-length"]),
            ("smtp_line_length_limit = 0\n", &[]),
            ("relayhost = [relay.example.net]\n", &["eight-bit"]),
            ("smtp_discard_ehlo_keywords = 8bitmime\n", &["eight-bit"]),
            ("smtp_discard_ehlo_keywords = 8bitmime\ndisable_mime_output_conversion = yes\n", &[]),
            ("smtpd_discard_ehlo_keywords = 8BITMIME, dsn\n", &["eight-bit-in"]),
            ("smtputf8_enable = no\n", &["smtputf8"]),
            ("smtpd_discard_ehlo_keywords =\n", &["dsn"]),
        ] {
            assert_eq!(names(&facts(main, "", "")), wanted, "{main}");
        }
    }

    #[test]
    fn each_fault_of_master_cf_has_its_finding() {
        let filtered = "content_filter = amavis:[127.0.0.1]:10024\n";
        let open = "587 inet n - y - - smtpd\n";
        let marked = "587 inet n - y - - smtpd -o milter_macro_daemon_name=ORIGINATING\n";
        let bare = "submission inet n - y - - smtpd -o smtpd_milters=\n";
        let second = "smtp inet n - y - - smtpd -o smtpd_milters=\n";
        let only_behind = format!("{filtered}smtpd_milters =\n");
        let behind = format!("{} -o smtpd_milters=inet:127.0.0.1:8891\n", REINJECTION.trim());
        for (main, master, wanted) in [
            ("", open, &["originating"][..]),
            ("", marked, &[]),
            ("", bare, &["service-not-attached"]),
            ("", second, &["service-not-attached"]),
            (filtered, REINJECTION, &["reinjection", "content-filter"]),
            (&only_behind, &behind, &["service-not-attached", "reinjection", "non-smtpd-milters"]),
            (
                &format!("{filtered}canonical_maps = hash:/x\n"),
                &format!("{} -o receive_override_options=no_milters\n", REINJECTION.trim()),
                &["content-filter", "rewritten-again"],
            ),
            ("", "smtp unix - - y - - smtp -o smtp_generic_maps=hash:/x\n", &["generic-maps"]),
            ("", "smtp unix - - y - - smtp -o smtp_line_length_limit=80\n", &["line-length"]),
        ] {
            assert_eq!(names(&facts(main, master, "")), wanted, "{main}{master}");
        }
    }

    #[test]
    fn a_socket_must_be_where_each_process_looks() {
        let says = |main: &str, config: &str| {
            let report = examine(&facts(main, "", config));
            let one = report.findings.into_iter().find(|one| one.name == "socket-path");
            one.map(|one| (one.says.clone(), one.to_string()))
        };
        let absolute = "smtpd_milters = unix:/var/spool/postfix/mailseal/milter.sock\n";
        let (text, all) = says(absolute, QUEUE_SOCKET).unwrap();
        assert!(text.contains("looks for /var/spool/postfix/var/spool/postfix/mailseal"), "{text}");
        assert!(all.contains("smtpd_milters = unix:mailseal/milter.sock"), "{all}");
        assert!(!all.contains("listen ="), "{all}");

        let outside = "[milter]\nlisten = [\"unix:/run/mailseal/milter.sock\"]\n";
        let (_, all) = says("smtpd_milters = unix:/run/mailseal/milter.sock\n", outside).unwrap();
        let listen = "listen = [\"unix:/var/spool/postfix/mailseal/milter.sock\"]";
        assert!(all.contains(listen) && all.contains("install -d"), "{all}");
    }

    #[test]
    fn the_mta_must_be_able_to_open_the_socket() {
        let socket = |dir: (u32, u32), file: (u32, u32), state: SocketState| {
            let main = "smtpd_milters = unix:mailseal/milter.sock\n";
            let mut facts = facts(main, "", QUEUE_SOCKET);
            let endpoint = facts.config.milter.listen[0].clone();
            let of = |path: &str, (mode, gid): (u32, u32)| Permissions {
                path: path.into(),
                mode,
                uid: 500,
                gid,
            };
            let way = vec![of("/var/spool/postfix/mailseal", dir), of("milter.sock", file)];
            facts.sockets = vec![SocketFact { endpoint, state, way }];
            facts.mail_owner =
                Some(Account { name: "postfix".into(), uid: 101, gids: vec![101, 7] });
            names(&facts)
        };
        let listens = || SocketState::Listens;
        assert_eq!(socket((0o755, 500), (0o660, 101), listens()), [""; 0]);
        assert_eq!(socket((0o750, 7), (0o666, 500), listens()), [""; 0]);
        assert_eq!(socket((0o755, 500), (0o660, 500), listens()), ["socket-access"]);
        assert_eq!(socket((0o750, 500), (0o666, 500), listens()), ["socket-access"]);
        // Of its own group, and the group has less than all others.
        assert_eq!(socket((0o755, 500), (0o606, 101), listens()), ["socket-access"]);
        for state in [SocketState::Missing, SocketState::NoSocket, SocketState::Silent("x".into())]
        {
            assert_eq!(socket((0o755, 500), (0o660, 101), state), ["socket-silent"]);
        }
    }

    #[test]
    fn what_the_relay_announces_decides() {
        let severity = |keywords: Option<&[&str]>| {
            let mut facts = facts("relayhost = [relay.example.net]\n", "", "");
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            facts.relay_keywords = keywords.map(owned);
            examine(&facts)
                .findings
                .iter()
                .find(|one| one.name == "eight-bit")
                .map(|one| one.severity)
        };
        assert_eq!(severity(None), Some(Severity::Note));
        assert_eq!(severity(Some(&["PIPELINING", "8bitmime"])), None);
        assert_eq!(severity(Some(&["PIPELINING"])), Some(Severity::Error));
    }

    #[test]
    fn text_and_json_say_the_same() {
        let report =
            examine(&facts("milter_default_action = accept\nnon_smtpd_milters = \n", "", ""));
        let text = report.to_string();
        assert!(text.contains("warning: milter_default_action is accept: "), "{text}");
        assert!(
            text.contains("    main.cf:\n        milter_default_action = tempfail\n"),
            "{text}"
        );
        assert!(text.ends_with("0 errors, 2 warnings, 1 note\n"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["warnings"], &json["notes"]), (&2.into(), &1.into()));
        let first = &json["findings"][0];
        assert_eq!(first["name"], "non-smtpd-milters");
        assert_eq!(first["severity"], "warning");
        assert_eq!(first["remedy"][0]["lines"][0], "non_smtpd_milters = $smtpd_milters");
        assert!(report.has_faults() && !examine(&facts("", "", "")).has_faults());
    }
}
