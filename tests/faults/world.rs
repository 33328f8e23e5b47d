//! What a fault happens to: a daemon of its own, behind a listener of Postfix, with a door to DNS and
//! one to clamd; and what all of them share.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use mailseal::config::Endpoint;
use mailseal::dkim::canonical::Canonicalization::Relaxed;
use mailseal::dkim::record::dns_text;
use mailseal::dkim::sign::SigningRequest;
use mailseal::dkim::signing_key::{SigningKey, generate_rsa};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::door::Door;
use crate::message::Message;
use crate::support::clamd::{Clamd, EICAR};
use crate::support::daemon::MAILSEAL;
use crate::support::dns::DnsServer;
use crate::support::postfix::{Postfix, Service};
use crate::support::process::{Process, free_port, run};
use crate::support::sink::Sink;
use crate::support::zone::Zone;
use crate::verifiers::{Records, read_records};

/// The domain whose mail we sign.
pub(crate) const OURS: &str = "example.org";
/// A correspondent that signs, publishes SPF for [`THEIR_CLIENT`] and asks for `p=reject`.
pub(crate) const THEIRS: &str = "sender.example";
/// Where mail of [`THEIRS`] comes from.
pub(crate) const THEIR_CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Where mail comes from that only says that it is theirs.
pub(crate) const IMPOSTOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 8);

/// What all share.
pub(crate) struct Shared {
    dns: DnsServer,
    liar: DnsServer,
    _runtime: tokio::runtime::Runtime,
    clamd: Clamd,
    pub(crate) sink: Sink,
    pub(crate) our_records: Records,
    their_key: SigningKey,
    scratch: tempfile::TempDir,
}

/// What one fault happens to.
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) dir: PathBuf,
    /// Where Postfix takes mail for it.
    pub(crate) smtp: SocketAddr,
    /// Where its daemon listens.
    pub(crate) addr: SocketAddr,
    pub(crate) dns: Door,
    pub(crate) clamd: Door,
    /// The number of the next message.
    pub(crate) number: AtomicUsize,
    /// The daemon's incarnations, each with a log of its own.
    daemons: Mutex<Vec<Process>>,
}

impl Shared {
    pub(crate) fn open() -> Self {
        let scratch = tempfile::Builder::new().prefix("mailseal-faults-").tempdir_in("/var/lib");
        let scratch = scratch.unwrap();
        let dir = scratch.path();
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        let their_key = SigningKey::from_pem(&generate_rsa(2048).unwrap()).unwrap();
        let liars_key = SigningKey::from_pem(&generate_rsa(2048).unwrap()).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let serve = |key: &SigningKey, client: Ipv4Addr| {
            runtime.block_on(DnsServer::start(Zone::parse(&zone(key, client))))
        };
        let dns = serve(&their_key, THEIR_CLIENT);
        let liar = serve(&liars_key, Ipv4Addr::new(203, 0, 113, 1));
        fs::write(dir.join("keys.toml"), "[sign]\n").unwrap();
        let mailseal = |args: &[&str]| {
            let mut command = Command::new(MAILSEAL);
            run(command.args(args).arg("--config").arg(dir.join("keys.toml"))).stdout
        };
        mailseal(&["keys", "generate", OURS]);
        mailseal(&["keys", "activate", OURS, "--force"]);
        let records = String::from_utf8(mailseal(&["dns", "records", OURS])).unwrap();
        Self {
            dns,
            liar,
            _runtime: runtime,
            clamd: Clamd::start(1 << 20),
            sink: Sink::start(),
            our_records: read_records(&records),
            their_key,
            scratch,
        }
    }

    /// Postfix, with a listener for each of those worlds.
    pub(crate) fn postfix(&self, worlds: &[World]) -> Postfix {
        let dir = self.scratch.path().join("postfix");
        fs::create_dir(&dir).unwrap();
        let service = |world: &World| Service {
            name: world.name,
            milters: format!("inet:{}", world.addr),
            options: &["smtpd_error_sleep_time=0"],
        };
        let services: Vec<_> = worlds.iter().map(service).collect();
        Postfix::start(&dir, &services, &[], "", self.sink.addr)
    }

    /// A message of theirs, signed where it is.
    pub(crate) fn their_message(&self, is_signed: bool, is_infected: bool) -> Vec<u8> {
        let body = if is_infected { EICAR } else { "The report is attached." };
        let header = format!(
            "From: anna@{THEIRS}\r\nTo: ann@{OURS}\r\nSubject: The report\r\n\
             Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@{THEIRS}>\r\n"
        );
        let message = Message::parse(format!("{header}\r\n{body}\r\n").as_bytes());
        if !is_signed {
            return message.octets();
        }
        let (fields, oversigned) = (["From", "Subject"].map(str::to_owned), ["From".to_owned()]);
        let body_hash = message.body_hash(Relaxed);
        let request = SigningRequest {
            key: &self.their_key,
            domain: THEIRS,
            selector: "peer",
            auid: None,
            header_canonicalization: Relaxed,
            body_canonicalization: Relaxed,
            fields: &fields,
            oversigned: &oversigned,
            body_hash: &body_hash,
            now: 1_700_000_000,
            expire_secs: None,
        };
        let value = format!(" {}", request.sign(&message.headers).unwrap());
        message.with_field("DKIM-Signature", value.as_bytes()).octets()
    }
}

/// What DNS says of them, for a second only: a cache is not to hide what happens to DNS.
fn zone(key: &SigningKey, client: Ipv4Addr) -> String {
    let record = dns_text(key.key_type(), &key.public_key(), false, false);
    let [a, b, c, d] = THEIR_CLIENT.octets();
    let reverse = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
    let records = [
        (THEIRS.to_owned(), "TXT", format!("\"v=spf1 ip4:{client} -all\"")),
        (format!("_dmarc.{THEIRS}"), "TXT", "\"v=DMARC1; p=reject\"".to_owned()),
        (format!("peer._domainkey.{THEIRS}"), "TXT", format!("\"{record}\"")),
        (format!("mail.{THEIRS}"), "A", client.to_string()),
        (reverse, "PTR", format!("mail.{THEIRS}")),
    ];
    let lines =
        records.map(|(name, kind, value)| format!("{name} {kind} {value}\n{name} {kind} TTL 1\n"));
    format!("{THEIRS} SOA 1\norg SOA 1\narpa SOA 1\n{}", lines.concat())
}

impl World {
    /// All but Postfix's listener, the daemon not started.
    pub(crate) fn new(shared: &Shared, name: &'static str, config: &str) -> Self {
        let dir = shared.scratch.path().join(name);
        fs::create_dir(&dir).unwrap();
        let Endpoint::Inet(clamd) = shared.clamd.inet() else { unreachable!() };
        let (dns, clamd) =
            (Door::before_dns(shared.dns.addr, shared.liar.addr), Door::before_clamd(clamd));
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let smtp = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (number, daemons) = (AtomicUsize::new(0), Mutex::default());
        let world = Self { name, dir, smtp, addr, dns, clamd, number, daemons };
        fs::create_dir(world.dir.join("rules")).unwrap();
        let more = if config.contains("on_failure") { "" } else { "[clamav]\n" };
        let config = format!("{more}{config}");
        let servers = format!("[clamav]\nservers = [\"inet:{}\"]\n", world.clamd.addr);
        let text = format!(
            "[milter]\nlisten = [\"inet:{addr}\"]\n\
             [identity]\nauthserv_id = \"mx.example.org\"\ntrusted_networks = [\"127.0.0.1/32\"]\n\
             [dns]\nservers = [\"{}\"]\n[policy]\ndmarc = \"reject\"\n{}",
            world.dns.addr,
            config.replacen("[clamav]\n", &servers, 1),
        );
        fs::write(world.config(), text).unwrap();
        let keys = shared.scratch.path().join("keys");
        run(Command::new("cp").arg("-a").arg(keys).arg(&world.dir));
        world.give_keys_to("nobody");
        world
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("mailseal.toml")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// Makes the key store somebody's: as its modes are, nobody's but his.
    pub(crate) fn give_keys_to(&self, user: &str) {
        run(Command::new("chown").arg("-R").arg(user).arg(self.keys()));
    }

    /// Starts the daemon, as a user without privileges.
    pub(crate) fn start(&self) {
        self.start_by(|_| ());
    }

    /// The same by a command that `change` has its way with.
    pub(crate) fn start_by(&self, change: impl FnOnce(&mut Command)) {
        let mut serve = Command::new("/usr/bin/setpriv");
        serve.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", MAILSEAL, "serve"]);
        serve.arg("--config").arg(self.config()).current_dir("/");
        change(&mut serve);
        let mut daemons = self.daemons.lock().unwrap();
        let log = self.dir.join(format!("{}.log", daemons.len()));
        let mut daemon = Process::start(&mut serve, &log);
        daemon.wait_for("mailseal", || TcpStream::connect(self.addr).ok());
        daemons.push(daemon);
    }

    /// The daemon's process id.
    pub(crate) fn id(&self) -> u32 {
        self.daemons.lock().unwrap().last().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).unwrap();
    }

    /// Ends the daemon at once.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.daemons.lock().unwrap().last_mut().unwrap().ended();
    }

    /// What the daemons have logged.
    pub(crate) fn log(&self) -> String {
        self.daemons.lock().unwrap().iter().map(Process::log).collect()
    }

    /// Runs a program in the daemon's mount namespace.
    pub(crate) fn inside(&self, program: &str, args: &[&str]) -> Output {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.id().to_string(), "--mount", program]).args(args);
        nsenter.output().unwrap()
    }
}
