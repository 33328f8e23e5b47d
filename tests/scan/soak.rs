//! Many messages while clamd is restarted again and again, with the verdicts counted on both sides:
//! a relay between mailseal and clamd writes down what clamd really said of each message.
//!
//! `MAILSEAL_SOAK_MESSAGES=20000 cargo test --profile ci --test scan soak -- --nocapture`

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mailseal::config::Endpoint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::daemon::{offline, status};
use crate::support::clamd::{Clamd, EICAR};
use crate::support::daemon::Daemon;
use crate::support::milter::{Mail, Mta, Outcome};

const MESSAGES: usize = 1_000;
const CONNECTIONS: usize = 8;

/// How long clamd is left alone.
const RESTARTED_EVERY: Duration = Duration::from_secs(2);

/// A message that is deferred comes again later; so does here the next one.
const DEFERRED_FOR: Duration = Duration::from_millis(100);

/// What precedes a message's number in it.
const NUMBER: &[u8] = b"X-Number: ";

/// What clamd said of each message, answers cut short left out.
type Said = Arc<Mutex<HashMap<usize, Vec<Vec<u8>>>>>;

/// Relays between mailseal and a clamd, and writes down its answers.
async fn relay(clamd: PathBuf, said: Said) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay_one(client, clamd.clone(), said.clone()));
        }
    });
    endpoint
}

async fn relay_one(mut client: TcpStream, clamd: PathBuf, said: Said) {
    // Dropping the client's side is what a dead clamd does.
    let Ok(mut clamd) = UnixStream::connect(clamd).await else { return };
    let (mut from_client, mut from_clamd) = (vec![0; 65_536], vec![0; 4_096]);
    let (mut number, mut answer) = (None, Vec::new());
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(len @ 1..) = read else { return };
                number = number.or_else(|| find_number(&from_client[..len]));
                if clamd.write_all(&from_client[..len]).await.is_err() {
                    return;
                }
            }
            read = clamd.read(&mut from_clamd) => {
                let Ok(len @ 1..) = read else { break };
                answer.extend_from_slice(&from_clamd[..len]);
            }
        }
    }
    if client.write_all(&answer).await.is_ok()
        && let Some(number) = number.filter(|_| answer.ends_with(b"\0"))
    {
        said.lock().unwrap().entry(number).or_default().push(answer);
    }
}

fn find_number(octets: &[u8]) -> Option<usize> {
    let at = octets.windows(NUMBER.len()).position(|octets| octets == NUMBER)? + NUMBER.len();
    let digits = octets[at..].iter().take_while(|octet| octet.is_ascii_digit()).copied();
    String::from_utf8(digits.collect()).ok()?.parse().ok()
}

/// Whether a message has a virus, and how much text follows it.
fn make(number: usize) -> (bool, usize) {
    (number.is_multiple_of(3), [100, 3_000, 40_000, 300_000, 1_000_000][number % 5])
}

/// Hands in a message; the MTA's side of a filter that hangs ends after a minute, and the test with it.
fn hand_in(addr: SocketAddr, number: usize) -> Outcome {
    let (is_infected, octets) = make(number);
    let mut body = if is_infected { format!("{EICAR}\r\n") } else { String::new() }.into_bytes();
    let line = b"All work and no play makes Jack a dull boy.\r\n";
    body.extend(line.iter().copied().cycle().take(octets));
    let headers = vec![
        (b"From".to_vec(), b" joe@example.net".to_vec()),
        (b"X-Number".to_vec(), format!(" {number}").into_bytes()),
    ];
    let mail = Mail { headers, body: &body, ..Mail::default() };
    Mta::connect(addr).unwrap().deliver(&mail).unwrap()
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Verdict {
    Clean,
    Infected,
    Unscanned,
}

#[derive(Debug, Default)]
struct Counts {
    clean: usize,
    infected: usize,
    unscanned: usize,
    restarts: usize,
    longest: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verdict_is_what_clamd_said() {
    let messages = std::env::var("MAILSEAL_SOAK_MESSAGES");
    let messages = messages.map_or(MESSAGES, |messages| messages.parse().unwrap());
    let clamds = [Clamd::start(25 << 20), Clamd::start(25 << 20)];
    let said = Said::default();
    let mut relays = Vec::new();
    for clamd in &clamds {
        relays.push(relay(clamd.socket_path(), said.clone()).await);
    }
    let dir = tempfile::tempdir().unwrap();
    let relays: Vec<&Endpoint> = relays.iter().collect();
    let config = offline(&relays, "on_infected = \"reject\"\non_failure = \"tempfail\"\n");
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    let counts = {
        let said = said.clone();
        tokio::task::spawn_blocking(move || soak(&daemon, clamds, &said, messages)).await.unwrap()
    };
    println!("{messages} messages: {counts:?}");
    assert_eq!(counts.clean + counts.infected + counts.unscanned, messages);
    assert!(counts.restarts > 0, "clamd was not restarted");
    assert!(counts.clean > 0 && counts.infected > 0);
}

/// Restarts one clamd or the other, or both, while the messages go through.
fn soak(daemon: &Daemon, mut clamds: [Clamd; 2], said: &Said, messages: usize) -> Counts {
    let (next, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let counts = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            let mut restarts = 0;
            while !is_done.load(Ordering::Relaxed) {
                std::thread::sleep(RESTARTED_EVERY);
                match restarts % 3 {
                    0 => clamds[0].restart(),
                    1 => clamds[1].restart(),
                    _ => {
                        clamds[0].kill();
                        clamds[1].restart();
                        clamds[0].restart();
                    }
                }
                restarts += 1;
            }
            restarts
        });
        let hand_in_all = || loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= messages {
                break;
            }
            let start = Instant::now();
            let outcome = hand_in(daemon.addr, number);
            let took = start.elapsed();
            let verdict = judge(number, &outcome, said);
            counts.lock().unwrap().add(verdict, took);
            if verdict == Verdict::Unscanned {
                std::thread::sleep(DEFERRED_FOR);
            }
        };
        let handing_in: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(hand_in_all)).collect();
        let ends: Vec<_> =
            handing_in.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        is_done.store(true, Ordering::Relaxed);
        counts.lock().unwrap().restarts = restarts.join().unwrap();
        assert!(ends.iter().all(Result::is_ok));
    });
    counts.into_inner().unwrap()
}

impl Counts {
    fn add(&mut self, verdict: Verdict, took: Duration) {
        match verdict {
            Verdict::Clean => self.clean += 1,
            Verdict::Infected => self.infected += 1,
            Verdict::Unscanned => self.unscanned += 1,
        }
        self.longest = self.longest.max(took);
    }
}

/// Holds what the MTA was told against what clamd said of the message, and against what it is.
fn judge(number: usize, outcome: &Outcome, said: &Said) -> Verdict {
    let (is_infected, _) = make(number);
    // The relay writes an answer down just after it passed it on.
    let answers = || said.lock().unwrap().get(&number).cloned().unwrap_or_default();
    let has = |end: &[u8]| {
        (0..200).any(|_| {
            let is_there = answers().iter().any(|answer| answer.ends_with(end));
            if !is_there {
                std::thread::sleep(Duration::from_millis(1));
            }
            is_there
        })
    };
    if outcome.disposition.starts_with("554 5.7.1 virus found") {
        assert!(is_infected && has(b" FOUND\0"), "{number}: {outcome:?}");
        Verdict::Infected
    } else if outcome.disposition.starts_with("451 4.3.0 virus scan failed") {
        assert_eq!(answers(), Vec::<Vec<u8>>::new(), "{number}: clamd had said something");
        Verdict::Unscanned
    } else {
        assert_eq!((outcome.disposition.as_str(), status(outcome)), ("accept", Some("Clean")));
        assert!(!is_infected && has(b"stream: OK\0"), "{number}: {outcome:?}");
        Verdict::Clean
    }
}
