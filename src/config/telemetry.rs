//! `[telemetry]`: logs and metrics.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

/// `[telemetry]`: logs and metrics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Telemetry {
    /// The form of log lines.
    pub log: LogFormat,
    /// The lowest level that is logged.
    pub level: String,
    /// Levels of parts, as `part=level`.
    pub filter: Vec<String>,
    /// Clients whose messages have their story told.
    pub story_clients: Vec<IpNet>,
    /// Domains of senders, authors and recipients for which it is told.
    pub story_domains: Vec<String>,
    /// How personal data is logged.
    pub personal_data: PersonalData,
    /// The file of the key that hashes it.
    pub personal_data_key: Option<PathBuf>,
    /// Where metrics and health are served.
    pub metrics: Option<SocketAddr>,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// Fields of systemd's journal.
    Journald,
}

/// How addresses, users and clients stand in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PersonalData {
    /// As they are.
    Plain,
    /// Equal ones can be recognized, and none read.
    Hashed,
}
