//! `mailseal serve` as a service: how it stops, what its service manager hears and hands it, and the
//! faults of the system that it outlives.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::daemon::{Daemon, MAILSEAL, by_shell, handing_over};
use support::http::http;
use support::milter::{Mail, Mta};
use support::process::{PATIENCE, free_port};

/// Nothing of this machine's: no resolver answers, no rules, no keys.
const OFFLINE: &str = "[identity]\nauthserv_id = \"mx.example.org\"\n\
                       [dns]\nservers = [\"127.0.0.1:1\"]\ntimeout_secs = 1\n";

fn start(dir: &Path, config: &str) -> Daemon {
    Daemon::start(dir, "serve", &[], &format!("{OFFLINE}{config}"))
}

fn await_until(what: &str, daemon: &Daemon, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "no {what} in time: {}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn await_log(daemon: &Daemon, text: &str) {
    await_until(text, daemon, || daemon.log().contains(text));
}

/// Whether the other side has closed the connection.
fn is_closed(mta: &mut Mta) -> bool {
    matches!(mta.receive(), Err(error) if error.kind() == io::ErrorKind::UnexpectedEof)
}

/// A message that has come as far as its last dot.
fn open_message(addr: SocketAddr) -> Mta {
    let mut mta = Mta::connect(addr).unwrap();
    mta.session(&Mail::default()).unwrap();
    mta.transaction(&Mail::default()).unwrap();
    mta
}

/// Awaits that a message is under way, as the metrics tell it.
fn await_open(daemon: &Daemon, metrics: SocketAddr, count: usize) {
    await_until("open messages", daemon, || {
        let line = format!("\nmailseal_transactions_open {count}\n");
        http(metrics, "GET /metrics HTTP/1.1").contains(&line)
    });
}

fn telling() -> (SocketAddr, String) {
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    (metrics, format!("[telemetry]\nmetrics = \"{metrics}\"\n"))
}

#[test]
fn stopping_closes_idle_connections_at_once_and_lets_messages_end() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, config) = telling();
    let mut daemon = start(dir.path(), &config);
    let mut fresh = Mta::connect(daemon.addr).unwrap();
    let mut idle = Mta::connect_unix(&daemon.socket).unwrap();
    assert_eq!(idle.deliver(&Mail::default()).unwrap().disposition, "accept");
    let mut open = open_message(daemon.addr);
    await_open(&daemon, metrics, 1);
    daemon.signal(Signal::SIGTERM);
    assert!(is_closed(&mut fresh) && is_closed(&mut idle));
    // Who comes now is refused, and need not wait for the drain.
    await_until("refusal", &daemon, || {
        Mta::connect(daemon.addr).is_err() && !daemon.socket.exists()
    });
    assert!(http(metrics, "GET /readyz HTTP/1.1").starts_with("HTTP/1.1 503 "));
    assert_eq!(open.end().unwrap().disposition, "accept");
    assert!(daemon.ended().success());
    let log = daemon.log();
    assert!(log.contains("stopped") && !log.contains("abnormally"), "{log}");
}

#[test]
fn messages_that_do_not_end_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, config) = telling();
    let mut daemon = start(dir.path(), &format!("{config}[limits]\ndrain_secs_max = 1\n"));
    let mut open = open_message(daemon.addr);
    await_open(&daemon, metrics, 1);
    daemon.signal(Signal::SIGTERM);
    assert!(is_closed(&mut open));
    assert!(daemon.ended().success());
    let cut_off = "messages cut off: they did not end within limits.drain_secs_max open=1";
    assert!(daemon.log().contains(cut_off), "{}", daemon.log());
}

/// A message at its end waits for DNS, and does not hear that the daemon stops.
#[test]
fn a_message_that_is_being_judged_is_cut_off_too() {
    let dir = tempfile::tempdir().unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{}\"]\ntimeout_secs = 60\n\
         [limits]\ndrain_secs_max = 1\nmessage_secs_max = 300\n",
        silent.local_addr().unwrap()
    );
    let mut daemon = Daemon::start(dir.path(), "serve", &[], &config);
    let mut open = open_message(daemon.addr);
    open.send(b'E', b"").unwrap();
    // It asks for what it is about to wait for.
    silent.recv(&mut [0; 512]).unwrap();
    let begun = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().success());
    assert!(begun.elapsed() < Duration::from_secs(40), "{}", daemon.log());
    assert!(daemon.log().contains("messages cut off"), "{}", daemon.log());
}

#[test]
fn a_second_signal_ends_at_once() {
    for signals in [[Signal::SIGTERM, Signal::SIGTERM], [Signal::SIGINT, Signal::SIGTERM]] {
        let dir = tempfile::tempdir().unwrap();
        let (metrics, config) = telling();
        let mut daemon = start(dir.path(), &format!("{config}[limits]\ndrain_secs_max = 600\n"));
        let _open = open_message(daemon.addr);
        await_open(&daemon, metrics, 1);
        daemon.signal(signals[0]);
        await_log(&daemon, "stopping: no new connections");
        daemon.signal(signals[1]);
        assert!(daemon.ended().success());
        assert!(daemon.log().contains("told a second time to stop"), "{}", daemon.log());
    }
}

/// Starts a daemon with an open socket, as a service manager does.
fn start_with(dir: &Path, name: &str, socket: &OwnedFd, config: &str) -> Daemon {
    let path = dir.join(format!("{name}.toml"));
    fs::write(&path, format!("{OFFLINE}{config}")).unwrap();
    Daemon::start_with_file(dir, name, &path, by_shell(&handing_over(socket)))
}

#[test]
fn an_inherited_socket_loses_nobody_in_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inherited.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = tcp.local_addr().unwrap();
    let mut number = 0;
    for (socket, connect) in [
        (
            OwnedFd::from(unix),
            (&|| Mta::connect_unix(&path)) as &(dyn Fn() -> io::Result<Mta> + Sync),
        ),
        (OwnedFd::from(tcp), &|| Mta::connect(addr)),
    ] {
        let mut serve = |config: &str| {
            number += 1;
            start_with(dir.path(), &format!("serve{number}"), &socket, config)
        };
        let mut first = serve("");
        assert_eq!(connect().unwrap().deliver(&Mail::default()).unwrap().disposition, "accept");
        first.signal(Signal::SIGTERM);
        assert!(first.ended().success());
        // Nobody serves: whoever comes now waits.
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut mta = connect()?;
                mta.deliver(&Mail::default())
            });
            let _second = serve("");
            waiting.join().unwrap()
        });
        assert_eq!(waiting.unwrap().disposition, "accept");
    }
    assert!(path.exists(), "the service manager's socket was removed");
}

#[test]
fn what_is_no_socket_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let file = OwnedFd::from(File::create(dir.path().join("file")).unwrap());
    let script = handing_over(&file);
    let output = Command::new("bash")
        .current_dir(&dir)
        .args(["-c", &script, "bash", MAILSEAL, "serve"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("LISTEN_FDS: descriptor 0 is no listening TCP or Unix socket"), "{said}");
}

/// What the service manager would hear next.
fn heard(manager: &UnixDatagram) -> String {
    let mut said = [0; 1024];
    let len = manager.recv(&mut said).unwrap();
    String::from_utf8(said[..len].to_vec()).unwrap()
}

/// The next message that is not a sign of life.
fn news(manager: &UnixDatagram) -> String {
    std::iter::repeat_with(|| heard(manager)).find(|said| !said.contains("WATCHDOG=1")).unwrap()
}

#[test]
fn the_service_manager_hears_of_every_change_and_of_life() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut daemon = Daemon::start_by(dir.path(), "serve", OFFLINE, |serve| {
        serve.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    });
    let ready = news(&manager);
    assert!(ready.starts_with("READY=1\nSTATUS=serving inet:127.0.0.1:"), "{ready}");
    for _ in 0..3 {
        assert_eq!(heard(&manager), "WATCHDOG=1\n");
    }
    daemon.signal(Signal::SIGHUP);
    let reloading = news(&manager);
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(news(&manager), "READY=1\nSTATUS=serving, reloaded\n");
    fs::write(dir.path().join("serve.toml"), "[").unwrap();
    daemon.signal(Signal::SIGHUP);
    news(&manager);
    let refused = news(&manager);
    assert!(refused.starts_with("READY=1\nSTATUS=serving; the reload was refused"), "{refused}");
    daemon.signal(Signal::SIGTERM);
    let stopping = news(&manager);
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000\n"), "{stopping}");
    assert!(daemon.ended().success());
}

#[test]
fn a_service_manager_that_is_gone_or_asks_another_process_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start_by(dir.path(), "serve", OFFLINE, |serve| {
        serve.env("NOTIFY_SOCKET", "/nowhere/notify");
        serve.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
        serve.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    });
    serves(daemon.addr);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().success());
}

fn serves(addr: SocketAddr) {
    let outcome = Mta::connect(addr).unwrap().deliver(&Mail::default()).unwrap();
    assert_eq!(outcome.disposition, "accept");
}

#[test]
fn running_out_of_descriptors_costs_waiting_alone() {
    let dir = tempfile::tempdir().unwrap();
    let script = by_shell("ulimit -n 48; exec \"$@\"");
    let daemon = Daemon::start_by(dir.path(), "serve", OFFLINE, script);
    await_log(&daemon, "too few file descriptors for milter.connections_max");
    let many: Vec<_> = (0..150).map(|_| TcpStream::connect(daemon.addr).unwrap()).collect();
    await_log(&daemon, "no connection could be accepted, trying again");
    // The 151st waits until the others are gone.
    let waiting = std::thread::spawn({
        let addr = daemon.addr;
        move || serves(addr)
    });
    drop(many);
    waiting.join().unwrap();
    serves(daemon.addr);
}

#[test]
fn a_socket_whose_directory_vanished_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let socket = home.join("milter.sock");
    let daemon = Daemon::start_by(dir.path(), "serve", OFFLINE, |serve| {
        let path = serve.get_args().last().unwrap().to_owned();
        let config = fs::read_to_string(&path).unwrap();
        let listen = format!("listen = [\"unix:{}\", ", socket.display());
        fs::write(&path, config.replace("listen = [", &listen)).unwrap();
    });
    let serves = || {
        let outcome = Mta::connect_unix(&socket).unwrap().deliver(&Mail::default()).unwrap();
        assert_eq!(outcome.disposition, "accept");
    };
    serves();
    fs::remove_dir_all(&home).unwrap();
    await_log(&daemon, "the socket's file is gone, and no MTA can connect");
    assert!(daemon.log().contains("make its directory first"), "{}", daemon.log());
    fs::create_dir(&home).unwrap();
    await_until("socket", &daemon, || socket.exists());
    await_log(&daemon, "opened anew");
    serves();
    fs::remove_file(&socket).unwrap();
    await_until("socket", &daemon, || daemon.log().matches("opened anew").count() == 2);
    serves();
    // Told once, however often it was tried.
    assert_eq!(daemon.log().matches("is gone, and no MTA can connect").count(), 1);
    // The other sockets never noticed.
    self::serves(daemon.addr);
}

/// Standard error is a file on a full disk.
#[test]
fn a_log_that_cannot_be_written_defers_no_message() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, config) = telling();
    let config = format!("{OFFLINE}{config}");
    let script = by_shell("exec \"$@\" 2>/dev/full");
    let mut daemon = Daemon::start_by(dir.path(), "serve", &config, script);
    for _ in 0..3 {
        serves(daemon.addr);
    }
    let told = http(metrics, "GET /metrics HTTP/1.1");
    assert!(told.contains("disposition=\"accept\"} 3\n"), "{told}");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().success());
}

/// Standard output, where the lines for the MTA go, is gone.
#[test]
fn nobody_need_read_what_is_printed_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_by(dir.path(), "serve", OFFLINE, by_shell("exec \"$@\" >/dev/full"));
    serves(daemon.addr);
}

/// What an observer's end or fault may not do is defer mail.
#[test]
fn an_observer_is_attached_so_that_it_costs_no_mail() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("exec \"$@\" --observe >{}/printed", dir.path().display());
    let daemon = Daemon::start_by(dir.path(), "serve", OFFLINE, by_shell(&script));
    serves(daemon.addr);
    let printed = fs::read_to_string(dir.path().join("printed")).unwrap();
    let attached = format!("{{ inet:{}, default_action=accept }}\n", daemon.addr);
    assert!(printed.ends_with(&attached), "{printed}");
    assert!(!printed.contains("tempfail"), "{printed}");
}

fn reply(mta: &mut Mta) -> String {
    mta.end().unwrap().disposition
}

#[test]
fn more_messages_than_there_may_be_come_again_later() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, config) = telling();
    let daemon = start(dir.path(), &format!("{config}[limits]\ntransactions_max = 1\n"));
    let mut first = open_message(daemon.addr);
    await_open(&daemon, metrics, 1);
    let mut second = Mta::connect(daemon.addr).unwrap();
    let outcome = second.deliver(&Mail::default()).unwrap();
    assert!(outcome.disposition.starts_with("451 4.3.2 "), "{outcome:?}");
    assert_eq!(reply(&mut first), "accept");
    // Room again, on the same connection too.
    await_open(&daemon, metrics, 0);
    second.transaction(&Mail::default()).unwrap();
    assert_eq!(reply(&mut second), "accept");
    await_log(&daemon, " limits=limits.transactions_max ");
    let told = http(metrics, "GET /metrics HTTP/1.1");
    let count = "mailseal_limit_reached_total{limit=\"limits.transactions_max\"} 1\n";
    assert!(told.contains(count), "{told}");
}

#[test]
fn more_memory_than_there_may_be_is_not_held() {
    const CONNECTIONS: usize = 120;
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    let rule = "[[rule]]\nname = \"b\"\nabout = \"reads bodies\"\naction = \"tag\"\n\
                when = { body = \"needle\" }\nexamples.hit = [\"\\n\\nneedle\"]\n\
                examples.miss = [\"\\n\\nhay\"]\n";
    fs::write(rules.join("b.toml"), rule).unwrap();
    let (metrics, config) = telling();
    let config = format!("{config}[limits]\nmemory_bytes_max = 33554432\n");
    let daemon = start(dir.path(), &config);
    serves(daemon.addr);
    let before_kib = daemon.peak_memory_kib();
    let body = vec![b'x'; 1_000_000];
    let mail = Mail { body: &body, ..Mail::default() };
    let mut open: Vec<Mta> = (0..CONNECTIONS)
        .map(|_| {
            let mut mta = Mta::connect(daemon.addr).unwrap();
            mta.session(&mail).unwrap();
            mta.transaction(&mail).unwrap();
            mta
        })
        .collect();
    let replies: Vec<String> = open.iter_mut().map(reply).collect();
    let count = |start: &str| replies.iter().filter(|reply| reply.starts_with(start)).count();
    let (accepted, deferred) = (count("accept"), count("451 4.3.2 "));
    assert_eq!(accepted + deferred, CONNECTIONS, "{replies:?}");
    assert!(accepted > 0 && deferred > 0, "{replies:?}");
    let told = http(metrics, "GET /metrics HTTP/1.1");
    let limit = "mailseal_limit_reached_total{limit=\"limits.memory_bytes_max\"}";
    assert!(told.contains(&format!("{limit} {deferred}\n")), "{told}");
    // What 120 such messages hold would be more than 120 MiB.
    let grown_kib = daemon.peak_memory_kib() - before_kib;
    assert!(grown_kib < 80 * 1024, "{grown_kib} KiB for {accepted} messages");
    drop(open);
    await_until("room", &daemon, || {
        http(metrics, "GET /metrics HTTP/1.1").contains("\nmailseal_held_bytes 0\n")
    });
    serves(daemon.addr);
}

/// A daemon that serves two connections.
fn start_for_two(dir: &Path, config: &str) -> Daemon {
    Daemon::start_by(dir, "serve", &format!("{OFFLINE}{config}"), |serve| {
        let path = serve.get_args().last().unwrap().to_owned();
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, config.replace("[milter]", "[milter]\nconnections_max = 2")).unwrap();
    })
}

/// One that has spoken stays, however long it says nothing more.
#[test]
fn who_does_not_begin_to_speak_gives_its_place_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = start_for_two(dir.path(), "");
    let mut idle = Mta::connect(daemon.addr).unwrap();
    let begun: [&[u8]; 4] = [b"", b"\0\0", b"\0\0\0\x0dO\0\0\0\x06", b""];
    let silent = begun.map(|octets| {
        let mut stream = TcpStream::connect(daemon.addr).unwrap();
        stream.write_all(octets).unwrap();
        stream
    });
    serves(daemon.addr);
    await_log(&daemon, "closed: the peer does not begin to speak milter");
    assert_eq!(idle.deliver(&Mail::default()).unwrap().disposition, "accept");
    drop(silent);
}

/// How many nanoseconds each of the threads that serve connections has run.
fn threads_ns(daemon: &Daemon) -> Vec<u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let mut tasks: Vec<_> = tasks.map(|task| task.unwrap().path()).collect();
    tasks.retain(|task| fs::read_to_string(task.join("comm")).unwrap().starts_with("milter-"));
    tasks.sort();
    let ran = |task: &PathBuf| fs::read_to_string(task.join("schedstat")).unwrap();
    tasks.iter().map(|task| ran(task).split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn connections_are_spread_over_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = start(dir.path(), "");
    let before = threads_ns(&daemon);
    let connect = |_| {
        let mut mta = Mta::connect(daemon.addr).unwrap();
        mta.session(&Mail::default()).unwrap();
        mta
    };
    let mut mtas: Vec<_> = (0..2 * before.len()).map(connect).collect();
    for _ in 0..10 {
        for mta in &mut mtas {
            mta.transaction(&Mail::default()).unwrap();
            mta.end().unwrap();
        }
    }
    let ran = before.iter().zip(threads_ns(&daemon)).map(|(before, after)| after - before);
    let ran: Vec<_> = ran.collect();
    let share = ran.iter().sum::<u64>() / ran.len() as u64;
    assert!(ran.iter().all(|ran| *ran > share / 4), "{ran:?}");
}

#[test]
fn connections_past_the_limit_wait() {
    let dir = tempfile::tempdir().unwrap();
    let (metrics, config) = telling();
    let daemon = start_for_two(dir.path(), &config);
    let (first, _second) = (Mta::connect(daemon.addr).unwrap(), Mta::connect(daemon.addr).unwrap());
    await_log(&daemon, "milter.connections_max is reached: more connections wait");
    let told = http(metrics, "GET /metrics HTTP/1.1");
    assert!(told.contains("{limit=\"milter.connections_max\"}"), "{told}");
    let addr = daemon.addr;
    let waiting = std::thread::spawn(move || serves(addr));
    first.finish();
    waiting.join().unwrap();
}

/// Whoever listens there never answers.
#[test]
fn a_look_up_that_takes_too_long_names_its_limit() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = format!("servers = [\"{}\"]", silent.local_addr().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (metrics, config) = telling();
    for (limits, limit) in
        [("", "dns.timeout_secs"), ("[limits]\nmessage_secs_max = 1\n", "limits.message_secs_max")]
    {
        let secs = if limits.is_empty() { 1 } else { 9 };
        let offline = OFFLINE.replace("servers = [\"127.0.0.1:1\"]", &servers);
        let offline = offline.replace("timeout_secs = 1", &format!("timeout_secs = {secs}"));
        let config = format!("{offline}{config}{limits}");
        let daemon = Daemon::start(dir.path(), "serve", &[], &config);
        serves(daemon.addr);
        await_log(&daemon, &format!(" limits={limit} "));
        let told = http(metrics, "GET /metrics HTTP/1.1");
        assert!(told.contains(&format!("{{limit=\"{limit}\"}} 1\n")), "{told}");
    }
}

#[test]
fn running_as_root_is_told() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let daemon = start(dir.path(), "");
    await_log(&daemon, "running as root, which mailseal never needs");
}
