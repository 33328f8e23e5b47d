//! What scanning by mailseal costs, beside Debian's clamav-milter on the same clamd, in one run:
//!
//!     apt-get install clamav-daemon clamav-milter
//!     cargo test --release --test bench_scan
//!
//! The wait at the end of a message is measured from its last body chunk, which the kernel has
//! taken, to the filter's final reply. clamd's own is the same wait for the same octets, streamed to
//! it without a filter; what is more is the filter's. Rounds of the three are interleaved, all over
//! Unix sockets. clamd's cache is off: real messages differ. Verification, signing and rules are off:
//! clamav-milter has none.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![allow(clippy::cast_precision_loss, reason = "its counts are small")]

mod support;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use support::clamd::Clamd;
use support::daemon::Daemon;
use support::milter::{Mail, Mta};
use support::process::Process;

const SIZES: [(&str, usize, usize); 4] = [
    ("4 KiB", 4 << 10, 400),
    ("40 KiB", 40 << 10, 400),
    ("400 KiB", 400 << 10, 120),
    ("4 MiB", 4 << 20, 40),
];
const CHUNK_BYTES: usize = 65_535;
const CONNECTIONS: usize = 8;

fn main() {
    // Started by a runner that lists tests, it has none.
    if std::env::args().any(|arg| arg == "--list") {
        return;
    }
    let clamd = Clamd::start_with(100 << 20, "DisableCache yes\nMaxQueue 200\n");
    let dir = tempfile::tempdir().unwrap();
    let ours = start_ours(dir.path(), &clamd);
    let theirs = start_theirs(dir.path(), &clamd);
    let filters = [("mailseal", ours.socket.as_path()), ("clamav-milter", theirs.1.as_path())];
    println!("Milliseconds, p50 (p99), and p50 less that of clamd alone:");
    println!("| size | by | at the end | added | in all | added | 8 at once |");
    println!("|---|---|---|---|---|---|---|");
    for (name, octets, rounds) in SIZES {
        let body = text(octets);
        let (mut alone, mut waits) = (Vec::new(), [Vec::new(), Vec::new()]);
        for round in 0..rounds + rounds / 10 {
            let measured =
                [direct(&clamd, &body), wait(filters[0].1, &body), wait(filters[1].1, &body)];
            // The first are to warm up.
            if round >= rounds / 10 {
                alone.push(measured[0]);
                waits[0].push(measured[1]);
                waits[1].push(measured[2]);
            }
        }
        let mut rates = [[0.0; 3]; 2];
        for run in 0..3 {
            for (rates, (_, socket)) in rates.iter_mut().zip(filters) {
                rates[run] = rate(socket, &body, rounds);
            }
        }
        report(name, "clamd alone", &mut alone, None, None);
        for (at, (filter, _)) in filters.iter().enumerate() {
            rates[at].sort_by(f64::total_cmp);
            report(name, filter, &mut waits[at], Some(&mut alone), Some(rates[at][1]));
        }
    }
}

fn report(
    size: &str,
    who: &str,
    waits: &mut [Wait],
    alone: Option<&mut Vec<Wait>>,
    rate: Option<f64>,
) {
    let mut alone = alone;
    let mut cells = Vec::new();
    for what in [|wait: &Wait| wait.at_the_end, |wait: &Wait| wait.in_all] {
        let p50 = percentile(waits, what, 50);
        cells.push(format!("{p50:.2} ({:.2})", percentile(waits, what, 99)));
        let added = alone.as_mut().map(|alone| p50 - percentile(alone, what, 50));
        cells.push(added.map_or_else(|| "-".to_owned(), |added| format!("{added:.2}")));
    }
    cells.push(rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}/s")));
    println!("| {size} | {who} | {} |", cells.join(" | "));
}

/// How long a message took, in milliseconds.
#[derive(Clone, Copy)]
struct Wait {
    /// From when its last octet was handed over.
    at_the_end: f64,
    /// From its first.
    in_all: f64,
}

impl Wait {
    fn since(begun: Instant, ended: Instant) -> Self {
        let ms = |since: Instant| since.elapsed().as_secs_f64() * 1000.0;
        Self { at_the_end: ms(ended), in_all: ms(begun) }
    }
}

fn start_ours(dir: &Path, clamd: &Clamd) -> Daemon {
    let config = format!(
        "[identity]\nauthserv_id = \"mx.example.org\"\n[verify]\nenabled = false\n\
         [dns]\nservers = [\"127.0.0.1:1\"]\n[telemetry]\nlevel = \"warn\"\n\
         [clamav]\nservers = [\"{}\"]\nscan_bytes_max = 104857600\n",
        clamd.unix()
    );
    Daemon::start(dir, "serve", &[], &config)
}

fn start_theirs(dir: &Path, clamd: &Clamd) -> (Process, PathBuf) {
    let socket = dir.join("clamav-milter.sock");
    let config = format!(
        "MilterSocket unix:{}\nClamdSocket unix:{}\nAddHeader Replace\nForeground yes\n\
         OnInfected Reject\nMaxFileSize 100M\nTemporaryDirectory {}\nUser root\n",
        socket.display(),
        clamd.socket_path().display(),
        dir.display(),
    );
    let path = dir.join("clamav-milter.conf");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new("/usr/sbin/clamav-milter");
    let mut process = Process::start(command.arg("-c").arg(path), &dir.join("clamav-milter.log"));
    process.wait_for("clamav-milter", || UnixStream::connect(&socket).ok());
    (process, socket)
}

/// Text that no two lines of are alike, as in a base64 attachment.
fn text(octets: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[(state >> 59) as usize]
    };
    (0..octets)
        .map(|at| match at % 78 {
            76 => b'\r',
            77 => b'\n',
            _ => next(),
        })
        .collect()
}

/// The message streamed to clamd without a filter.
fn direct(clamd: &Clamd, body: &[u8]) -> Wait {
    let begun = Instant::now();
    let mut stream = UnixStream::connect(clamd.socket_path()).unwrap();
    stream.write_all(b"zINSTREAM\0").unwrap();
    for chunk in
        [b"From: joe@example.net\r\n\r\n".as_slice()].into_iter().chain(body.chunks(CHUNK_BYTES))
    {
        stream.write_all(&(chunk.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(chunk).unwrap();
    }
    let ended = Instant::now();
    stream.write_all(&[0; 4]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"stream: OK\0");
    Wait::since(begun, ended)
}

/// The message handed to a filter.
fn wait(socket: &Path, body: &[u8]) -> Wait {
    let mail = Mail { body, chunk: CHUNK_BYTES, ..Mail::default() };
    let mut mta = Mta::connect_unix(socket).unwrap();
    mta.session(&mail).unwrap();
    let begun = Instant::now();
    mta.transaction(&mail).unwrap();
    let ended = Instant::now();
    let outcome = mta.end().unwrap();
    assert_eq!(outcome.disposition, "accept");
    assert!(!outcome.edits.is_empty(), "it was not scanned");
    Wait::since(begun, ended)
}

/// Messages a second over several connections at once.
fn rate(socket: &Path, body: &[u8], messages: usize) -> f64 {
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < messages {
                    wait(socket, body);
                }
            });
        }
    });
    messages as f64 / start.elapsed().as_secs_f64()
}

fn percentile(waits: &mut [Wait], what: fn(&Wait) -> f64, percent: usize) -> f64 {
    waits.sort_by(|a, b| what(a).total_cmp(&what(b)));
    what(&waits[(waits.len() - 1) * percent / 100])
}
