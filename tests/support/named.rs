//! Debian's `named` on loopback: a primary that takes updates signed by a key, and secondaries.
//!
//! Each is found at an address of its own, 127.0.0.N, all on one port, as NS records carry none; a
//! [`Relay`] stands there. Programs that know no port but 53 want [`NameServers::start_on`] with it,
//! and root.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use mailseal::config;
use mailseal::dns::{Authority, Resolver};
use tempfile::TempDir;

use super::process::{Process, free_port};
use super::relay::Relay;

/// Debian's daemon.
const NAMED: &str = "/usr/sbin/named";
/// The first server's address; the others have the next ones.
const FIRST: u8 = 21;
/// The name of the key that may update.
pub const KEY_NAME: &str = "mailseal-test";

/// A zone that all servers have.
#[derive(Clone, Copy, Debug)]
pub struct Zone<'a> {
    /// Its name.
    pub origin: &'a str,
    /// How long a denial may be remembered.
    pub negative_ttl_secs: u32,
    /// Its records but SOA and NS, as lines of a zone file with names below the origin; a line
    /// may be indented.
    pub records: &'a str,
}

/// What a secondary does when the primary's zone changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Secondary {
    /// It is told, and follows within a second.
    Prompt,
    /// It is not told, and keeps the old zone until [`NameServers::catch_up`].
    Lagging,
}

/// The servers; they end with this value.
pub struct NameServers {
    /// The primary first, then the secondaries in their order.
    pub servers: Vec<Named>,
    /// The port of all.
    pub port: u16,
    /// The file of the key that may update, mode 0600, in BIND's syntax.
    pub key_file: PathBuf,
    origins: Vec<String>,
    /// The last field: it goes when all processes have ended.
    dir: TempDir,
}

/// One server.
pub struct Named {
    /// Where it answers.
    pub addr: SocketAddr,
    /// Where it really listens.
    own: SocketAddr,
    /// Whether the primary tells it of changes.
    is_prompt: bool,
    relay: Relay,
    process: Option<Process>,
    conf: PathBuf,
}

impl NameServers {
    /// Starts a primary and secondaries on a free port.
    pub fn start(zones: &[Zone<'_>], secondaries: &[Secondary]) -> Self {
        Self::start_on(common_port(1 + secondaries.len()), zones, secondaries)
    }

    /// The same on a port of the caller's.
    ///
    /// # Panics
    /// Where somebody else has the port on one of the addresses.
    pub fn start_on(port: u16, zones: &[Zone<'_>], secondaries: &[Secondary]) -> Self {
        Self::start_at(FIRST, port, zones, secondaries)
    }

    /// The same, the primary at 127.0.0.N and the secondaries behind it.
    pub fn start_at(first: u8, port: u16, zones: &[Zone<'_>], secondaries: &[Secondary]) -> Self {
        assert!(Path::new(NAMED).exists(), "{NAMED} is missing; run tests/install");
        let dir = tempfile::tempdir().unwrap();
        let addrs: Vec<SocketAddr> =
            (0..=secondaries.len()).map(|n| addr(first, n, port)).collect();
        let local = |_| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let own: Vec<SocketAddr> = addrs.iter().map(local).collect();
        let key_file = dir.path().join("update.key");
        fs::write(&key_file, key_text()).unwrap();
        fs::set_permissions(&key_file, Permissions::from_mode(0o600)).unwrap();
        let prompt = secondaries.iter().zip(&own[1..]);
        let prompt = prompt.filter(|(kind, _)| **kind == Secondary::Prompt).map(|(_, addr)| *addr);
        let prompt: Vec<SocketAddr> = prompt.collect();
        let mut servers = Vec::new();
        for (n, addr) in addrs.iter().enumerate() {
            let home = dir.path().join(format!("ns{}", n + 1));
            fs::create_dir(&home).unwrap();
            let mut conf = options(&home, own[n]);
            let _ = writeln!(conf, "include \"{}\";", key_file.display());
            for zone in zones {
                if n == 0 {
                    fs::write(home.join(zone.origin), zone_text(*zone, &addrs)).unwrap();
                    conf.push_str(&primary(zone.origin, &prompt));
                } else {
                    conf.push_str(&secondary(zone.origin, own[0]));
                }
            }
            let path = home.join("named.conf");
            fs::write(&path, conf).unwrap();
            let relay = Relay::start(*addr, own[n]).unwrap_or_else(|why| {
                panic!("{addr} is needed and cannot be had: {why}; see: ss -lntup")
            });
            let is_prompt = n > 0 && secondaries[n - 1] == Secondary::Prompt;
            let (addr, own) = (*addr, own[n]);
            servers.push(Named { addr, own, is_prompt, relay, process: None, conf: path });
        }
        let origins: Vec<String> = zones.iter().map(|zone| zone.origin.to_owned()).collect();
        let mut set = Self { servers, port, key_file, origins, dir };
        // The primary's first NOTIFY must find those that it tells: else it tries for a minute, and
        // tells nothing of later changes in that time. The others must find the primary.
        let is_late = |n: &usize| *n > 0 && !set.servers[*n].is_prompt;
        let (late, early): (Vec<usize>, Vec<usize>) = (0..set.servers.len()).partition(is_late);
        for n in early.iter().rev() {
            set.servers[*n].start();
        }
        for n in early {
            set.wait_until_loaded(n);
        }
        for n in late {
            set.restart(n);
        }
        set
    }

    /// Settings of a resolver that asks the primary.
    pub fn settings(&self) -> config::Dns {
        config::Dns { servers: vec![self.servers[0].addr], timeout: Duration::from_secs(2) }
    }

    /// The way to these servers.
    pub fn authority(&self) -> Authority {
        Authority::new(Resolver::new(&self.settings()).unwrap()).with_port(self.port)
    }

    /// Ends one server: it will not answer.
    pub fn stop(&mut self, n: usize) {
        self.servers[n].process = None;
    }

    /// Starts it again.
    pub fn restart(&mut self, n: usize) {
        self.servers[n].start();
        self.wait_until_loaded(n);
    }

    /// Tells a lagging secondary that the zones have changed.
    pub fn catch_up(&self, n: usize) {
        for origin in &self.origins {
            notify(self.servers[n].own, origin);
        }
    }

    /// Runs `nsupdate` with these commands, signed by the key.
    pub fn update(&self, commands: &str) {
        let script = self.dir.path().join("nsupdate.txt");
        let server = self.servers[0].addr;
        let text = format!("server {} {}\n{commands}\nsend\n", server.ip(), server.port());
        fs::write(&script, text).unwrap();
        super::process::run(Command::new("nsupdate").arg("-k").arg(&self.key_file).arg(script));
    }

    /// A file in the servers' scratch directory.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn wait_until_loaded(&mut self, n: usize) {
        let server = &mut self.servers[n];
        let is_prompt = server.is_prompt;
        let (own, log) = (server.own, server.conf.with_extension("log"));
        let process = server.process.as_mut().unwrap();
        for origin in &self.origins {
            process.wait_for(origin, || {
                let is_refused = fs::read_to_string(&log).unwrap_or_default();
                assert!(!is_refused.contains("not loaded due to errors"), "{is_refused}");
                if is_prompt {
                    // It may have asked the primary before that was there.
                    let _ = exchange(own, &notification(origin));
                }
                has_zone(own, origin).then_some(())
            });
        }
    }
}

impl Named {
    fn start(&mut self) {
        let log = self.conf.with_extension("log");
        let mut named = Command::new(NAMED);
        named.args(["-g", "-n", "1", "-c"]).arg(&self.conf);
        let process = self.process.insert(Process::start(&mut named, &log));
        let own = self.own;
        process.wait_for("named", || exchange(own, &Message::query()));
    }

    /// From now on it answers over UDP alone.
    pub fn close_tcp(&self) {
        self.relay.close_tcp();
    }

    /// What it has logged since it was started last.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

fn addr(first: u8, n: usize, port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, first + u8::try_from(n).unwrap()), port))
}

/// A port that is free on the addresses of so many servers.
fn common_port(servers: usize) -> u16 {
    loop {
        let port = free_port();
        if (0..servers).all(|n| sockets(addr(FIRST, n, port)).is_ok()) {
            return port;
        }
    }
}

fn sockets(addr: SocketAddr) -> std::io::Result<(TcpListener, UdpSocket)> {
    Ok((TcpListener::bind(addr)?, UdpSocket::bind(addr)?))
}

fn key_text() -> String {
    // 32 octets, for tests alone.
    let secret = "bWFpbHNlYWwgdGVzdCBrZXksIG5vdCBhIHNlY3JldCE=";
    format!("key \"{KEY_NAME}\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{secret}\";\n}};\n")
}

fn options(home: &Path, addr: SocketAddr) -> String {
    let (home, ip, port) = (home.display(), addr.ip(), addr.port());
    format!(
        "options {{
            directory \"{home}\"; pid-file none; session-keyfile none; managed-keys-directory \"{home}\";
            listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }};
            recursion no; dnssec-validation no; empty-zones-enable no;
            notify no; serial-query-rate 100; startup-notify-rate 100; notify-delay 0;
            minimal-responses no; ixfr-from-differences no; max-udp-size 1232;
        }};
        controls {{ }};
        "
    )
}

fn primary(origin: &str, prompt: &[SocketAddr]) -> String {
    let mut told = String::new();
    for addr in prompt {
        let _ = write!(told, "{} port {}; ", addr.ip(), addr.port());
    }
    format!(
        "zone \"{origin}\" {{
            type primary; check-names ignore; file \"{origin}\"; allow-transfer {{ any; }};
            update-policy {{ grant {KEY_NAME} zonesub TXT CNAME; }};
            notify explicit; also-notify {{ {told}}};
        }};
        "
    )
}

fn secondary(origin: &str, primary: SocketAddr) -> String {
    let (ip, port) = (primary.ip(), primary.port());
    format!(
        "zone \"{origin}\" {{
            type secondary; check-names ignore; primaries port {port} {{ {ip}; }};
            min-refresh-time 86400; max-refresh-time 86400;
        }};
        "
    )
}

fn zone_text(zone: Zone<'_>, addrs: &[SocketAddr]) -> String {
    let Zone { origin, negative_ttl_secs, records } = zone;
    let mut text = format!(
        "$ORIGIN {origin}.\n$TTL 300\n\
         @ SOA ns1 postmaster 1 86400 3600 604800 {negative_ttl_secs}\n"
    );
    for (n, addr) in addrs.iter().enumerate() {
        let _ = writeln!(text, "@ NS ns{n}\nns{n} A {}", addr.ip(), n = n + 1);
    }
    // A line that begins with a blank would belong to the name above it.
    let lines = records.lines().map(|line| line.trim_start().to_owned() + "\n");
    text.extend(lines);
    text
}

fn has_zone(server: SocketAddr, origin: &str) -> bool {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(origin).unwrap(), RecordType::SOA));
    exchange(server, &message).is_some_and(|reply| !reply.answers.is_empty())
}

fn notify(server: SocketAddr, origin: &str) {
    assert!(exchange(server, &notification(origin)).is_some(), "{server} took no NOTIFY");
}

/// RFC 1996.
fn notification(origin: &str) -> Message {
    let mut message = Message::new(1996, MessageType::Query, OpCode::Notify);
    message.metadata.authoritative = true;
    message.add_query(Query::query(Name::from_ascii(origin).unwrap(), RecordType::SOA));
    message
}

fn exchange(server: SocketAddr, message: &Message) -> Option<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // A connected socket learns at once that nobody listens.
    socket.connect(server).ok()?;
    socket.send(&message.to_vec().unwrap()).ok()?;
    let mut reply = [0; 4096];
    let length = socket.recv(&mut reply).ok()?;
    Message::from_vec(&reply[..length]).ok()
}
