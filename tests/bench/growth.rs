//! What a message costs mailseal, against its size, header fields, signatures, and against rules,
//! domains and connections; and how much memory it takes at most:
//!
//!     cargo bench --bench growth
//!
//! in about two minutes. Processor time is the daemon's, in ms a message, the median of three
//! rounds; the load shares the machine with it. Nothing may grow faster than its cause, and
//! connections and domains are to cost nothing.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![allow(clippy::cast_precision_loss, reason = "its counts are small")]
#![allow(dead_code, unreachable_pub, reason = "it uses a part of what tests share")]

mod corpus;
mod load;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use corpus::{Key, domains};
use load::{Letter, Sender, Shape, cpu_secs, load, memory_mb};
use mailseal::keys::state::Algorithm;
use mailseal::keys::{DomainName, Store};
use message::Message;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::daemon::Daemon;
use support::dns::DnsServer;
use support::milter::Mta;
use support::zone::Zone;
use tempfile::TempDir;

const ROUNDS: usize = 3;
const SHAPE: Shape = Shape { connections: 8, messages_each: 10 };

/// What the daemons of a run are made of.
struct Bench {
    key: Key,
    dns: SocketAddr,
    dir: TempDir,
}

#[tokio::main]
async fn main() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(65_536), most).unwrap();
    let key = Key::generate();
    let dns = DnsServer::start(Zone::parse(&key.zone())).await;
    let bench = Bench { key, dns: dns.addr, dir: tempfile::tempdir().unwrap() };
    tokio::task::spawn_blocking(move || bench.run()).await.unwrap();
}

impl Bench {
    fn run(&self) {
        let daemon = self.daemon("plain", "");
        self.size(&daemon);
        self.fields(&daemon);
        self.signatures(&daemon);
        self.connections(&daemon);
        drop(daemon);
        self.answers();
        self.rules();
        self.domains();
        self.peak();
    }

    fn size(&self, daemon: &Daemon) {
        head("octets of the body", &["verify", "sign"]);
        for (name, octets, count) in [
            ("4 KB", 4 << 10, 800),
            ("40 KB", 40 << 10, 400),
            ("400 KB", 400 << 10, 200),
            ("4 MB", 4 << 20, 40),
            ("40 MB", 40 << 20, 8),
        ] {
            let message = corpus::sized(1, octets).remove(0);
            let verify = Self::cost(daemon, &self.key.sign(&message, 1), count, Sender::Stranger);
            row(name, &[verify, Self::cost(daemon, &message, count, Sender::User)]);
        }
    }

    fn fields(&self, daemon: &Daemon) {
        head("header fields", &["verify", "sign"]);
        for (name, more, count) in
            [("10", 0, 800), ("100", 90, 800), ("1,000", 990, 200), ("10,000", 9_990, 40)]
        {
            let message = corpus::message(0, 4 << 10, more);
            let verify = Self::cost(daemon, &self.key.sign(&message, 1), count, Sender::Stranger);
            row(name, &[verify, Self::cost(daemon, &message, count, Sender::User)]);
        }
    }

    fn signatures(&self, daemon: &Daemon) {
        head("signatures", &["verify"]);
        for signatures in [1, 2, 5, 10, 20, 50, 100] {
            let message = self.key.sign(&corpus::message(0, 4 << 10, 0), signatures);
            let cost = Self::cost(daemon, &message, 400, Sender::Stranger);
            row(&signatures.to_string(), &[cost]);
        }
    }

    fn connections(&self, daemon: &Daemon) {
        head("idle connections beside it", &["verify", "memory, MB"]);
        let message = self.key.sign(&corpus::message(0, 4 << 10, 0), 1);
        let mut idle: Vec<Mta> = Vec::new();
        for connections in [1, 10, 100, 1_000, 2_000] {
            let connect = |_| Mta::connect_unix(&daemon.socket).unwrap();
            idle.extend((idle.len()..connections).map(connect));
            let cost = Self::cost(daemon, &message, 800, Sender::Stranger);
            row(&connections.to_string(), &[cost, memory_mb(daemon.id())]);
        }
        drop(idle);
        head("connections that send", &["verify"]);
        for connections in [1, 10, 100, 1_000, 2_000] {
            let (count, shape) = (800.max(10 * connections), Shape { connections, ..SHAPE });
            let cost = Self::cost_in(shape, daemon, &message, count, Sender::Stranger);
            row(&connections.to_string(), &[cost]);
        }
    }

    /// Each domain leaves two answers, that there is no SPF and no DMARC record.
    fn answers(&self) {
        head("answers that the cache holds", &["verify", "memory, MB"]);
        let daemon = self.daemon("answers", "");
        let message = self.key.sign(&corpus::message(0, 4 << 10, 0), 1);
        let mut known = 0;
        for answers in [0, 100, 1_000, 10_000] {
            let domains = known..answers / 2;
            known = answers / 2;
            let letters: Vec<Letter> = domains.map(stranger).collect();
            let (count, sender) = (letters.len(), Sender::Stranger);
            load(&daemon.socket, daemon.id(), &letters, count, sender, SHAPE).unwrap();
            let cost = Self::cost(&daemon, &message, 800, sender);
            row(&answers.to_string(), &[cost, memory_mb(daemon.id())]);
        }
    }

    fn rules(&self) {
        head(
            "rules, half on the header and half on the body",
            &["4 KB", "40 KB", "40 KB, 100 near misses", "memory, MB"],
        );
        for rules in [0, 10, 100, 1_000, 10_000] {
            let name = format!("rules-{rules}");
            let dir = self.dir.path().join(&name);
            fs::create_dir(&dir).unwrap();
            if rules > 0 {
                fs::write(dir.join("many.toml"), rule_file(rules)).unwrap();
            }
            let daemon = self.daemon(&name, &format!("[rules]\ndir = \"{}\"\n", dir.display()));
            let cost = |octets, near_misses| {
                let mut message = corpus::message(0, octets, 0);
                message.body.extend(near(near_misses).into_bytes());
                Self::cost(&daemon, &self.key.sign(&message, 1), 400, Sender::Stranger)
            };
            let costs = [cost(4 << 10, 0), cost(40 << 10, 0), cost(40 << 10, 100)];
            row(&rules.to_string(), &[&costs[..], &[memory_mb(daemon.id())]].concat());
        }
    }

    fn domains(&self) {
        head("domains with keys", &["sign", "memory, MB"]);
        for count in [1, 10, 100, 1_000, 10_000] {
            let name = format!("domains-{count}");
            let keys = self.store(&name, count);
            let daemon = self.daemon(&name, &format!("[sign]\nkeys = \"{}\"\n", keys.display()));
            settle(&daemon);
            let message = corpus::message(0, 4 << 10, 0);
            let cost = Self::cost(&daemon, &message, 800, Sender::User);
            row(&count.to_string(), &[cost, memory_mb(daemon.id())]);
        }
    }

    /// A key store of that many domains, the first of them the sender's.
    fn store(&self, name: &str, count: usize) -> PathBuf {
        let root = self.dir.path().join(format!("{name}.keys"));
        let first = domains().next().unwrap();
        let store = Store::new(root.clone());
        let domain: DomainName = first.parse().unwrap();
        store.add(&domain, Some("rsa".parse().unwrap()), Algorithm::Rsa, &self.key.pem, 1).unwrap();
        support::keys::forced(&store, &domain, None, 2).unwrap();
        for number in 1..count {
            let dir = root.join(format!("other{number}.example"));
            DirBuilder::new().mode(0o700).create(&dir).unwrap();
            for file in ["state.toml", "rsa.pem"] {
                fs::hard_link(root.join(&first).join(file), dir.join(file)).unwrap();
            }
        }
        root
    }

    fn peak(&self) {
        println!("\n| at the most | resident, MB |\n|---|---|");
        let daemon = self.daemon("idle", "");
        let peak = || daemon.peak_memory_kib() as f64 * 1024.0 / 1e6;
        row("at the start", &[peak()]);
        let idle: Vec<Mta> =
            (0..1_000).map(|_| Mta::connect_unix(&daemon.socket).unwrap()).collect();
        row("1,000 idle connections", &[peak()]);
        drop(idle);
        let daemon = self.daemon("large", "");
        let message = self.key.sign(&corpus::sized(1, 40 << 20)[0], 1);
        let shape = Shape { connections: 64, messages_each: 1 };
        let letters = [Letter::new(&message)];
        load(&daemon.socket, daemon.id(), &letters, 64, Sender::Stranger, shape).unwrap();
        row("64 messages of 40 MB at once", &[daemon.peak_memory_kib() as f64 * 1024.0 / 1e6]);
    }

    fn daemon(&self, name: &str, config: &str) -> Daemon {
        let none = self.dir.path().join("none");
        let mut all = format!(
            // It begins in [milter].
            "connections_max = 4096\n\
             [identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{}\"]\n\
             [limits]\nheader_fields_max = 20000\nheader_bytes_max = 16777216\ntransactions_max = 4096\n\
             [telemetry]\nlevel = \"error\"\n{config}",
            self.dns
        );
        if !config.contains("[sign]") {
            let keys = self.store(&format!("{name}-plain"), 1);
            write!(all, "[sign]\nkeys = \"{}\"\n", keys.display()).unwrap();
        }
        if !config.contains("[rules]") {
            write!(all, "[rules]\ndir = \"{}\"\n", none.display()).unwrap();
        }
        fs::create_dir_all(none).unwrap();
        Daemon::start(self.dir.path(), name, &[], &all)
    }

    /// Processor time of a message, in ms.
    fn cost(daemon: &Daemon, message: &Message, count: usize, sender: Sender) -> f64 {
        Self::cost_in(SHAPE, daemon, message, count, sender)
    }

    fn cost_in(
        shape: Shape,
        daemon: &Daemon,
        message: &Message,
        count: usize,
        sender: Sender,
    ) -> f64 {
        let letters = [Letter::new(message)];
        let once = |count| {
            load(&daemon.socket, daemon.id(), &letters, count, sender, shape).unwrap().cpu_ms
        };
        once(count.min(40));
        let mut costs: Vec<f64> = (0..ROUNDS).map(|_| once(count)).collect();
        costs.sort_by(f64::total_cmp);
        costs[ROUNDS / 2]
    }
}

/// Waits until the daemon has looked at the records of all its keys.
fn settle(daemon: &Daemon) {
    let mut before = -1.0;
    while cpu_secs(daemon.id()) > before {
        before = cpu_secs(daemon.id()) + 0.02;
        thread::sleep(Duration::from_secs(1));
    }
}

fn head(cause: &str, columns: &[&str]) {
    println!("\n| {cause} | {} |", columns.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
}

fn row(cause: &str, values: &[f64]) {
    let cells: Vec<String> = values.iter().map(|value| format!("{value:.3}")).collect();
    println!("| {cause} | {} |", cells.join(" | "));
}

/// Mail of a domain that DNS does not know.
fn stranger(number: usize) -> Letter {
    let octets = corpus::message(0, 500, 0).octets();
    let text = String::from_utf8(octets).unwrap().replace("sender00", &format!("stranger{number}"));
    Letter::new(&Message::parse(text.as_bytes()))
}

/// Text that has what so many rules look for first, and not what they find.
fn near(count: usize) -> String {
    let lines = (0..count).map(|number| format!("The casino prize{number} of today.\r\n"));
    lines.collect::<Vec<_>>().concat()
}

/// Rules as administrators write them; none finds anything in our mail.
fn rule_file(count: usize) -> String {
    let mut file = String::new();
    for number in 0..count {
        let pattern = format!(r"(?i)\b(?:offer|casino)[ _.-]{{1,3}}prize{number}[0-9]{{2}}\b");
        let (when, fields) = if number % 2 == 0 {
            (format!("{{ body = '{pattern}' }}"), "")
        } else {
            (format!("{{ header = \"Subject\", matches = '{pattern}' }}"), "Subject: ")
        };
        write!(
            file,
            "[[rule]]\nname = \"prize-{number}\"\nabout = \"A prize.\"\nwhen = {when}\n\
             examples.hit = ['{fields}casino prize{number}00']\n\
             examples.miss = ['{fields}casino prize']\n"
        )
        .unwrap();
    }
    file
}
