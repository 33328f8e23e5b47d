//! Whoever reads the log may stall: mail flows on, and what was lost is told.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use support::daemon::{Daemon, by_shell};
use support::http::http;
use support::milter::{Mail, Mta};
use support::process::free_port;

/// Nothing of this machine's: no resolver answers, no rules, no keys.
const OFFLINE: &str = "[identity]\nauthserv_id = \"mx.example.org\"\n\
                       [dns]\nservers = [\"127.0.0.1:1\"]\ntimeout_secs = 1\n";

/// More than the threads that serve.
const MESSAGES: usize = 20;

/// Both ends of a named pipe, which wait for nothing here.
fn named_pipe(path: &Path) -> File {
    nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
    options.open(path).unwrap()
}

/// Leaves room in the pipe for nothing.
fn fill(mut pipe: &File) {
    while pipe.write(&[b'.'; 4096]).is_ok() {}
    while pipe.write(b".").is_ok() {}
}

/// All that lies in the pipe.
fn read(mut pipe: &File) -> String {
    let (mut all, mut octets) = (Vec::new(), [0; 4096]);
    while let Ok(count) = pipe.read(&mut octets) {
        all.extend_from_slice(&octets[..count]);
    }
    String::from_utf8(all).unwrap()
}

/// Each on a connection of its own, so that every thread has its turn.
fn serves(addr: SocketAddr, messages: usize) {
    for _ in 0..messages {
        let outcome = Mta::connect(addr).unwrap().deliver(&Mail::default()).unwrap();
        assert_eq!(outcome.disposition, "accept");
    }
}

/// The number behind these words.
fn number(text: &str, words: &str) -> usize {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("no {words:?} in {text}"));
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.unwrap().parse().unwrap()
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_mail_nor_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let config = format!("{OFFLINE}[telemetry]\nmetrics = \"{metrics}\"\n");
    let path = dir.path().join("log");
    let log = named_pipe(&path);
    let script = format!("exec \"$@\" 2>'{}'", path.display());
    let mut daemon = Daemon::start_by(dir.path(), "serve", &config, by_shell(&script));
    serves(daemon.addr, 1);
    assert!(read(&log).contains("disposition=accept"));
    fill(&log);
    serves(daemon.addr, MESSAGES);
    let told = http(metrics, "GET /metrics HTTP/1.1");
    assert!(number(&told, "\nmailseal_log_lines_lost_total ") >= MESSAGES, "{told}");
    read(&log);
    serves(daemon.addr, 1);
    let text = read(&log);
    let lines: Vec<&str> = text.lines().collect();
    let [told, message] = lines[..] else { panic!("{text}") };
    assert!(told.contains(" WARN lines of the log were lost"), "{text}");
    assert!(number(told, " lost=") >= MESSAGES, "{text}");
    assert!(message.contains("disposition=accept"), "{text}");
    fill(&log);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().success());
}
