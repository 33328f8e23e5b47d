//! The configuration, resolved: every value has its type and every default is filled in.
//!
//! `fields` is the list of keys with their docs, which also makes the sample config; `error` says
//! what is wrong with a file, and where.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::dkim::canonical::Canonicalization;
use crate::verdict::Action;

/// Everything the operator can set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[milter]`
    pub milter: Milter,
    /// `[identity]`
    pub identity: Identity,
    /// `[dns]`
    pub dns: Dns,
    /// `[sign]`
    pub sign: Sign,
    /// `[verify]`
    pub verify: Verify,
    /// `[policy]`
    pub policy: Policy,
    /// `[rules]`
    pub rules: Rules,
    /// `[clamav]`
    pub clamav: Clamav,
    /// `[limits]`
    pub limits: Limits,
    /// `[telemetry]`
    pub telemetry: Telemetry,
}

/// A socket address of the milter or of clamd.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub enum Endpoint {
    /// `inet:HOST:PORT` (Postfix) or `inet:PORT@HOST` (Sendmail).
    Inet(SocketAddr),
    /// `unix:PATH` or `local:PATH`.
    Unix(PathBuf),
}

/// `[milter]`: where the MTA finds us.
#[derive(Clone, Debug)]
pub struct Milter {
    /// The sockets.
    pub listen: Vec<Endpoint>,
    /// Who may speak to the TCP sockets.
    pub allow_peers: Vec<IpNet>,
    /// The mode of Unix sockets.
    pub socket_mode: u32,
    /// The group of Unix sockets.
    pub socket_group: Option<String>,
    /// How many connections at once; more wait in the backlog.
    pub connections_max: usize,
}

/// `[identity]`: who we are and whom we trust.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The authserv-id of our results header fields (RFC 8601 §2.5).
    pub authserv_id: String,
    /// Further authserv-ids that are ours: fields with them are forged, too.
    pub authserv_ids_ours: Vec<String>,
    /// Clients whose mail is ours.
    pub trusted_networks: Vec<IpNet>,
    /// Clients that hand on mail of others.
    pub trusted_relays: Vec<IpNet>,
    /// `{daemon_name}`s of the MTA's submission listeners.
    pub originating_daemons: Vec<String>,
}

/// `[dns]`: whom we ask.
#[derive(Clone, Debug)]
pub struct Dns {
    /// The resolvers; empty: the system's.
    pub servers: Vec<SocketAddr>,
    /// How long one look-up may take.
    pub timeout: Duration,
}

/// `[sign]`: DKIM signing.
#[derive(Clone, Debug)]
pub struct Sign {
    /// The key store.
    pub keys: PathBuf,
    /// Of the header.
    pub header_canonicalization: Canonicalization,
    /// Of the body.
    pub body_canonicalization: Canonicalization,
    /// The lifetime of a signature (`x=`).
    pub expire: Option<Duration>,
    /// The fields that are signed where present, besides From.
    pub fields: Vec<String>,
    /// The fields that are signed once more than present, so that none can be added.
    pub oversign: Vec<String>,
    /// Which mail of local origin is signed.
    pub local: SignLocal,
}

/// Which mail of local origin is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignLocal {
    /// By its author domain, like all other mail of ours.
    All,
    /// Only where the reverse path is of the author domain too.
    Domains,
    /// None.
    Off,
}

/// `[verify]`: SPF, DKIM, DMARC.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Whether mail is verified at all.
    pub enabled: bool,
    /// RSA keys below this are `policy`, not `pass` (RFC 8301 §3.2).
    pub min_rsa_bits: u32,
}

/// `[policy]`: what is done about authentication results.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The strictest treatment of a DMARC failure that the author domain's policy can ask for.
    pub dmarc: Action,
    /// Of an SPF fail.
    pub spf_fail: Action,
    /// Of a From field with no, several or unreadable author domains.
    pub malformed_from: Action,
    /// Of results that DNS trouble made impossible: `Off` (accept) or `Tempfail`.
    pub temperror: Action,
    /// `[[policy.exempt]]`: messages that the authentication policies leave alone.
    pub exempt: Vec<Exempt>,
}

/// One `[[policy.exempt]]`; it names a message where any one of its entries does.
#[derive(Clone, Debug, Default)]
pub struct Exempt {
    /// Clients.
    pub networks: Vec<IpNet>,
    /// List-Ids.
    pub lists: Vec<String>,
    /// Recipients: addresses or domains.
    pub recipients: Vec<String>,
    /// Author domains.
    pub domains: Vec<String>,
}

/// `[rules]`: header and body rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The directory of rule files.
    pub dir: PathBuf,
    /// How much of a body the rules see.
    pub body_bytes_max: usize,
}

/// `[clamav]`: virus scanning.
#[derive(Clone, Debug)]
pub struct Clamav {
    /// The clamds, in the order in which they are asked; empty: nothing is scanned.
    pub servers: Vec<Endpoint>,
    /// Larger messages are not sent whole.
    pub scan_bytes_max: u64,
    /// What is done with an infected message.
    pub on_infected: Action,
    /// What is done where the scan failed: `Off` (accept, marked unscanned), `Tempfail`, ...
    pub on_failure: Action,
    /// What is done with a message too large to scan: `Off` (accept, marked unscanned), ...
    pub on_oversize: Action,
    /// How long clamd may take from the end of the message.
    pub timeout: Duration,
}

/// `[limits]`: what one message may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of the header block.
    pub header_bytes_max: usize,
    /// Header fields.
    pub header_fields_max: usize,
    /// Recipients.
    pub recipients_max: usize,
    /// All of one message's look-ups, scan and rules.
    pub message: Duration,
}

/// `[telemetry]`: logs.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The form of log lines.
    pub log: LogFormat,
    /// The lowest level that is logged.
    pub level: String,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
