//! Restarts behind a Postfix that never rests: what they cost, counted, and that nothing is lost.
//!
//! Postfix keeps one connection to its filter an SMTP session. A daemon that ends therefore costs each session
//! that is open one 451, and its client comes again. While nobody serves, a service manager's socket has those
//! who come wait; without one, they get a 451 too.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Test;
use crate::mailroom::{Mailroom, OURS};
use crate::support::daemon::{Daemon, by_shell, handing_over};
use crate::support::postfix::{Postfix, Service};
use crate::support::process::{PATIENCE, free_port};
use crate::support::smtp::{Client, Reply};

pub(crate) const TESTS: &[Test] = &[
    (
        "restart::with_an_inherited_socket_an_open_session_gets_one_451",
        with_an_inherited_socket_an_open_session_gets_one_451,
    ),
    (
        "restart::with_a_socket_of_its_own_so_does_who_comes_meanwhile",
        with_a_socket_of_its_own_so_does_who_comes_meanwhile,
    ),
];

const CLIENTS: usize = 4;
const RESTARTS: usize = 5;
/// Messages that are delivered between two restarts, by all clients together.
const BETWEEN: usize = 24;
/// Messages in one SMTP session, if nothing comes in between.
const A_SESSION: usize = 3;

/// What the clients and the one who restarts know of each other.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Whether a daemon serves, as far as is known.
    is_up: AtomicBool,
    accepted: AtomicUsize,
}

fn with_an_inherited_socket_an_open_session_gets_one_451(mailroom: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    // It is up all the time: who comes meanwhile waits.
    restart_under_load(mailroom, dir.path(), "inherited", addr, true, |path| {
        Daemon::start_with_file(dir.path(), "inherited", path, by_shell(&handing_over(&listener)))
    });
}

fn with_a_socket_of_its_own_so_does_who_comes_meanwhile(mailroom: &Mailroom) {
    let dir = tempfile::tempdir().unwrap();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    restart_under_load(mailroom, dir.path(), "own", addr, false, |path| {
        Daemon::start_with_file(dir.path(), "own", path, |_| ())
    });
}

fn restart_under_load(
    mailroom: &Mailroom,
    dir: &Path,
    name: &str,
    addr: SocketAddr,
    waits_in_the_socket: bool,
    start: impl Fn(&Path) -> Daemon,
) {
    let config = dir.join("restart.toml");
    fs::write(&config, config_for(addr)).unwrap();
    let mut daemon = start(&config);
    let postfix_dir = tempfile::tempdir().unwrap();
    let services = [Service { name: "restart", milters: format!("inet:{addr}"), options: &[] }];
    let postfix = Postfix::start(postfix_dir.path(), &services, &[], "", mailroom.sink.addr);
    let (smtp, shared) = (postfix.addr("restart"), Shared::default());
    shared.is_up.store(true, Ordering::Relaxed);
    let (sent, refusals) = thread::scope(|scope| {
        let shared = &shared;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || send(smtp, &format!("{name}{number}"), shared)))
            .collect();
        for restart in 1..=RESTARTS {
            await_accepted(shared, restart * BETWEEN);
            shared.is_up.store(waits_in_the_socket, Ordering::Relaxed);
            daemon.signal(Signal::SIGTERM);
            assert!(daemon.ended().success(), "{}", daemon.log());
            assert!(!daemon.log().contains("cut off"), "{}", daemon.log());
            daemon = start(&config);
            shared.is_up.store(true, Ordering::Relaxed);
        }
        await_accepted(shared, (RESTARTS + 1) * BETWEEN);
        shared.is_over.store(true, Ordering::Relaxed);
        let results = clients.into_iter().map(|client| client.join().unwrap());
        results.fold((Vec::new(), Vec::new()), |(mut sent, mut refusals), (more, other)| {
            sent.extend(more);
            refusals.extend(other);
            (sent, refusals)
        })
    });
    for recipient in &sent {
        let delivery = mailroom.sink.delivery(recipient);
        // None of them went by the filter.
        assert_eq!(delivery.values("Authentication-Results").len(), 1, "{}", delivery.header());
        assert_eq!(mailroom.sink.count(recipient), 1, "{recipient} came twice");
    }
    println!(
        "{name}: {RESTARTS} restarts, {} messages, {} replies 451",
        sent.len(),
        refusals.len()
    );
    assert!(refusals.iter().all(|reply| reply.code == 451), "{refusals:?}");
    // One for each session that was open, or that came meanwhile, for each restart.
    assert!(refusals.len() <= RESTARTS * CLIENTS, "{}: {refusals:?}", refusals.len());
}

fn config_for(addr: SocketAddr) -> String {
    format!(
        "[milter]\nlisten = [\"inet:{addr}\"]\n[identity]\nauthserv_id = \"mx.example.org\"\n\
         trusted_networks = [\"127.0.0.1/32\"]\n[dns]\nservers = [\"127.0.0.1:1\"]\ntimeout_secs = 1\n"
    )
}

/// Sends message after message, each to a recipient of its own, and again where the server says so; gives the
/// recipients and the refusals.
fn send(server: SocketAddr, name: &str, shared: &Shared) -> (Vec<String>, Vec<Reply>) {
    let (mut sent, mut refusals) = (Vec::new(), Vec::new());
    while !shared.is_over.load(Ordering::Relaxed) {
        await_until("daemon", || shared.is_up.load(Ordering::Relaxed));
        if let Err(refusal) = session(server, name, shared, &mut sent) {
            refusals.push(refusal);
        }
    }
    (sent, refusals)
}

/// One SMTP session; the first refusal ends it.
fn session(
    server: SocketAddr,
    name: &str,
    shared: &Shared,
    sent: &mut Vec<String>,
) -> Result<(), Reply> {
    let stranger = Ipv4Addr::new(127, 0, 0, 9).into();
    let mut client = Client::try_connect_from(stranger, server, "stranger.example")?;
    for _ in 0..A_SESSION {
        let to = format!("{name}-{}@{OURS}", sent.len());
        let message = format!("From: x@stranger.example\r\nTo: {to}\r\n\r\nHello.\r\n");
        let reply = client.send("x@stranger.example", &to, message.as_bytes());
        if reply.code != 250 {
            return Err(reply);
        }
        sent.push(to);
        shared.accepted.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn await_accepted(shared: &Shared, count: usize) {
    await_until("messages", || shared.accepted.load(Ordering::Relaxed) >= count);
}

fn await_until(what: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "no {what} in time");
        thread::sleep(Duration::from_millis(2));
    }
}
