//! A healthy `sendmail.cf` has no findings, and each fault has its own.

use std::path::Path;

use super::*;
use crate::config::{Endpoint, Loaded};
use crate::doctor::{Permissions, SocketFact, SocketState, examine};

const CF: &str = "\
O InputMailFilters=mailseal
Xmailseal, S=inet:8891@127.0.0.1, F=T, T=C:30s;S:60s;R:60s;E:60s
O Milter.macros.connect=j, _, {daemon_name}, {if_name}, {if_addr}
O Milter.macros.envfrom=i, {auth_type}, {auth_authen}, {auth_ssf}
O DaemonPortOptions=Name=MTA, Family=inet, Addr=127.0.0.1, Port=25
O Timeout.queuereturn=5d
DM
Mesmtp,\t\tP=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, L=990,
\t\tT=DNS/RFC822/SMTP,
\t\tA=TCP $h
";

fn facts(cf: &str) -> Facts {
    let config = "[identity]\nauthserv_id = \"mx.example.org\"\n";
    let loaded = Loaded::parse(config, Path::new("mailseal.toml"), Path::new("")).unwrap();
    Facts { config: loaded.config, sendmail: Some(SendmailCf::parse(cf)), ..Facts::default() }
}

fn names(cf: &str) -> Vec<&'static str> {
    let findings = examine(&facts(cf)).findings;
    findings.iter().map(|one| one.name).filter(|name| *name != "no-keys").collect()
}

#[test]
fn a_healthy_host_has_no_findings() {
    assert_eq!(names(CF), [""; 0]);
    let spelling = CF.replace("inet:8891@127.0.0.1", "inet:8891@localhost");
    assert_eq!(names(&spelling), [""; 0]);
}

#[test]
fn each_fault_has_its_finding() {
    let times = "T=C:30s;S:60s;R:60s;E:60s";
    for (old, new, wanted) in [
        ("InputMailFilters=mailseal", "InputMailFilters=", &["not-attached"][..]),
        ("8891", "8892", &["not-attached"]),
        (
            "O InputMailFilters=mailseal",
            "Xagain, S=inet:8891@localhost, F=T, T=S:60s;R:60s\nO InputMailFilters=again, mailseal",
            &["attached-twice", "milter-order"],
        ),
        ("InputMailFilters=mailseal", "InputMailFilters=mailseal,other", &["milter-order"]),
        (times, "T=S:60s;R:60s;E:20s", &["milter-timeout"]),
        // Its own ten seconds for reading and for writing.
        (times, "", &["milter-timeout", "milter-timeout"]),
        ("F=T, ", "", &["milter-default-action"]),
        ("F=T, ", "F=R, ", &["milter-default-action"]),
        ("{auth_type}, ", "", &["auth-macros"]),
        ("{daemon_name}, ", "", &["auth-macros"]),
        ("Port=25", "Port=25, InputMailFilters=other", &["service-not-attached"]),
        ("Port=25", "Port=25, InputMailFilters=mailseal", &[]),
        ("DM\n", "DMexample.org\n", &["masquerading"]),
        ("DM\n", "Kgenerics hash -o /etc/mail/genericstable\n", &["masquerading"]),
        ("queuereturn=5d", "queuereturn=14d", &["queue-lifetime"]),
        ("Xa8", "Xa", &["eight-bit"]),
    ] {
        let cf = CF.replacen(old, new, 1);
        assert_ne!(cf, CF, "{old}");
        assert_eq!(names(&cf), wanted, "{new}");
    }
}

#[test]
fn the_way_to_a_socket_must_be_safe() {
    let unsafe_with = |mode: u32| {
        let socket = "local:/run/mailseal/milter.sock";
        let mut facts = facts(&CF.replace("inet:8891@127.0.0.1", socket));
        let endpoint: Endpoint = socket.parse().unwrap();
        facts.config.milter.listen = vec![endpoint.clone()];
        let of = |path: &str, mode| Permissions { path: path.into(), mode, uid: 0, gid: 0 };
        let way = vec![of("/", 0o755), of("/run", mode), of("milter.sock", 0o666)];
        facts.sockets = vec![SocketFact { endpoint, state: SocketState::Listens, way }];
        examine(&facts).findings.iter().any(|one| one.name == "socket-unsafe")
    };
    assert!(!unsafe_with(0o755));
    assert!(unsafe_with(0o1777) && unsafe_with(0o775));
}

#[test]
fn no_text_hurts() {
    for text in ["", "X", "X,", "Xa, S", "O", "O =", "D", "DM", "M", "Mesmtp,", "\u{e9}", "\t\n\tx"]
    {
        examine(&facts(text));
    }
}
