//! Whether our sockets are there, and whether the MTA may open them.

use super::facts::{Account, SocketFact, SocketState};
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
        let group = account.gids.first().map_or_else(|| name.clone(), ToString::to_string);
        let path = dir.path.display();
        let line = format!("chgrp {group} {path} && chmod g+x {path}");
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
    let mode = facts.config.milter.socket_mode | 0o060;
    let mode = format!("socket_mode = \"{mode:04o}\"");
    let lines = ["[milter]".to_owned(), mode, format!("socket_group = \"{name}\"")];
    Some(Finding::new("socket-access", Severity::Error, says).mend("mailseal.toml", lines))
}
