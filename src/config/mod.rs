//! The configuration, resolved: every value has its type and every default is filled in.
//!
//! `fields` is the list of keys with their docs and defaults, which also makes the sample config;
//! `resolve` turns a file's values into the types below, and `error` says what is wrong with a
//! file, and where. Relative directories are resolved against the file's directory, and without a
//! file against the current one.
//!
//! Failure: a file that cannot be read, and all faults of one that can, are `ConfigErrors`.

mod attachments;
pub(crate) mod caret;
mod checks;
mod clamav;
pub mod endpoint;
pub mod error;
pub mod fields;
mod map;
pub(crate) mod nearest;
mod parse;
mod resolve;
pub mod sample;
mod section;
pub(crate) mod source;
mod telemetry;
pub(crate) mod value;
mod warnings;
mod words;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::dkim::canonical::Canonicalization;
/// `[rotation]`: how signing keys live.
pub use crate::keys::Policy as Rotation;
use crate::sign::map::SignMap;
use crate::verdict::Action;

pub use attachments::{AttachmentMode, Attachments};
pub use checks::{Backscatter, IdentityGate, OwnDomainSpoof, ReplyTo};
pub use clamav::{Balance, Clamav, OnOversize, ScanTreatment, ScanTreatmentOf};
pub use endpoint::Endpoint;
pub use error::ConfigErrors;
pub use telemetry::{LogFormat, PersonalData, Telemetry};

/// Everything the operator can set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// `[milter]`
    pub milter: Milter,
    /// `[identity]`
    pub identity: Identity,
    /// `[dns]`
    pub dns: Dns,
    /// `[sign]`
    pub sign: Sign,
    /// `[rotation]`
    pub rotation: Rotation,
    /// `[watch]`
    pub watch: Watch,
    /// `[publish]`
    pub publish: Publish,
    /// `[verify]`
    pub verify: Verify,
    /// `[arc]`
    pub arc: Arc,
    /// `[policy]`
    pub policy: Policy,
    /// `[rules]`
    pub rules: Rules,
    /// `[identity_gate]`
    pub identity_gate: IdentityGate,
    /// `[own_domain_spoof]`
    pub own_domain_spoof: OwnDomainSpoof,
    /// `[backscatter]`
    pub backscatter: Backscatter,
    /// `[attachments]`
    pub attachments: Attachments,
    /// `[clamav]`
    pub clamav: Clamav,
    /// `[limits]`
    pub limits: Limits,
    /// `[telemetry]`
    pub telemetry: Telemetry,
}

/// A configuration and what else its file gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed and still deserves a word at start, one sentence each.
    pub warnings: Vec<String>,
    /// Every value in force, as TOML; reading it gives the same configuration, with all keys set.
    pub shown: String,
}

impl Loaded {
    /// The built-in defaults.
    ///
    /// # Panics
    /// Where the list of fields is wrong, which the tests exclude: an empty file has no faults.
    pub fn built_in() -> Self {
        let loaded = Self::parse("", Path::new("built-in defaults"), Path::new(""));
        loaded.expect("an empty file has no faults")
    }

    /// The configuration of a file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigErrors> {
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&source::read(path, source::FILE_BYTES_MAX)?, path, base)
    }

    /// The configuration in a text; `path` names it in errors, and relative directories are joined
    /// to `base`.
    pub fn parse(text: &str, path: &Path, base: &Path) -> Result<Self, ConfigErrors> {
        source::parse(text, path, base)
    }
}

impl Default for Config {
    /// The built-in defaults; `keys` and `rules` are directories of the current one.
    fn default() -> Self {
        Loaded::built_in().config
    }
}

impl Config {
    /// The configuration of a file, and the warnings about it.
    pub fn load(path: &Path) -> Result<(Self, Vec<String>), ConfigErrors> {
        Loaded::from_file(path).map(|loaded| (loaded.config, loaded.warnings))
    }
}

/// `[milter]`: where the MTA finds us.
#[derive(Clone, Debug, Eq, PartialEq)]
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
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The authserv-id of our results header fields (RFC 8601 §2.5).
    pub authserv_id: String,
    /// Further authserv-ids that are ours: fields with them are forged, too.
    pub authserv_ids_ours: Vec<String>,
    /// The domains that are ours, with those below them; empty: those with active keys.
    pub local_domains: Vec<String>,
    /// Clients whose mail is ours.
    pub trusted_networks: Vec<IpNet>,
    /// Clients that hand on mail of others.
    pub trusted_relays: Vec<IpNet>,
    /// `{daemon_name}`s of the MTA's submission listeners.
    pub originating_daemons: Vec<String>,
}

/// `[dns]`: whom we ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dns {
    /// The resolvers; empty: the system's.
    pub servers: Vec<SocketAddr>,
    /// How long one look-up may take.
    pub timeout: Duration,
}

/// `[sign]`: DKIM signing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sign {
    /// The key store.
    pub keys: PathBuf,
    /// Of the header.
    pub header_canonicalization: Canonicalization,
    /// Of the body.
    pub body_canonicalization: Canonicalization,
    /// The lifetime of a signature (`x=`).
    pub expire: Option<Duration>,
    /// The fields that are signed where present; From is the first.
    pub fields: Vec<String>,
    /// The fields that are signed once more than present, so that none can be added; From is
    /// the first.
    pub oversign: Vec<String>,
    /// Which mail of local origin is signed.
    pub local: SignLocal,
    /// `[[sign.map]]`: who signs for author domains other than by their own keys.
    pub map: SignMap,
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

/// `[watch]`: what DNS shows of our domains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watch {
    /// How often the servers are asked for a pending key's record.
    pub pending: Duration,
    /// How often for all others.
    pub every: Duration,
    /// Whether the resolvers are asked instead of the name servers.
    pub via_resolver: bool,
    /// What is done about a key that signs and whose record nobody shows.
    pub on_lost_record: LostRecord,
}

/// What is done about a key that signs and whose record nobody shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LostRecord {
    /// It signs on, and the operator is warned.
    Warn,
    /// It does not sign until the record is back.
    Stop,
}

/// `[publish]`: the DNS records of our domains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publish {
    /// The primary that takes updates.
    pub server: Option<SocketAddr>,
    /// The file of the key that signs them.
    pub key_file: Option<PathBuf>,
    /// The time to live of published records.
    pub ttl_secs: u32,
    /// Whether key records say `t=s`.
    pub dkim_strict: bool,
    /// The DMARC record of each domain.
    pub dmarc_record: Option<String>,
    /// The SPF record of each domain.
    pub spf_record: Option<String>,
    /// The TLS reporting record of each domain.
    pub tls_rpt_record: Option<String>,
}

/// `[verify]`: SPF, DKIM, DMARC.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verify {
    /// Whether mail is verified at all.
    pub enabled: bool,
    /// RSA keys below this are `policy`, not `pass` (RFC 8301 §3.2).
    pub min_rsa_bits: u32,
    /// Author domains whose mail, and that of domains below them, must be signed by them.
    pub require_dkim: Vec<String>,
    /// Whether `Received-SPF` fields are written.
    pub received_spf: bool,
    /// Whether the results also show what DMARC by the Public Suffix List would have said.
    pub dmarc_psl: bool,
}

/// `[arc]`: the chains of forwarders and lists (RFC 8617).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arc {
    /// The sealers whose word for DMARC we take, in ASCII lower case.
    pub trusted_sealers: Vec<String>,
    /// The domain whose key seals; `None` where nothing is sealed.
    pub seal_domain: Option<String>,
}

/// `[policy]`: what is done about authentication results.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// The strictest treatment of a DMARC failure that the author domain's policy can ask for.
    pub dmarc: Action,
    /// Of an SPF fail.
    pub spf_fail: Action,
    /// Of an SPF pass that any client has.
    pub spf_any: Action,
    /// The sender domains, with those below them, that this is for; all where there are none.
    pub spf_any_domains: Vec<String>,
    /// Of mail that lacks the signature that `verify.require_dkim` asks for.
    pub require_dkim: Action,
    /// Of a client whose address has no name that leads back to it.
    pub iprev_fail: Action,
    /// Of a From field with no, several or unreadable author domains.
    pub malformed_from: Action,
    /// Of results that DNS trouble made impossible: `Off` (accept) or `Tempfail`.
    pub temperror: Action,
    /// Whether mail of local origin may be rejected; else it is held.
    pub reject_local: bool,
    /// `[[policy.exempt]]`: messages that the authentication policies leave alone.
    pub exempt: Vec<Exempt>,
}

/// One `[[policy.exempt]]`; it names a message where any one of its entries does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exempt {
    /// Clients.
    pub networks: Vec<IpNet>,
    /// List-Ids.
    pub lists: Vec<String>,
    /// The newest ARC sealers, in ASCII lower case.
    pub sealers: Vec<String>,
    /// Recipients: addresses or domains.
    pub recipients: Vec<String>,
    /// Author domains.
    pub domains: Vec<String>,
}

/// `[rules]`: header and body rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    /// The directory of rule files.
    pub dir: PathBuf,
    /// Whether the operator named it: then it must exist, where the default one need not.
    pub dir_required: bool,
    /// How much of a body the rules see.
    pub body_bytes_max: usize,
}

/// `[limits]`: what one message may cost, and all together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Octets of the header block.
    pub header_bytes_max: usize,
    /// Header fields.
    pub header_fields_max: usize,
    /// Recipients.
    pub recipients_max: usize,
    /// All of one message's look-ups, scan and rules.
    pub message: Duration,
    /// Messages under way at once.
    pub transactions_max: usize,
    /// What they hold together, in octets.
    pub memory_bytes_max: usize,
    /// How long messages under way may take to end once the daemon is told to stop.
    pub drain: Duration,
}
