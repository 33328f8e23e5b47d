//! Whether anything grows: an hour at half load, with a reload every 30 seconds and a rotation every
//! three minutes:
//!
//!     cargo bench --bench soak
//!     MAILSEAL_SOAK_MINUTES=5 cargo bench --bench soak
//!
//! The rate is half of what the machine does in the first 20 seconds; half of the mail is signed, half
//! verified. A sixtieth of the time is a row of the table. It fails where the last quarter, after a
//! tenth (a minute at least) to warm up, has 10 % more memory than the first, more descriptors or
//! threads, or half as much wait again at the 99th of a hundred messages; medians of the rows are
//! compared. Run it on a machine that does nothing else. PSS depends on what else maps the program.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![allow(clippy::cast_precision_loss, reason = "its counts are small")]
#![allow(dead_code, unreachable_pub, reason = "it uses a part of what tests share")]

mod corpus;
mod load;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corpus::{Key, domains};
use load::{Letter, Sender, Shape, load, memory_mb};
use nix::sys::signal::Signal;
use support::daemon::{Daemon, MAILSEAL};
use support::dns::DnsServer;
use support::milter::Mta;
use support::process::run;
use support::zone::Zone;

const ROWS: u32 = 60;
/// A tenth of them is to warm up, and a minute at least.
const WARM_UP_ROWS: usize = ROWS as usize / 10;
const WARM_UP: Duration = Duration::from_mins(1);
const CALIBRATION: Duration = Duration::from_secs(20);
const RELOAD: Duration = Duration::from_secs(30);
const ROTATION: Duration = Duration::from_mins(3);
const CONNECTIONS: usize = 8;
const MESSAGES_EACH: usize = 10;

/// What is seen in a sixtieth of the time.
#[derive(Clone, Copy, Debug)]
struct Row {
    messages: usize,
    pss_mb: f64,
    resident_mb: f64,
    descriptors: f64,
    threads: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// The daemon, and what it is sent.
struct Soak {
    daemon: Daemon,
    letters: [(Sender, Vec<Letter>); 2],
    waits_ms: Mutex<Vec<f64>>,
    next: AtomicUsize,
    is_over: AtomicBool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let key = Key::generate();
    let dns = DnsServer::start(Zone::parse(&key.zone())).await;
    let addr = dns.addr;
    tokio::task::spawn_blocking(move || soak(&key, addr)).await.unwrap()
}

fn soak(key: &Key, dns: SocketAddr) -> ExitCode {
    let minutes = std::env::var("MAILSEAL_SOAK_MINUTES").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_mins(minutes.unwrap_or(60));
    let dir = tempfile::tempdir().unwrap();
    let soak = Soak::start(dir.path(), key, dns);
    let rate = soak.calibrate() / 2.0;
    println!(
        "{} min at {rate:.0} messages/s, half of what the machine does\n",
        length.as_secs() / 60
    );
    println!(
        "| s | messages | PSS, MB | resident, MB | descriptors | threads | p50, ms | p99, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let (soak, rotation) = (&soak, ROTATION.min(length / 4));
    let rows = thread::scope(|scope| {
        for worker in 0..CONNECTIONS {
            scope.spawn(move || {
                let _over = Over(&soak.is_over);
                soak.send(worker, rate);
            });
        }
        scope.spawn(|| soak.every(RELOAD, || soak.daemon.signal(Signal::SIGHUP)));
        scope.spawn(move || {
            soak.every(rotation, || rotate(&soak.daemon.config, &domains().next().unwrap()));
        });
        let over = Over(&soak.is_over);
        let going = (1..=ROWS).take_while(|_| !soak.is_over.load(Ordering::Relaxed));
        let rows: Vec<Row> = going.map(|row| soak.row(length / ROWS, row)).collect();
        drop(over);
        rows
    });
    let minute = WARM_UP.as_millis().div_ceil((length / ROWS).as_millis()) as usize;
    verdict(&rows[WARM_UP_ROWS.max(minute).min(rows.len() / 2)..])
}

/// Ends the load, also where something fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A new key for that domain, which signs at once.
fn rotate(config: &Path, domain: &str) {
    for args in [&["keys", "generate"][..], &["keys", "activate", "--force"]] {
        run(Command::new(MAILSEAL).args(args).arg(domain).arg("--config").arg(config));
    }
}

impl Soak {
    fn start(dir: &Path, key: &Key, dns: SocketAddr) -> Self {
        let config = format!(
            "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{dns}\"]\n\
             [rules]\ndir = \"{}/rules\"\n[telemetry]\nlevel = \"error\"\n",
            env!("CARGO_MANIFEST_DIR")
        );
        let empty = dir.join("keys.toml");
        fs::write(&empty, "[sign]\n").unwrap();
        for domain in domains() {
            rotate(&empty, &domain);
        }
        let daemon = Daemon::start(dir, "soak", &[], &config);
        let mixed = corpus::mixed();
        let signed = mixed.iter().map(|message| Letter::new(&key.sign(message, 1))).collect();
        let unsigned = mixed.iter().map(Letter::new).collect();
        let letters = [(Sender::Stranger, signed), (Sender::User, unsigned)];
        let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { daemon, letters, waits_ms: Mutex::default(), next, is_over }
    }

    /// Messages a second, as many as go.
    fn calibrate(&self) -> f64 {
        let shape = Shape { connections: CONNECTIONS, messages_each: MESSAGES_EACH };
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < CALIBRATION {
            for (sender, letters) in &self.letters {
                // So many that the last of them, sent with fewer at once, don't tell.
                let many = 10 * letters.len();
                load(&self.daemon.socket, self.daemon.id(), letters, many, *sender, shape).unwrap();
                count += many;
            }
        }
        count as f64 / start.elapsed().as_secs_f64()
    }

    /// One connection after the other, each message at its time.
    fn send(&self, worker: usize, rate: f64) {
        let each = Duration::from_secs_f64(CONNECTIONS as f64 / rate);
        let mut due = Instant::now() + each * worker as u32 / CONNECTIONS as u32;
        let (sender, letters) = &self.letters[worker % 2];
        while !self.is_over.load(Ordering::Relaxed) {
            let mut mta = Mta::connect_unix(&self.daemon.socket).unwrap();
            mta.session(&letters[0].mail(*sender)).unwrap();
            for _ in 0..MESSAGES_EACH {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                due += each;
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let wait = letters[number % letters.len()].play(&mut mta, *sender).unwrap().0;
                self.waits_ms.lock().unwrap().push(wait.as_secs_f64() * 1e3);
            }
            mta.send(b'Q', b"").unwrap();
        }
    }

    fn every(&self, interval: Duration, act: impl Fn()) {
        let mut due = Instant::now() + interval;
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(100));
            if Instant::now() >= due {
                act();
                due += interval;
            }
        }
    }

    fn row(&self, length: Duration, number: u32) -> Row {
        thread::sleep(length);
        let mut waits_ms = std::mem::take(&mut *self.waits_ms.lock().unwrap());
        waits_ms.sort_by(f64::total_cmp);
        let percentile = |percent: usize| {
            let at = (waits_ms.len() * percent / 100).min(waits_ms.len().saturating_sub(1));
            waits_ms.get(at).copied().unwrap_or_default()
        };
        let process = self.daemon.id();
        let row = Row {
            messages: waits_ms.len(),
            pss_mb: memory_mb(process),
            resident_mb: status(process, "VmRSS:") * 1024.0 / 1e6,
            descriptors: fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as f64,
            threads: status(process, "Threads:"),
            p50_ms: percentile(50),
            p99_ms: percentile(99),
        };
        println!(
            "| {} | {} | {:.1} | {:.1} | {} | {} | {:.2} | {:.2} |",
            (length * number).as_secs(),
            row.messages,
            row.pss_mb,
            row.resident_mb,
            row.descriptors,
            row.threads,
            row.p50_ms,
            row.p99_ms
        );
        row
    }
}

/// A number of `/proc/PROCESS/status`.
fn status(process: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A figure of a row.
type Figure = fn(&Row) -> f64;

/// What may differ between the first and the last quarter: a factor, and what is added to it.
const BOUNDS: [(&str, Figure, f64, f64); 4] = [
    ("resident memory", |row| row.resident_mb, 1.1, 0.0),
    // Sockets of look-ups come and go.
    ("descriptors", |row| row.descriptors, 1.0, 8.0),
    ("threads", |row| row.threads, 1.0, 4.0),
    ("p99", |row| row.p99_ms, 1.5, 0.0),
];

fn verdict(rows: &[Row]) -> ExitCode {
    let quarter = rows.len() / 4;
    let mut grows = false;
    println!();
    for (what, value, factor, more) in BOUNDS {
        let median = |rows: &[Row]| {
            let mut values: Vec<f64> = rows.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let (first, last) = (median(&rows[..quarter]), median(&rows[rows.len() - quarter..]));
        let is_flat = last <= first * factor + more;
        grows |= !is_flat;
        let word = if is_flat { "flat" } else { "GROWS" };
        println!("{what}: {first:.2} in the first quarter, {last:.2} in the last: {word}");
    }
    if grows { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
