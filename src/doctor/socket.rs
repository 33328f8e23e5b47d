//! Whether our sockets are there, and whether the MTA may open them.

use super::facts::{Account, Permissions, SocketFact, SocketState};
use super::postfix::Postfix;
use super::{Facts, Finding, Severity};
use crate::config::Endpoint;

/// To reach a file in a directory, and to connect to a socket (unix(7)).
const SEARCH: u32 = 0o1;
const CONNECT: u32 = 0o2;
/// Of group and all others.
const OTHERS_WRITE: u32 = 0o022;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.sockets.iter().filter_map(state).collect();
    // Sendmail opens sockets as root.
    let account = facts.mail_owner.as_ref().filter(|_| facts.postfix.is_some());
    findings.extend(account.into_iter().flat_map(|account| {
        facts.sockets.iter().filter_map(|socket| access(socket, account, facts))
    }));
    findings.extend(facts.sockets.iter().filter_map(|socket| unsafe_for_sendmail(socket, facts)));
    findings
}

/// Sendmail does not start with a socket below a directory that others can write, sticky or not.
fn unsafe_for_sendmail(socket: &SocketFact, facts: &Facts) -> Option<Finding> {
    facts.sendmail.as_ref().filter(|cf| cf.uses(&socket.endpoint))?;
    let (_, dirs) = socket.way.split_last()?;
    let dir = dirs.iter().find(|dir| dir.mode & OTHERS_WRITE != 0)?;
    let says = format!(
        "Sendmail does not start with a filter at {}: {} has mode {:04o}, and others can write it",
        socket.endpoint,
        dir.path.display(),
        dir.mode & 0o7777
    );
    let lines = ["[milter]", "listen = [\"unix:/run/mailseal/milter.sock\"]"];
    Some(Finding::new("socket-exposed", Severity::Error, says).mend("mailseal.toml", lines))
}

fn state(socket: &SocketFact) -> Option<Finding> {
    let endpoint = &socket.endpoint;
    let start = "systemctl start mailseal    # or: mailseal serve";
    let (says, line) = match &socket.state {
        SocketState::Listens => return None,
        SocketState::Silent(why) => (format!("nobody listens on {endpoint}: {why}"), start),
        SocketState::Missing => {
            (format!("{endpoint} is not there: mailseal is not serving"), start)
        }
        SocketState::NoSocket => {
            (format!("{endpoint} is a file of another kind"), "# move that file away")
        }
    };
    Some(Finding::new("socket-silent", Severity::Error, says).mend("shell", [line]))
}

/// What Postfix's user may not pass or open.
fn access(socket: &SocketFact, account: &Account, facts: &Facts) -> Option<Finding> {
    let Endpoint::Unix(_) = socket.endpoint else { return None };
    let name = &account.name;
    let (file, dirs) = socket.way.split_last()?;
    if let Some(dir) = dirs.iter().find(|dir| !account.may(dir, SEARCH)) {
        let says = format!(
            "Postfix's user {name} cannot get to {}: {} has mode {:04o} and is not open to it",
            socket.endpoint,
            dir.path.display(),
            dir.mode & 0o7777
        );
        let path = dir.path.display();
        let line = format!("chgrp {} {path} && chmod g+x {path}", group(account));
        return Some(Finding::new("socket-access", Severity::Error, says).mend("shell", [line]));
    }
    if account.may(file, CONNECT) {
        return None;
    }
    let says = format!(
        "Postfix's user {name} cannot open {}: it has mode {:04o} and belongs to {}:{}",
        socket.endpoint,
        file.mode & 0o7777,
        file.uid,
        file.gid
    );
    let finding = Finding::new("socket-access", Severity::Error, says);
    let mode = facts.config.milter.socket_mode;
    let finding = if mode & 0o060 == 0o060 {
        finding
    } else {
        let mode = format!("socket_mode = \"{:04o}\"", mode | 0o060);
        finding.mend("mailseal.toml", ["[milter]", &mode])
    };
    Some(let_in(finding, file, dirs.last()?, account, facts))
}

/// What gives the socket Postfix's group: its directory does, by the setgid bit. No member of that group
/// need mailseal be, and a confined service may not give files away.
fn let_in(
    finding: Finding,
    file: &Permissions,
    dir: &Permissions,
    account: &Account,
    facts: &Facts,
) -> Finding {
    let group = group(account);
    if dir.uid == file.uid {
        let path = dir.path.display();
        let line = format!("chgrp {group} {path} && chmod g+s {path}");
        return finding.mend("shell", [line.as_str(), RESTART]);
    }
    // Others have their files there, too.
    let queue = facts.postfix.as_ref().map(Postfix::queue_directory).unwrap_or_default();
    let own = queue.join("mailseal");
    let listen = format!("listen = [\"unix:{}/milter.sock\"]", own.display());
    let line = format!("install -d -o mailseal -g {group} -m 2750 {}", own.display());
    finding
        .mend("mailseal.toml", ["[milter]", &listen])
        .mend("shell", [line.as_str(), RESTART])
        .mend("main.cf", ["smtpd_milters = unix:mailseal/milter.sock"])
}

const RESTART: &str = "systemctl restart mailseal    # or: mailseal serve, once more";

/// Of its groups the first is its own.
fn group(account: &Account) -> String {
    account.gids.first().map_or_else(|| account.name.clone(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a socket that Postfix may not open, in a directory of `owner`.
    fn said(owner: u32, socket_mode: u32) -> String {
        let dir = "/var/spool/postfix/mailseal";
        let path = std::path::PathBuf::from(dir);
        let of = |path, mode, uid| Permissions { path, mode, uid, gid: 500 };
        let way = vec![of(path.clone(), 0o755, owner), of(path.join("milter.sock"), 0o660, 500)];
        let endpoint = Endpoint::Unix(path.join("milter.sock"));
        let socket = SocketFact { endpoint, state: SocketState::Listens, way };
        let account = Account { name: "postfix".into(), uid: 101, gids: vec![106] };
        let mut facts = Facts { postfix: Some(Postfix::parse("", "")), ..Facts::default() };
        facts.config.milter.socket_mode = socket_mode;
        access(&socket, &account, &facts).unwrap().to_string()
    }

    /// A confined service may not give files away: `socket_group` would not start.
    #[test]
    fn a_socket_is_let_in_by_its_directory() {
        let text = said(500, 0o660);
        let line = "chgrp 106 /var/spool/postfix/mailseal && chmod g+s /var/spool/postfix/mailseal";
        assert!(text.contains(line) && text.contains("systemctl restart mailseal"), "{text}");
        assert!(!text.contains("socket_group") && !text.contains("socket_mode"), "{text}");
        assert!(said(500, 0o600).contains("socket_mode = \"0660\""));
    }

    #[test]
    fn a_directory_of_others_keeps_its_group() {
        let text = said(0, 0o660);
        let line = "install -d -o mailseal -g 106 -m 2750 /var/spool/postfix/mailseal";
        assert!(text.contains(line) && !text.contains("chgrp"), "{text}");
    }
}
