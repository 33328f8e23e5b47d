//! Sendmail: its filters, as `sendmail.cf` has them, and what it does to mail after them.

mod cf;

use std::collections::BTreeMap;

pub use cf::SendmailCf;
use cf::{Filter, socket_is};

use super::{Facts, Finding, Severity};

/// Its own time-outs where a filter's line has none, in seconds (op.me, "Mail Filters").
const DEFAULT_SECS: &[(char, u64)] = &[('C', 300), ('S', 10), ('R', 10), ('E', 300)];

/// All findings about it.
pub(super) fn findings(cf: &SendmailCf, facts: &Facts) -> Vec<Finding> {
    let ours: Vec<&Filter> = cf
        .filters
        .iter()
        .filter(|filter| socket_is(&filter.socket, &facts.config.milter.listen))
        .collect();
    let used: Vec<&&Filter> =
        ours.iter().filter(|filter| cf.input_filters.contains(&filter.name)).collect();
    let mut findings = Vec::new();
    match used[..] {
        [] => findings.push(not_attached(&ours, facts)),
        [one] => findings.extend(one_filter(cf, one, facts)),
        [first, ..] => {
            findings.push(twice(&used));
            findings.extend(one_filter(cf, first, facts));
        }
    }
    findings.extend(daemons(cf, &used));
    findings.extend(masquerading(cf));
    findings.extend(queue_lifetime(cf, facts));
    findings.extend(eight_bit(cf));
    findings
}

/// The line for `sendmail.mc`, with times that suit ours.
fn filter_line(facts: &Facts) -> String {
    let secs = facts.config.limits.message.as_secs() + 30;
    let socket = facts.config.milter.listen.first().map(crate::config::Endpoint::for_sendmail);
    let socket = socket.unwrap_or_default();
    format!("INPUT_MAIL_FILTER(`mailseal', `S={socket}, F=T, T=C:30s;S:60s;R:60s;E:{secs}s')dnl")
}

fn not_attached(ours: &[&Filter], facts: &Facts) -> Finding {
    let says = match ours {
        [] => "Sendmail has no filter at mailseal's socket: mail is neither verified nor signed"
            .into(),
        [one, ..] => format!(
            "Sendmail knows the filter {} and does not use it: InputMailFilters does not name it, as \
             after MAIL_FILTER instead of INPUT_MAIL_FILTER",
            one.name
        ),
    };
    let finding = Finding::new("not-attached", Severity::Error, says);
    finding.mend("sendmail.mc", [filter_line(facts)])
}

fn twice(used: &[&&Filter]) -> Finding {
    let names: Vec<&str> = used.iter().map(|one| one.name.as_str()).collect();
    let says = format!(
        "mailseal is attached as {}: every message is judged again, and its results fields are taken \
         for forged ones",
        names.join(" and ")
    );
    let lines: Vec<String> =
        names.iter().skip(1).map(|name| format!("dnl take out the filter `{name}'")).collect();
    Finding::new("attached-twice", Severity::Error, says).mend("sendmail.mc", lines)
}

fn one_filter(cf: &SendmailCf, filter: &Filter, facts: &Facts) -> Vec<Finding> {
    let mut findings = timeouts(filter, facts);
    findings.extend(flags(filter, facts));
    findings.extend(macros(cf));
    let after = cf.input_filters.iter().skip_while(|name| **name != filter.name).skip(1);
    let after: Vec<&str> = after.map(String::as_str).collect();
    if !after.is_empty() {
        let says = format!(
            "{} comes after mailseal; what it changes breaks our signatures, and its fields are not \
             seen by our rules",
            after.join(", ")
        );
        let before = cf.input_filters.iter().map(String::as_str);
        let before = before.take_while(|name| *name != filter.name).chain(after.iter().copied());
        let order: Vec<&str> = before.chain([filter.name.as_str()]).collect();
        let line = format!("define(`confINPUT_MAIL_FILTERS', `{}')dnl", order.join(","));
        let finding = Finding::new("milter-order", Severity::Warning, says);
        findings.push(finding.mend("sendmail.mc", [line]));
    }
    findings
}

fn timeouts(filter: &Filter, facts: &Facts) -> Vec<Finding> {
    let message_secs = facts.config.limits.message.as_secs();
    let short = |(what, default): &(char, u64)| {
        let secs = filter.timeouts.get(what).copied().unwrap_or(*default);
        let (least, severity) = match what {
            'E' => (message_secs + 5, Severity::Error),
            // At the end of a message we tell every five seconds that we are there.
            _ => (15, Severity::Warning),
        };
        if secs >= least {
            return None;
        }
        let says = format!(
            "Sendmail waits {secs} s for mailseal ({what} of the filter's T=): a message may take \
             {message_secs} s (limits.message_secs_max), and a busy host some for an answer that is \
             ready"
        );
        Some(
            Finding::new("milter-timeout", severity, says)
                .mend("sendmail.mc", [filter_line(facts)]),
        )
    };
    DEFAULT_SECS.iter().filter_map(short).collect()
}

/// What happens while we are away.
fn flags(filter: &Filter, facts: &Facts) -> Option<Finding> {
    let does = match filter.flags.as_str() {
        flags if flags.contains('T') || flags.contains('4') => return None,
        flags if flags.contains('R') => {
            "while mailseal is away all mail is refused for good, and lost"
        }
        _ => {
            "while mailseal is away mail passes unsigned, unverified and unscanned, and forged results \
             fields with it"
        }
    };
    let says = format!("the filter {} has no F=T: {does}", filter.name);
    let finding = Finding::new("milter-default-action", Severity::Warning, says);
    Some(finding.mend("sendmail.mc", [filter_line(facts)]))
}

fn macros(cf: &SendmailCf) -> Vec<Finding> {
    let lacking = |(stage, wanted): &(&str, &[&str])| {
        let list = cf.macros.get(*stage)?;
        let name = wanted.iter().find(|name| !list.contains(*name))?;
        let says = format!(
            "Milter.macros.{stage} does not send {name}, by which mail is known as ours: mailseal asks \
             for it itself, which Sendmail grants from 8.14 on, but other filters lack it"
        );
        let line = format!(
            "define(`confMILTER_MACROS_{}', confMILTER_MACROS_{}`, {name}')dnl",
            stage.to_uppercase(),
            stage.to_uppercase()
        );
        Some(Finding::new("auth-macros", Severity::Note, says).mend("sendmail.mc", [line]))
    };
    let needed: [(&str, &[&str]); 2] =
        [("envfrom", &["{auth_type}", "{auth_authen}"]), ("connect", &["{daemon_name}"])];
    needed.iter().filter_map(lacking).collect()
}

/// Listeners with filters of their own.
fn daemons(cf: &SendmailCf, used: &[&&Filter]) -> Vec<Finding> {
    let Some(one) = used.first() else { return Vec::new() };
    let without = cf.daemons.iter().filter_map(|daemon: &BTreeMap<char, String>| {
        let own = daemon.get(&'I')?;
        let has = own.split([';', ' ']).any(|name| name == one.name);
        let name = daemon.get(&'N').map_or("a listener", String::as_str);
        let says =
            format!("{name} has filters of its own (InputMailFilters=), and mailseal is not one");
        let line =
            format!("DAEMON_OPTIONS(`Name={name}, ..., InputMailFilters={own};{}')dnl", one.name);
        let finding = Finding::new("service-not-attached", Severity::Error, says);
        (!has).then(|| finding.mend("sendmail.mc", [line]))
    });
    without.collect()
}

/// Sender addresses that are rewritten at delivery, after we have signed.
fn masquerading(cf: &SendmailCf) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(name) = &cf.masquerade {
        let says = format!(
            "Sendmail turns senders of this host into @{name} when it delivers (MASQUERADE_AS), after \
             mailseal has signed From: the signature of each message that it changes breaks; From that \
             says @{name} from the start survives, which programs on this host have where submit.mc \
             masquerades"
        );
        let lines =
            [format!("MASQUERADE_AS(`{name}')dnl"), "FEATURE(`masquerade_envelope')dnl".to_owned()];
        let finding = Finding::new("masquerading", Severity::Warning, says);
        findings.push(finding.mend("submit.mc", lines));
    }
    if cf.has_generics {
        let says = "Sendmail rewrites senders by the genericstable when it delivers, after mailseal has \
                    signed From: the signature of each message that it changes breaks";
        let finding = Finding::new("masquerading", Severity::Warning, says);
        findings.push(finding.mend(
            "submit.mc",
            [
                "FEATURE(`genericstable', `hash -o /etc/mail/genericstable')dnl",
                "GENERICS_DOMAIN_FILE(`/etc/mail/generics-domains')dnl",
            ],
        ));
    }
    findings
}

fn queue_lifetime(cf: &SendmailCf, facts: &Facts) -> Option<Finding> {
    const DAY_SECS: u64 = 24 * 3600;
    let rotation = &facts.config.rotation;
    let kept = rotation.queue_secs.max(rotation.overlap_secs);
    let longest = cf.queue_return_secs.filter(|secs| *secs > kept)?;
    let days = longest.div_ceil(DAY_SECS);
    let says = format!(
        "Sendmail keeps mail for {days} days (Timeout.queuereturn), and the record of a key that no \
         longer signs may go after {}: what is delivered after that fails",
        kept / DAY_SECS
    );
    let finding = Finding::new("queue-lifetime", Severity::Warning, says);
    let lines = [format!("queue_days = {days}"), format!("overlap_days = {days}")];
    Some(finding.mend("mailseal.toml", ["[rotation]".to_owned()].iter().chain(&lines)))
}

/// 8-bit text is re-encoded for a host that does not announce 8BITMIME, after we have signed.
fn eight_bit(cf: &SendmailCf) -> Option<Finding> {
    if cf.smtp_flags.as_ref().is_none_or(|flags| flags.contains('8')) {
        return None;
    }
    let says = "where the next host does not announce 8BITMIME, Sendmail re-encodes 8-bit text after \
                mailseal has signed it, and the signature breaks; sent as it is, it arrives whole nearly \
                everywhere";
    let line = "MODIFY_MAILER_FLAGS(`SMTP', `+8')dnl";
    Some(Finding::new("eight-bit", Severity::Note, says).mend("sendmail.mc", [line]))
}

#[cfg(test)]
mod tests {
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
            examine(&facts).findings.iter().any(|one| one.name == "socket-exposed")
        };
        assert!(!unsafe_with(0o755));
        assert!(unsafe_with(0o1777) && unsafe_with(0o775));
    }

    #[test]
    fn no_text_hurts() {
        for text in
            ["", "X", "X,", "Xa, S", "O", "O =", "D", "DM", "M", "Mesmtp,", "\u{e9}", "\t\n\tx"]
        {
            examine(&facts(text));
        }
    }
}
