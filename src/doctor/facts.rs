//! All that is looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::postfix::Postfix;
use super::sendmail::SendmailCf;
use crate::config::{Config, Endpoint};
use crate::rotation::status::DomainStatus;

/// All that is looked at; what could not be had is left out, and its checks with it.
#[derive(Debug, Default)]
pub struct Facts {
    /// Ours, as it is in force.
    pub config: Config,
    /// What loading it said.
    pub config_warnings: Vec<String>,
    /// Postfix's configuration.
    pub postfix: Option<Postfix>,
    /// Sendmail's.
    pub sendmail: Option<SendmailCf>,
    /// The texts of lookup tables, by their names in `main.cf` (`regexp:/etc/postfix/checks`).
    pub tables: BTreeMap<String, String>,
    /// Our sockets; none where another host's configuration is looked at.
    pub sockets: Vec<SocketFact>,
    /// Who Postfix's processes are.
    pub mail_owner: Option<Account>,
    /// The keywords that `relayhost` answers EHLO with.
    pub relay_keywords: Option<Vec<String>>,
    /// What is wrong with the key store itself.
    pub key_problems: Vec<String>,
    /// Our domains, their keys, and what DNS shows of them.
    pub domains: Vec<DomainStatus>,
}

/// One of our sockets.
#[derive(Clone, Debug)]
pub struct SocketFact {
    /// As our configuration has it.
    pub endpoint: Endpoint,
    /// What is there.
    pub state: SocketState,
    /// The directories on the way to a Unix socket, the outermost first, and the socket itself.
    pub way: Vec<Permissions>,
}

/// What is where a socket should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SocketState {
    /// Somebody listens.
    Listens,
    /// Nobody does, and why that is known.
    Silent(String),
    /// There is no such file.
    Missing,
    /// A file of another kind.
    NoSocket,
}

/// Who may do what with a file.
#[derive(Clone, Debug)]
pub struct Permissions {
    /// The file.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A user with its groups.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// All its groups.
    pub gids: Vec<u32>,
}

impl Account {
    /// Whether it has these permissions (as one digit of a mode) on a file.
    pub(super) fn may(&self, file: &Permissions, wanted: u32) -> bool {
        let shift = match () {
            () if self.uid == 0 => return true,
            () if self.uid == file.uid => 6,
            () if self.gids.contains(&file.gid) => 3,
            () => 0,
        };
        file.mode >> shift & wanted == wanted
    }
}
