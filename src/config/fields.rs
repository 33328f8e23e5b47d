//! The list of all sections and keys, with their docs and their defaults as TOML.
//!
//! From it come the sample config, the defaults, and the names that a config file may use. To add a
//! key: a field here, a line in `resolve`, and a case in `tests/bad_configs/`.

mod attachments;
mod checks;
mod clamav;
mod limits;
mod policy;
mod publish;
mod rotation;
mod telemetry;

use attachments::ATTACHMENTS;
use checks::{BACKSCATTER, IDENTITY_GATE, OWN_DOMAIN_SPOOF};
use clamav::{CLAMAV, CLAMAV_ORIGIN};
use limits::LIMITS;
use policy::{POLICY, POLICY_EXEMPT};
use publish::PUBLISH;
use rotation::{ROTATION, WATCH};
use telemetry::TELEMETRY;

/// A section of the file.
pub struct Section {
    /// Its name, dotted where it lies in another.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Whether it is an array of tables, written in double brackets.
    pub repeated: bool,
    /// Its keys.
    pub fields: &'static [Field],
}

/// A key of a section.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The value where the file does not set it.
    pub default: Default,
    /// What it says, its units and what to mind.
    pub doc: &'static str,
}

/// The value of a key that the file does not set.
pub enum Default {
    /// This TOML.
    Toml(&'static str),
    /// None, or one that is only known at run time; this TOML is an example.
    Unset(&'static str),
}

const fn key(name: &'static str, default: &'static str, doc: &'static str) -> Field {
    Field { name, default: Default::Toml(default), doc }
}

const fn unset(name: &'static str, example: &'static str, doc: &'static str) -> Field {
    Field { name, default: Default::Unset(example), doc }
}

const fn section(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Section {
    Section { name, doc, repeated: false, fields }
}

/// All sections, in the order of the sample.
pub const SECTIONS: &[Section] = &[
    section("milter", "Where the MTA finds mailseal.", MILTER),
    section("identity", "Who we are, and whom we trust.", IDENTITY),
    section("dns", "Whom we ask.", DNS),
    section("sign", "DKIM signing of mail that leaves.", SIGN),
    Section {
        name: "sign.map",
        doc: "Who signs for author domains other than by their own keys. The first of these that\n\
              there is decides: maps of exactly the author domain, its own active keys, maps of its\n\
              nearest parent (*.PARENT), maps of all (*). Several maps of one from all sign. Where\n\
              domain is neither above nor below the author domain, DMARC does not count the\n\
              signature (it does not align), and a warning says so.",
        repeated: true,
        fields: SIGN_MAP,
    },
    section("rotation", "How signing keys live, and who changes them.", ROTATION),
    section("watch", "What DNS shows of our domains, looked at while serving.", WATCH),
    section("publish", "The DNS records of our domains.", PUBLISH),
    section("verify", "SPF, DKIM and DMARC of mail that arrives.", VERIFY),
    section("arc", "The chains that lists and forwarders leave on mail (RFC 8617).", ARC),
    section("policy", "What is done about authentication results.", POLICY),
    Section {
        name: "policy.exempt",
        doc: "Messages that [policy] leaves alone: mailing lists, forwarders, broken partners.\n\
              Each [[policy.exempt]] names a message where any one of its entries does.",
        repeated: true,
        fields: POLICY_EXEMPT,
    },
    section("rules", "Header and body rules.", RULES),
    section("identity_gate", "Whom an authenticated user may write as.", IDENTITY_GATE),
    section("own_domain_spoof", "Mail from outside that looks like ours.", OWN_DOMAIN_SPOOF),
    section("backscatter", "Bounces to strangers, and of them.", BACKSCATTER),
    section("attachments", "The attachments and the structure of mail from outside.", ATTACHMENTS),
    section("clamav", "Virus scanning. Off until servers are named.", CLAMAV),
    Section {
        name: "clamav.origin",
        doc: "What is done about the mail of some origins, where it is not what [clamav] says.\n\
              The first [[clamav.origin]] that names a message's origin and sets the key counts.",
        repeated: true,
        fields: CLAMAV_ORIGIN,
    },
    section("limits", "What one message may cost, and all of them together.", LIMITS),
    section("telemetry", "Logs and metrics.", TELEMETRY),
];

const MILTER: &[Field] = &[
    key(
        "listen",
        r#"["inet:127.0.0.1:8891"]"#,
        "The sockets, in Postfix's spelling (\"inet:ADDRESS:PORT\", \"unix:/PATH\") or Sendmail's\n\
         (\"inet:PORT@ADDRESS\", \"local:/PATH\"). IPv6 addresses stand in brackets.",
    ),
    key(
        "allow_peers",
        r#"["127.0.0.0/8", "::1/128"]"#,
        "The networks that may connect to the inet sockets. Whoever speaks milter to us can have\n\
         mail signed, so name the MTAs and nobody else.",
    ),
    key(
        "socket_mode",
        r#""0660""#,
        "The mode of Unix sockets, in octal. The MTA's user must be able to read and write.",
    ),
    unset(
        "socket_group",
        r#""postfix""#,
        "The group of Unix sockets, by name or number, of which the daemon must be a member. Not set:\n\
         that of the directory where it has the setgid bit, and the daemon's own otherwise. The\n\
         packaged service may not give files away: there the directory's group is the socket's.",
    ),
    key(
        "connections_max",
        "1000",
        "How many connections are served at once, from 1 to 65536; more wait in the backlog.",
    ),
];

const IDENTITY: &[Field] = &[
    unset(
        "authserv_id",
        r#""mx.example.org""#,
        "The name that stands in our Authentication-Results fields. Fields of arriving mail with\n\
         it are forged, and removed. Not set: the host name, with a warning if it has no dot.",
    ),
    key(
        "authserv_ids_ours",
        "[]",
        "Further such names of ours, of other hosts or of earlier days.",
    ),
    key(
        "local_domains",
        "[]",
        "The domains that are ours, and all below them: mail from outside that shows them is looked\n\
         at twice. Empty: those that have active keys.",
    ),
    key(
        "trusted_networks",
        r#"["127.0.0.0/8", "::1/128"]"#,
        "The clients whose mail is ours (origin local) and is signed. sendmail(1) hands mail in\n\
         as 127.0.0.1.",
    ),
    key(
        "trusted_relays",
        "[]",
        "The clients that hand on the mail of others: a backup MX, a border filter, a content\n\
         filter that re-injects. Never signed, never rejected, its results fields kept.",
    ),
    key(
        "originating_daemons",
        r#"["ORIGINATING"]"#,
        "The milter_macro_daemon_name (Postfix) or Name= (Sendmail) of the submission listeners.",
    ),
];

const DNS: &[Field] = &[
    key(
        "servers",
        "[]",
        "The resolvers, as \"ADDRESS\" or \"ADDRESS:PORT\". Empty: those of /etc/resolv.conf. A\n\
         caching resolver on this machine is fastest.",
    ),
    key("timeout_secs", "5", "How long one look-up may take, in seconds, from 1 to 60."),
];

const SIGN: &[Field] = &[
    key(
        "keys",
        r#""keys""#,
        "The directory of the keys, DIRECTORY/DOMAIN/SELECTOR.pem, written by `mailseal keys`.\n\
         Relative to this file's directory; without a file, to the current directory.",
    ),
    key(
        "canonicalization",
        r#""relaxed/relaxed""#,
        "Of header and body: \"relaxed/relaxed\", \"relaxed/simple\", \"simple/relaxed\" or\n\
         \"simple/simple\". What is signed simple seldom survives a relay.",
    ),
    unset(
        "expire_secs",
        "1209600",
        "The lifetime of a signature, in seconds, from 3600 to 31536000. Not set: no expiry.\n\
         Mail that lies in a queue for longer fails verification.",
    ),
    key(
        "fields",
        r#"[
"Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "List-Unsubscribe",
"List-Unsubscribe-Post", "Autocrypt"
]"#,
        "The header fields that are signed where present. From always is, and so are\n\
         List-Unsubscribe and List-Unsubscribe-Post (RFC 8058).",
    ),
    key(
        "oversign",
        r#"["To", "Cc", "Subject", "Reply-To", "Content-Type"]"#,
        "The header fields that are signed once more than present, so that none can be added.\n\
         From always is. Not Date or Message-ID: Sendmail adds them after us. Never Sender,\n\
         List-* and Resent-*: lists and people who hand mail on add them, and rightly.",
    ),
    key(
        "local",
        r#""all""#,
        "Which mail of origin local is signed: \"all\" by its author domain, \"domains\" only where\n\
         the envelope sender is of the author domain too, \"off\" none.",
    ),
];

const SIGN_MAP: &[Field] = &[
    unset("from", r#""*.example.org""#, "Author domains: one, all below one, or \"*\" for all."),
    unset("domain", r#""example.org""#, "Who signs (d=), with its active keys."),
    unset("selectors", r#"["s2026-11-a"]"#, "Which of its keys; not set: all."),
    unset("also", "true", "Whether it signs beside what signs anyway."),
    unset("auid", "false", "Not set: i= names an author domain below d=. Not with t=s records."),
];

const VERIFY: &[Field] = &[
    key("enabled", "true", "Whether mail is verified at all."),
    key(
        "min_rsa_bits",
        "1024",
        "Signatures by smaller RSA keys do not pass, from 1024 (RFC 8301) to 4096.",
    ),
    key(
        "require_dkim",
        "[]",
        "Author domains that sign all their mail, as you know from them: their mail, and that of\n\
         domains below them, needs a passing DKIM signature of that domain or of one below it.\n\
         policy.require_dkim says what becomes of the rest.",
    ),
    key(
        "received_spf",
        "false",
        "Whether SPF's results are also written as Received-SPF fields (RFC 7208), one for HELO\n\
         and one for MAIL FROM. Arriving fields of that name are removed in any case.",
    ),
    key(
        "dmarc_psl",
        "false",
        "Whether the results also show, as a comment, what DMARC of old (RFC 7489) would have said,\n\
         which found organizational domains by the Public Suffix List. `mailseal check` always\n\
         shows it. It decides nothing.",
    ),
];

const ARC: &[Field] = &[
    key(
        "trusted_sealers",
        "[]",
        "The domains (d= of ARC-Seal, none below them) whose word for DMARC is taken: where the\n\
         chain passes, a DMARC failure is not acted on if it was a pass at one of these and all\n\
         sealers after it are of these, too. Such a sealer can write any author's name.",
    ),
    key(
        "seal",
        "false",
        "Whether verified mail is sealed, for what leaves here again: forwarding, lists. Mail of\n\
         origin local that we sealed when it came is sealed again, as a list on this host has\n\
         changed it; so whoever is in identity.trusted_networks can change what was sealed.\n\
         Wants seal_domain.",
    ),
    unset("seal_domain", r#""example.org""#, "The domain that seals, with its active RSA key."),
];

const RULES: &[Field] = &[
    key(
        "dir",
        r#""rules""#,
        "The directory of rule files, *.toml, read in the order of their names. Relative to this\n\
         file's directory; without a file, to the current directory. One that is set must exist;\n\
         where the default one does not, there are no rules.",
    ),
    key(
        "body_bytes_max",
        "1048576",
        "How many octets of a body the rules see, from 0 to 67108864.",
    ),
];
