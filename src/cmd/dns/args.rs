//! The arguments of `mailseal dns`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::ConfigArg;

#[derive(Debug, Subcommand)]
pub(crate) enum Dns {
    /// Print the records to publish
    Records(Records),
    /// Ask every name server what it shows, and compare with the key store
    ///
    /// Exits with 1 where a record is not as it should be, with 3 where DNS failed.
    Verify(Verify),
    /// Publish the records by dynamic update, and verify them
    ///
    /// Wants `publish.server` and `publish.key_file`. Records of removed keys are removed; nothing else
    /// of the zone is touched.
    Publish(Publish),
    /// Look for what is wrong with the domain's SPF, DMARC and DKIM records
    ///
    /// Exits with 1 where something is to be mended.
    Lint(Lint),
}

/// The records beside those of keys; what is not given is taken from [publish].
#[derive(Args, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(next_help_heading = "Policies")]
pub(crate) struct Policies {
    /// Build a DMARC record with this policy
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) dmarc_policy: Option<DmarcPolicy>,
    /// Its policy for subdomains
    #[arg(long, value_enum, value_name = "POLICY", requires = "dmarc_policy")]
    pub(crate) sp: Option<DmarcPolicy>,
    /// Its policy for names that do not exist
    #[arg(long, value_enum, value_name = "POLICY", requires = "dmarc_policy")]
    pub(crate) np: Option<DmarcPolicy>,
    /// Where its reports go; may be given more than once
    #[arg(long, value_name = "ADDRESS", requires = "dmarc_policy")]
    pub(crate) rua: Vec<String>,
    /// Let DKIM align only with the very domain
    #[arg(long, requires = "dmarc_policy")]
    pub(crate) adkim_strict: bool,
    /// Let SPF align only with the very domain
    #[arg(long, requires = "dmarc_policy")]
    pub(crate) aspf_strict: bool,
    /// Ask receivers to go one step easier for now (t=y)
    #[arg(long, requires = "dmarc_policy")]
    pub(crate) testing: bool,
    /// The SPF record, such as "v=spf1 mx -all"
    #[arg(long, value_name = "RECORD")]
    pub(crate) spf: Option<String>,
    /// Where reports on TLS go (RFC 8460), an address or an https: URI
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) tls_rua: Vec<String>,
    /// The id of the MTA-STS policy that the web host mta-sts.DOMAIN serves (RFC 8461)
    #[arg(long, value_name = "ID")]
    pub(crate) mta_sts_id: Option<String>,
    /// Let no signature name a subdomain in i= (t=s)
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What a DMARC record asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum DmarcPolicy {
    /// Reports alone
    None,
    /// Treat what fails as suspicious
    Quarantine,
    /// Refuse what fails
    Reject,
}

#[derive(Args, Debug)]
pub(crate) struct Records {
    /// The domain
    pub(crate) domain: String,
    /// How the records are written
    #[arg(long, value_enum, default_value_t = Format::Zone)]
    pub(crate) format: Format,
    /// Put the records below this zone, and print the aliases that lead there
    #[arg(long, value_name = "ZONE")]
    pub(crate) delegate_to: Option<String>,
    #[command(flatten)]
    pub(crate) policies: Policies,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Lines of a zone file
    Zone,
    /// Commands of nsupdate
    Nsupdate,
    /// A JSON array
    Json,
    /// Name, type and value, for the forms of web sites
    Plain,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The domain
    pub(crate) domain: String,
    /// Ask the resolver alone, where other name servers cannot be reached
    #[arg(long)]
    pub(crate) via_resolver: bool,
    #[command(flatten)]
    pub(crate) policies: Policies,
    #[command(flatten)]
    pub(crate) port: Port,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct Publish {
    /// The domain
    pub(crate) domain: String,
    /// How long to wait for the other name servers, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait_secs: u64,
    /// The file of the key that signs the update; by default `publish.key_file`
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) policies: Policies,
    #[command(flatten)]
    pub(crate) port: Port,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

/// Where authoritative servers listen: NS records carry no port, and tests cannot have 53.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Port {
    #[arg(long, hide = true, default_value_t = 53)]
    pub(crate) authority_port: u16,
}

#[derive(Args, Debug)]
pub(crate) struct Lint {
    /// The domain
    pub(crate) domain: String,
    /// A selector to look at beside those of the key store; may be given more than once
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) selector: Vec<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}
