//! What scanning by mailseal costs, beside Debian's clamav-milter on the same clamd, in one run:
//!
//!     apt-get install clamav-daemon clamav-milter
//!     cargo test --release --test bench_scan
//!
//! The wait at the end of a message is measured from its last body chunk, which the kernel has taken,
//! to the filter's final reply. clamd's own is the same wait for the same octets, streamed to it
//! without a filter; what is more is the filter's. Rounds of the three are interleaved. clamd's cache is
//! off: real messages differ. Verification, signing and rules are off: clamav-milter has none.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::clamd::Clamd;
use support::daemon::Daemon;
use support::milter::{Mail, Mta};
use support::process::{Process, free_port};

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
    let filters = [("mailseal", ours.addr), ("clamav-milter", theirs.1)];
    println!(
        "| size | clamd alone | filter | wait at the end, p50 | p99 | added, p50 | 8 at once |"
    );
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
        let alone = percentile(&mut alone, 50);
        for ((filter, addr), waits) in filters.iter().zip(&mut waits) {
            let (p50, p99) = (percentile(waits, 50), percentile(waits, 99));
            let added = ms(p50) - ms(alone);
            let rate = rate(*addr, &body, rounds * 2);
            println!(
                "| {name} | {:.2} ms | {filter} | {:.2} ms | {:.2} ms | {added:.2} ms | {rate:.0}/s |",
                ms(alone),
                ms(p50),
                ms(p99),
            );
        }
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

fn start_theirs(dir: &Path, clamd: &Clamd) -> (Process, SocketAddr) {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let config = format!(
        "MilterSocket inet:{}@127.0.0.1\nClamdSocket unix:{}\nAddHeader Replace\nForeground yes\n\
         OnInfected Reject\nMaxFileSize 100M\nTemporaryDirectory {}\nUser root\n",
        addr.port(),
        clamd.socket_path().display(),
        dir.display(),
    );
    let path = dir.join("clamav-milter.conf");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new("/usr/sbin/clamav-milter");
    let mut process = Process::start(command.arg("-c").arg(path), &dir.join("clamav-milter.log"));
    process.wait_for("clamav-milter", || TcpStream::connect(addr).ok());
    (process, addr)
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
fn direct(clamd: &Clamd, body: &[u8]) -> Duration {
    let mut stream = UnixStream::connect(clamd.socket_path()).unwrap();
    stream.write_all(b"zINSTREAM\0").unwrap();
    for chunk in
        [b"From: joe@example.net\r\n\r\n".as_slice()].into_iter().chain(body.chunks(CHUNK_BYTES))
    {
        stream.write_all(&(chunk.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(chunk).unwrap();
    }
    let start = Instant::now();
    stream.write_all(&[0; 4]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"stream: OK\0");
    start.elapsed()
}

/// The message handed to a filter.
fn wait(addr: SocketAddr, body: &[u8]) -> Duration {
    let mail = Mail { body, chunk: CHUNK_BYTES, ..Mail::default() };
    let mut mta = Mta::connect(addr).unwrap();
    mta.session(&mail).unwrap();
    mta.transaction(&mail).unwrap();
    let start = Instant::now();
    let outcome = mta.end().unwrap();
    assert_eq!(outcome.disposition, "accept");
    assert!(!outcome.edits.is_empty(), "it was not scanned");
    start.elapsed()
}

/// Messages a second over several connections at once.
fn rate(addr: SocketAddr, body: &[u8], messages: usize) -> f64 {
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < messages {
                    wait(addr, body);
                }
            });
        }
    });
    messages as f64 / start.elapsed().as_secs_f64()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
