//! The command line: types only.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cmd::dns::args::Dns;

/// One milter for Postfix and Sendmail: DKIM signing with rotating keys; SPF, DKIM, DMARC and ARC
/// verification; rules; virus scans by clamd.
#[derive(Debug, Parser)]
#[command(name = "mailseal", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the MTA
    Serve(Serve),
    /// Judge one message and print the verdict
    ///
    /// Exits with 1 where the verdict is other than accept.
    Check(Check),
    /// Make and activate the keys that sign
    #[command(subcommand)]
    Keys(Keys),
    /// Print, publish, verify and lint the DNS records of a domain
    #[command(subcommand)]
    Dns(Dns),
    /// Test, lint and import the rules
    #[command(subcommand)]
    Rules(Rules),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say what will break between the MTA's configuration and this one, with the lines to paste
    ///
    /// Asks postconf, or reads the files that are named. Exits with 1 where it finds an error or a
    /// warning.
    Doctor(crate::cmd::doctor::Doctor),
    /// Make a configuration of those of OpenDKIM, OpenDMARC and clamav-milter
    ///
    /// What becomes different, and what cannot be taken over, stands at its head. Exits with 1 where
    /// something cannot.
    Import(crate::cmd::import::Import),
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory
        dir: PathBuf,
    },
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which configuration a command works with.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArg {
    /// The config file; without it, /etc/mailseal/mailseal.toml where that is there, else the
    /// built-in defaults
    #[arg(long = "config", value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Judge and log everything; change and refuse nothing
    #[arg(long)]
    pub(crate) observe: bool,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The message; - is standard input
    #[arg(value_name = "MESSAGE.eml", required_unless_present = "replay")]
    pub(crate) message: Option<PathBuf>,
    /// Judge stored mail instead: the *.eml files and Maildirs of a directory, or an mbox
    ///
    /// Each envelope is read from the fields that delivery has added, where no option says it for
    /// all. Exits with 1 where --against does other things with some message.
    #[arg(long, value_name = "DIR|MBOX", conflicts_with_all = ["message", "emit", "scan", "notify_success", "queue_id", "tls"])]
    pub(crate) replay: Option<PathBuf>,
    /// With --replay: another configuration, and where it treats messages differently
    #[arg(long, value_name = "FILE", requires = "replay", conflicts_with = "message")]
    pub(crate) against: Option<PathBuf>,
    /// With --replay: ask DNS nothing, and leave authentication out
    #[arg(long, requires = "replay", conflicts_with = "message")]
    pub(crate) no_dns: bool,
    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) client_ip: Option<IpAddr>,
    /// The client's name, as the MTA verified it
    #[arg(long, value_name = "NAME")]
    pub(crate) client_name: Option<String>,
    /// What the client said at HELO or EHLO
    #[arg(long, value_name = "NAME")]
    pub(crate) helo: Option<String>,
    /// The reverse path; "" or "<>" is the null one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mail_from: Option<String>,
    /// A recipient; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) rcpt: Vec<String>,
    /// As if the client asked to be told of delivery to the recipients (NOTIFY=SUCCESS)
    #[arg(long)]
    pub(crate) notify_success: bool,
    /// The user that the client authenticated as
    #[arg(long, value_name = "USER")]
    pub(crate) auth: Option<String>,
    /// The name of the MTA's listener
    #[arg(long, value_name = "NAME")]
    pub(crate) daemon_name: Option<String>,
    /// The version of TLS that the client used, such as TLSv1.3
    #[arg(long, value_name = "VERSION")]
    pub(crate) tls: Option<String>,
    /// The MTA's queue id
    #[arg(long, value_name = "ID")]
    pub(crate) queue_id: Option<String>,
    /// Print the verdict as one JSON object; with --replay, one a difference and one with the counts
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the message as it would leave
    #[arg(long, conflicts_with = "json")]
    pub(crate) emit: bool,
    /// Only have it scanned, by each of the clamds, and say how each of them does
    ///
    /// Exits with 1 where one of them finds it other than clean, with 3 where one of them fails.
    #[arg(long, conflicts_with_all = ["json", "emit"])]
    pub(crate) scan: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make keys for a domain, pending until they are activated
    Generate(Generate),
    /// Show each key's state and next step, what each name server shows, and what to do now
    ///
    /// Exits with 1 where somebody must do something.
    Status(Status),
    /// Replace the keys that sign: make successors, and go on as their records appear in DNS
    ///
    /// Without an option, makes a pending successor of each algorithm and prints its record;
    /// --continue, or a running serve, activates it when every name server shows the record.
    Rotate(Rotate),
    /// Sign with the newest pending keys of a domain
    Activate(Activate),
    /// Stop signing with a key; its record stays for the mail on its way
    Retire(Retire),
    /// Revoke a key: its record is published with an empty p=
    ///
    /// A pending key, and a retiring one whose time is over, are revoked at once. Any other needs
    /// --now. A pending key has signed nothing here; where another filter signs with it, as with an
    /// imported one, stop that first.
    Revoke(Revoke),
    /// List the keys of all domains
    List(List),
    /// Take over the keys of OpenDKIM, rspamd, mailcow, maddy, and plain PEM files
    ///
    /// All is looked at before anything is written, and where something cannot be taken over,
    /// nothing is. Exits with 1 then. The keys are pending until they are activated.
    Import(crate::cmd::keys::transfer::Import),
    /// Write a key and its record into a directory, for another system
    Export(crate::cmd::keys::transfer::Export),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Print one JSON object, that of `keys status --offline --json`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The domain; by default all
    pub(crate) domain: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not ask the name servers
    #[arg(long)]
    pub(crate) offline: bool,
    /// Ask the resolver instead of the name servers, where port 53 is closed
    #[arg(long)]
    pub(crate) via_resolver: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Rotate {
    /// The domain; with --continue all, where none is named
    #[arg(required_unless_present = "go_on")]
    pub(crate) domain: Option<String>,
    /// The algorithm to rotate; by default those of the keys that sign
    #[arg(long, value_enum)]
    pub(crate) algorithm: Option<Algorithms>,
    /// The size of an RSA key: 2048, 3072 or 4096; by default as configured
    #[arg(long, value_parser = rsa_bits)]
    pub(crate) bits: Option<u32>,
    /// Look at DNS and do what is due; exits with 1 while a key is pending
    #[arg(long = "continue", conflicts_with_all = ["algorithm", "rollback"])]
    pub(crate) go_on: bool,
    /// Sign with the previous key again, while it is retiring
    #[arg(long, conflicts_with = "algorithm")]
    pub(crate) rollback: bool,
    /// With --rollback: even if the previous key's record was seen to be gone
    #[arg(long, requires = "rollback")]
    pub(crate) force: bool,
    /// Ask the resolver instead of the name servers, where port 53 is closed
    #[arg(long, requires = "go_on")]
    pub(crate) via_resolver: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

/// A key by its domain and selector.
#[derive(Args, Debug)]
pub(crate) struct OneKey {
    /// The domain
    pub(crate) domain: String,
    /// The selector
    pub(crate) selector: String,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct Retire {
    #[command(flatten)]
    pub(crate) key: OneKey,
    /// Even if no key of the domain is left to sign
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) key: OneKey,
    /// Revoke within its retention, as after a theft; a successor is made, and signs first where
    /// its record can be published
    #[arg(long)]
    pub(crate) now: bool,
    /// With --now: revoke even if no successor can sign yet, so that mail leaves unsigned
    #[arg(long, requires = "now")]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// The domain that signs (d=)
    pub(crate) domain: String,
    /// What to make
    #[arg(long, value_enum, default_value_t = Algorithms::Rsa)]
    pub(crate) algorithm: Algorithms,
    /// The size of an RSA key: 2048, 3072 or 4096; by default `rotation.rsa_bits`
    #[arg(long, value_parser = rsa_bits)]
    pub(crate) bits: Option<u32>,
    /// The selector (s=); by default dated, such as s2026-11-a
    #[arg(long)]
    pub(crate) selector: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

fn rsa_bits(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(bits @ (2048 | 3072 | 4096)) => Ok(bits),
        _ => Err("RSA keys are made with 2048, 3072 or 4096 bits".to_owned()),
    }
}

/// Which keys are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Algorithms {
    /// RSA, which every verifier knows
    Rsa,
    /// Ed25519, which many verifiers do not know yet
    Ed25519,
    /// One of each, with two selectors
    Both,
}

#[derive(Args, Debug)]
pub(crate) struct Activate {
    /// The domain
    pub(crate) domain: String,
    /// The one key to activate; by default the newest pending key of each algorithm
    #[arg(long)]
    pub(crate) selector: Option<String>,
    /// Activate whatever DNS shows: mail signed before everybody can see the record fails
    #[arg(long)]
    pub(crate) force: bool,
    /// Ask the resolver instead of the name servers, where port 53 is closed
    #[arg(long, conflicts_with = "force")]
    pub(crate) via_resolver: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Run every rule's examples
    Test {
        /// The directory of rule files; by default the configuration's
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Say how many of these messages each rule matches: a directory, an mbox or a message
        #[arg(long, value_name = "MAIL")]
        counts: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Find rules that are most likely a mistake
    ///
    /// Rules that cannot be reached or cannot match, that repeat another, have no examples, cost much,
    /// or match good mail. Exits with 1 where something was found.
    Lint(crate::cmd::rules::lint::Lint),
    /// Make rules of Postfix's `header_checks` and `body_checks`
    ///
    /// What is different, or can't be taken over, is named with its line. Exits with 1 where
    /// something is lost.
    Import(crate::cmd::rules::import::Import),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a config file and print all its faults
    Check {
        /// The config file
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Print every value in force
    Show {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Print a commented sample config with all keys and defaults
    Default,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
