//! All that takes part: mailseal with several configurations, the MTAs that use it, DNS, clamd, and the
//! SMTP server behind the MTAs that receives what they deliver.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use mailseal::config::Endpoint;
use tempfile::TempDir;

use crate::support::clamd::Clamd;
use crate::support::daemon::{Daemon, MAILSEAL};
use crate::support::dns::DnsServer;
use crate::support::postfix::{Postfix, Route, Service};
use crate::support::process::run;
use crate::support::recorder::Recorder;
use crate::support::sendmail::{Lines, Sendmail};
use crate::support::sink::Sink;
use crate::support::zone::Zone;
use crate::verifiers::{Records, read_records};

/// The domain whose mail we sign.
pub(crate) const OURS: &str = "example.org";
/// A correspondent that signs with dkimpy, publishes SPF for [`THEIR_CLIENT`] and asks for `p=reject`.
pub(crate) const THEIRS: &str = "sender.example";
/// Where mail of [`THEIRS`] comes from.
pub(crate) const THEIR_CLIENT: &str = "192.0.2.10";
/// The name of [`THEIR_CLIENT`].
pub(crate) const THEIR_HOST: &str = "mail.sender.example";
/// The selector of [`THEIRS`].
pub(crate) const THEIR_SELECTOR: &str = "peer";

/// Everything, started. Fields are dropped in their order: the MTAs before what they use.
pub(crate) struct Mailroom {
    postfix: Postfix,
    sendmail: OnceLock<Sendmail>,
    masquerading: OnceLock<Sendmail>,
    daemons: Daemons,
    pub(crate) recorder: Recorder,
    pub(crate) sink: Sink,
    /// A server that knows no 8BITMIME.
    pub(crate) poor_sink: Sink,
    /// A clamd of its own for the daemons `marked` and `unscanned`, so that a test can end it.
    pub(crate) mortal_clamd: Mutex<Clamd>,
    _clamd: Clamd,
    _dns: Dns,
    /// The key records of [`OURS`], as `mailseal dns records` printed them.
    pub(crate) our_records: Records,
    /// The private key of [`THEIRS`].
    pub(crate) their_key: PathBuf,
    scratch: TempDir,
}

/// mailseal's configurations: a name, which is that of the listener that uses it, `policy.dmarc`, whose
/// clamd, and `clamav.on_failure`.
const CONFIGS: &[(&str, &str, Whose, &str)] = &[
    ("tag", "tag", Whose::Shared, "accept"),
    ("quarantine", "quarantine", Whose::Shared, "accept"),
    ("reject", "reject", Whose::Shared, "accept"),
    ("large", "tag", Whose::Shared, "accept"),
    ("marked", "tag", Whose::Mortal, "accept"),
    ("unscanned", "tag", Whose::Mortal, "tempfail"),
    (OBSERVER, "reject", Whose::Shared, "accept"),
];

/// The one that runs with `--observe`.
pub(crate) const OBSERVER: &str = "observer";

/// The two clamds.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Whose {
    Shared,
    Mortal,
}

/// A process for each of [`CONFIGS`].
type Daemons = Vec<(&'static str, Daemon)>;

/// The DNS server, and the threads that it runs on.
struct Dns {
    server: DnsServer,
    _runtime: tokio::runtime::Runtime,
}

impl Mailroom {
    /// Starts all but Sendmail.
    pub(crate) fn open() -> Self {
        // Sendmail takes no socket below a directory that everybody can write, as /tmp is.
        let scratch = tempfile::Builder::new().prefix("mailseal-e2e-").tempdir_in("/var/lib");
        let scratch = scratch.unwrap();
        let dir = scratch.path();
        // Postfix's processes and the daemon's socket are reached by users other than root.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();

        let our_records = make_our_keys(dir);
        let (their_key, their_record) = make_their_key(dir);
        let dns = Dns::start(&zone(&our_records, &their_record));
        let (clamd, mortal_clamd) =
            (Clamd::start(STREAM_BYTES_MAX), Clamd::start(STREAM_BYTES_MAX));
        // Postfix says the login with its realm or without.
        fs::write(dir.join("logins"), format!("joe@{OURS}\tjoe@{OURS},\n joe\nceo@{OURS} ceo\n"))
            .unwrap();
        let daemons = CONFIGS.iter().map(|&(name, dmarc, whose, on_failure)| {
            let clamd = if whose == Whose::Shared { &clamd } else { &mortal_clamd };
            let args: &[&str] = if name == OBSERVER { &["--observe"] } else { &[] };
            (name, Daemon::start(dir, name, args, &config(dir, &dns, dmarc, clamd, on_failure)))
        });
        let daemons: Daemons = daemons.collect();
        let (sink, poor_sink, recorder) =
            (Sink::start(), Sink::without_8bitmime(), Recorder::start());
        let postfix = start_postfix(dir, &daemons, &recorder, &sink, &poor_sink);
        Self {
            postfix,
            sendmail: OnceLock::new(),
            masquerading: OnceLock::new(),
            daemons,
            recorder,
            sink,
            poor_sink,
            mortal_clamd: Mutex::new(mortal_clamd),
            _clamd: clamd,
            _dns: dns,
            our_records,
            their_key,
            scratch,
        }
    }

    pub(crate) fn postfix(&self) -> &Postfix {
        &self.postfix
    }

    /// The daemon of that configuration.
    pub(crate) fn daemon(&self, name: &str) -> &Daemon {
        self.daemons.iter().find_map(|(other, daemon)| (*other == name).then_some(daemon)).unwrap()
    }

    /// Sendmail, started at its first use.
    pub(crate) fn sendmail(&self) -> &Sendmail {
        self.sendmail.get_or_init(|| {
            let dir = self.scratch.path().join("sendmail");
            fs::create_dir(&dir).unwrap();
            let recorder = filter("recorder", self.recorder.addr.port());
            // As the daemon itself says that it wants to be attached.
            let lines = recorder + &printed_filter(self.daemon("tag")).0;
            let lines = Lines { daemon: &lines, submission: "" };
            Sendmail::start(&dir, lines, self.sink.addr)
        })
    }

    /// A Sendmail that masquerades as [`OURS`], with the daemon `quarantine` at its Unix socket; started at its
    /// first use.
    pub(crate) fn masquerading(&self) -> &Sendmail {
        self.masquerading.get_or_init(|| {
            let dir = self.scratch.path().join("masquerading");
            fs::create_dir(&dir).unwrap();
            let masquerade = format!("MASQUERADE_AS(`{OURS}')dnl\n");
            let (_, by_unix_socket) = printed_filter(self.daemon("quarantine"));
            let daemon = masquerade.clone() + &by_unix_socket;
            let lines = Lines { daemon: &daemon, submission: &masquerade };
            Sendmail::start(&dir, lines, self.sink.addr)
        })
    }

    /// The last lines of every log, for a test that failed.
    pub(crate) fn logs(&self) -> String {
        let mut logs = vec![("Postfix", self.postfix.log())];
        let sendmails = [("Sendmail", &self.sendmail), ("masquerading", &self.masquerading)];
        let started = sendmails.iter().filter_map(|(name, one)| Some((*name, one.get()?.log())));
        logs.extend(started);
        logs.extend(self.daemons.iter().map(|(name, daemon)| (*name, daemon.log())));
        logs.iter()
            .fold(String::new(), |all, (name, log)| all + "--- " + name + "\n" + &tail(log) + "\n")
    }
}

/// A filter's line for `sendmail.mc`.
fn filter(name: &str, port: u16) -> String {
    format!(
        "INPUT_MAIL_FILTER(`{name}', `S=inet:{port}@127.0.0.1, F=T, T=C:30s;S:30s;R:30s;E:60s')dnl\n"
    )
}

/// What `serve` printed for `sendmail.mc`: with its TCP socket, and with its Unix socket instead.
fn printed_filter(daemon: &Daemon) -> (String, String) {
    let log = daemon.log();
    let line = log.lines().find(|line| line.starts_with("INPUT_MAIL_FILTER(")).unwrap();
    let other = log.lines().find(|line| line.starts_with("# or instead: ")).unwrap();
    let local = other.split_once('(').unwrap().1.trim_end_matches(')');
    assert!(local.starts_with("local:/"), "{other}");
    let (before, rest) = line.split_once("S=").unwrap();
    let (_, after) = rest.split_once(',').unwrap();
    (format!("{line}\n"), format!("{before}S={local},{after}\n"))
}

impl Dns {
    fn start(zone: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(DnsServer::start(Zone::parse(zone)));
        Self { server, _runtime: runtime }
    }
}

const STREAM_BYTES_MAX: u64 = 50 << 20;

/// The configuration of a daemon. Clients other than 127.0.0.1 are strangers, so that Sendmail, which
/// knows no XCLIENT, has some, too.
fn config(dir: &Path, dns: &Dns, dmarc: &str, clamd: &Clamd, on_failure: &str) -> String {
    let Endpoint::Unix(clamd) = clamd.unix() else { unreachable!() };
    format!(
        "[identity]
authserv_id = \"mx.example.org\"
trusted_networks = [\"127.0.0.1/32\"]
[dns]
servers = [\"{}\"]
[policy]
dmarc = \"{dmarc}\"
[rules]
dir = \"{}/tests/e2e/rules\"
[clamav]
servers = [\"unix:{}\"]
scan_bytes_max = {STREAM_BYTES_MAX}
on_failure = \"{on_failure}\"
[[sign.map]]
from = \"*.{OURS}\"
domain = \"{OURS}\"
{}",
        dns.server.addr,
        env!("CARGO_MANIFEST_DIR"),
        clamd.display(),
        if dmarc == "reject" { checks(dir) } else { String::new() },
    )
}

/// What the strict daemons have in the place of tags.
fn checks(dir: &Path) -> String {
    format!(
        "[identity_gate]
action = \"reject\"
map = \"texthash:{}/logins\"
[backscatter]
delivered_to = \"reject\"
",
        dir.display()
    )
}

/// An RSA and an Ed25519 key for [`OURS`], made, activated and printed as an operator does.
fn make_our_keys(dir: &Path) -> Records {
    fs::write(dir.join("keys.toml"), "[sign]\n").unwrap();
    let mailseal = |args: &[&str]| {
        let mut command = Command::new(MAILSEAL);
        run(command.args(args).arg("--config").arg(dir.join("keys.toml"))).stdout
    };
    mailseal(&["keys", "generate", OURS, "--algorithm", "both"]);
    mailseal(&["keys", "activate", OURS, "--force"]);
    let records = read_records(&String::from_utf8(mailseal(&["dns", "records", OURS])).unwrap());
    let keys = records.iter().filter(|(name, _)| name.contains("._domainkey."));
    assert_eq!(keys.count(), 2, "{records:?}");
    records
}

/// A key for [`THEIRS`]: the path of its PEM file, and the text of its record.
fn make_their_key(dir: &Path) -> (PathBuf, String) {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = AsDer::<Pkcs8V1Der>::as_der(&key).unwrap();
    let public = AsDer::<PublicKeyX509Der>::as_der(key.public_key()).unwrap();
    let path = dir.join("their.pem");
    let base64 = BASE64_STANDARD.encode(private.as_ref());
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    fs::write(&path, pem).unwrap();
    (path, format!("v=DKIM1; k=rsa; p={}", BASE64_STANDARD.encode(public.as_ref())))
}

/// What DNS says of everybody.
fn zone(our_records: &Records, their_record: &str) -> String {
    let ours = our_records.iter().map(|(name, text)| format!("{name} TXT \"{text}\"\n"));
    format!(
        "{THEIRS} SOA 60
{THEIRS} TXT \"v=spf1 ip4:{THEIR_CLIENT} -all\"
_dmarc.{THEIRS} TXT \"v=DMARC1; p=reject\"
{THEIR_SELECTOR}._domainkey.{THEIRS} TXT \"{their_record}\"
{THEIR_HOST} A {THEIR_CLIENT}
10.2.0.192.in-addr.arpa PTR {THEIR_HOST}
{}",
        ours.collect::<String>()
    )
}

/// What rewrites mail after the filters.
const GENERIC: &str = "smtp_generic_maps=inline:{joe@example.org=joseph@example.org}";
const CHECKS: &str = "{ smtp_header_checks = regexp:{{/^Subject:/ REPLACE Subject: replaced}} }";

/// A listener for each daemon, two where clients authenticate, one that says it is for submission, one that
/// speaks an old milter protocol, and one for the recorder.
fn start_postfix(
    dir: &Path,
    daemons: &Daemons,
    recorder: &Recorder,
    sink: &Sink,
    poor_sink: &Sink,
) -> Postfix {
    let dir = dir.join("postfix");
    fs::create_dir(&dir).unwrap();
    let submission: &[&str] = &[
        "smtpd_sasl_auth_enable=yes",
        "smtpd_client_restrictions=permit_sasl_authenticated,reject",
    ];
    let service = |name, addr, options| Service { name, milters: format!("inet:{addr}"), options };
    let mut services: Vec<Service> =
        daemons.iter().map(|(name, daemon)| service(name, daemon.addr, &[])).collect();
    let tag = &daemons[0].1;
    services.push(service("submission", tag.addr, submission));
    let strict = &daemons.iter().find(|(name, _)| *name == "reject").unwrap().1;
    services.push(service("gated", strict.addr, submission));
    services.push(service("originating", tag.addr, &["milter_macro_daemon_name=ORIGINATING"]));
    services.push(service("old", tag.addr, &["milter_protocol=2"]));
    services.push(service("ascii", tag.addr, &["smtputf8_enable=no"]));
    services.push(service("rewriting", tag.addr, &["cleanup_service_name=rewriting"]));
    services.push(service("recorder", recorder.addr, &[]));
    let non_smtpd = format!("unix:{}", tag.socket.display());
    let route = |domain, options, addr| Route { domain, options, addr };
    let routes = [
        route("poor.example", &[], poor_sink.addr),
        route("asis.example", &["disable_mime_output_conversion=yes"], poor_sink.addr),
        route("narrow.example", &["smtp_line_length_limit=100"], sink.addr),
        route("generic.example", &[GENERIC], sink.addr),
        route("checks.example", &[CHECKS], sink.addr),
    ];
    Postfix::start(&dir, &services, &routes, &non_smtpd, sink.addr)
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
