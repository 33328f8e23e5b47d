//! Scanning as the MTA and the operator see it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use mailseal::config::Endpoint;
use nix::unistd::Uid;

use crate::fake::{self, Fake};
use crate::plain;
use crate::support::clamd::{Clamd, EICAR};
use crate::support::daemon::{Daemon, MAILSEAL};
use crate::support::milter::{Edit, Mail, Mta, Outcome};
use crate::support::process::PATIENCE;

/// A configuration with nothing of this machine's.
pub(crate) fn offline(servers: &[&Endpoint], clamav: &str) -> String {
    let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
    format!(
        "[identity]\nauthserv_id = \"mx.example.org\"\n[verify]\nenabled = false\n\
         [dns]\nservers = [\"127.0.0.1:1\"]\n[clamav]\nservers = [{}]\n\
         clamd_conf = \"/nonexistent\"\n{clamav}",
        servers.join(", ")
    )
}

/// What the message's status field says.
pub(crate) fn status(outcome: &Outcome) -> Option<&str> {
    outcome.edits.iter().find_map(|edit| match edit {
        Edit::Insert(_, name, value) if name == "X-Virus-Status" => Some(value.trim_start()),
        _ => None,
    })
}

pub(crate) fn deliver(addr: SocketAddr, body: &[u8]) -> Outcome {
    Mta::connect(addr).unwrap().deliver(&Mail { body, ..Mail::default() }).unwrap()
}

/// Sendmail gives up on a filter that says nothing for 10 s.
#[tokio::test(flavor = "multi_thread")]
async fn the_mta_hears_of_progress_while_a_verdict_is_pending() {
    let slow = fake::start(Fake::TakesItsTime(5_500)).await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &offline(&[&slow.endpoint], ""));
    let outcome = deliver(daemon.addr, b"Hello\r\n");
    assert_eq!((outcome.progress, status(&outcome)), (1, Some("Clean")));
}

/// One budget for all of a message: what clamd may take is no more than what is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_one_budget() {
    let slow = fake::start(Fake::TakesItsTime(60_000)).await;
    let dir = tempfile::tempdir().unwrap();
    let config = offline(&[&slow.endpoint], "timeout_secs = 60\n[limits]\nmessage_secs_max = 2\n");
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    let start = Instant::now();
    let outcome = deliver(daemon.addr, b"Hello\r\n");
    assert_eq!(status(&outcome), Some("Unscanned (scan failed)"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// The whole raw message: every field of the header as it came, the empty line, the body.
#[tokio::test(flavor = "multi_thread")]
async fn clamd_sees_the_message_as_it_came() {
    let clamd = fake::start(Fake::AnswersAfterAll(b"stream: OK\0")).await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &offline(&[&clamd.endpoint], ""));
    let field = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
    let headers = vec![
        field("From", b"  joe@example.net"),
        field("X-Odd", b"\tone\n\t two \xff\n three "),
        field("X-Empty", b""),
    ];
    let body: &[u8] = b"one\r\n\r\n.two \xff\0\r\n\r\n\r\nno end";
    let mail = Mail { headers, body, chunk: 7, ..Mail::default() };
    let outcome = Mta::connect(daemon.addr).unwrap().deliver(&mail).unwrap();
    assert_eq!(status(&outcome), Some("Clean"));
    let expected =
        b"From:  joe@example.net\r\nX-Odd:\tone\r\n\t two \xff\r\n three \r\nX-Empty:\r\n\
                     \r\none\r\n\r\n.two \xff\0\r\n\r\n\r\nno end";
    let scanned = clamd.message().unwrap();
    assert_eq!(scanned.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// Of a message that clamd does not take, the rest is let go: Sendmail waits for 10 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_clamd_holds_the_mta_up_for_seconds_and_the_rest_is_drained() {
    let asleep = fake::start(Fake::Sleeps).await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &offline(&[&asleep.endpoint], ""));
    let start = Instant::now();
    let outcome = deliver(daemon.addr, &vec![b'x'; 24 << 20]);
    assert_eq!(status(&outcome), Some("Unscanned (scan failed)"));
    assert!(daemon.log().contains("took the message too slowly: 5 s"), "{}", daemon.log());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_limit_that_was_learned_is_told_and_kept_to() {
    let clamd = Clamd::start(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &offline(&[&clamd.inet()], ""));
    let large = b"Nothing to see here.\r\n".repeat(100_000);
    assert_eq!(status(&deliver(daemon.addr, &large)), Some("Unscanned (too large)"));
    logged(&daemon, "clamd takes no larger messages: set clamav.scan_bytes_max to this");
    logged(&daemon, "stream_bytes_max=1048576");
    assert_eq!(status(&deliver(daemon.addr, &large)), Some("Unscanned (prefix clean)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_database_is_a_warning_at_start_up() {
    let version = "ClamAV 1.4.3/27000/Mon Jan 15 08:00:00 2024";
    let old = fake::start_of_version(Fake::AnswersAfterAll(b"stream: OK\0"), version).await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &offline(&[&old.endpoint], ""));
    logged(&daemon, "days old; does freshclam run?");
}

#[test]
fn sixty_four_messages_at_once_leave_the_memory_flat() {
    let clamd = Clamd::start_with(25 << 20, "MaxQueue 200\n");
    let dir = tempfile::tempdir().unwrap();
    let config = offline(&[&clamd.unix()], "scans_max = 64\n");
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    let line = b"All work and no play makes Jack a dull boy.\r\n";
    let peak_with = |octets: usize| {
        let body: Vec<u8> = line.iter().copied().cycle().take(octets).collect();
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let deliver = || deliver(daemon.addr, &body);
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(deliver)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for outcome in &outcomes {
            assert_eq!(status(outcome), Some("Clean"), "{}", daemon.log());
        }
        daemon.peak_memory_kib()
    };
    // All are past what is kept of a message, the second time by far more: 256 MiB in all.
    let (small, large) = (peak_with(1 << 20), peak_with(5 << 20));
    println!("64 messages of 1 MiB: {small} KiB at most; of 5 MiB: {large} KiB");
    assert!(large < small + (32 << 10), "{small} KiB became {large} KiB");
    assert!(large < 160 << 10, "{large} KiB for 320 MiB of messages");
}

/// Waits until the log has that text.
fn logged(daemon: &Daemon, text: &str) {
    let give_up = Instant::now() + PATIENCE;
    while !daemon.log().contains(text) {
        assert!(Instant::now() < give_up, "no {text:?} in: {}", daemon.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn start_up_says_who_answers_and_goes_on_without() {
    let mut clamd = Clamd::start(3_000_000);
    let dir = tempfile::tempdir().unwrap();
    let nobody = "inet:127.0.0.1:1".parse().unwrap();
    let config = offline(&[&clamd.unix(), &nobody], "");
    let config = config.replace("/nonexistent", clamd.conf().to_str().unwrap());
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    logged(&daemon, &format!("clamd answers server={} version=ClamAV ", clamd.unix()));
    logged(&daemon, "stream_bytes_max=3000000");
    logged(&daemon, "clamd calls clean what exceeds its own limits (AlertExceedsMax is off)");
    logged(&daemon, "what is encrypted (AlertEncrypted is off)");
    logged(&daemon, "does not answer; going on without it, as clamav.on_failure says");
    logged(&daemon, "server=inet:127.0.0.1:1 fault=Connection refused, does clamd run?");
    assert_eq!(status(&deliver(daemon.addr, b"Hello\r\n")), Some("Clean"));
    clamd.kill();
    for _ in 0..3 {
        let outcome = deliver(daemon.addr, EICAR.as_bytes());
        assert_eq!(status(&outcome), Some("Unscanned (scan failed)"));
    }
    logged(&daemon, "clamd is given a rest");
    clamd.restart();
    let give_up = Instant::now() + PATIENCE;
    while !deliver(daemon.addr, EICAR.as_bytes()).disposition.starts_with("554 5.7.1 virus found") {
        assert!(Instant::now() < give_up, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    logged(&daemon, "clamd is back in service");
}

/// Runs `check --scan` on a message, as nobody where we are root.
fn check_scan(dir: &Path, config: &str, message: &[u8]) -> (Output, String) {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = |name| dir.join(name);
    std::fs::copy(MAILSEAL, path("mailseal")).unwrap();
    std::fs::write(path("config.toml"), config).unwrap();
    std::fs::write(path("message.eml"), message).unwrap();
    let mut command = Command::new(path("mailseal"));
    command.current_dir(dir).args(["check", "--scan", "--config", "config.toml", "message.eml"]);
    if Uid::effective().is_root() {
        // `uid` drops root's supplementary groups, too.
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, text)
}

#[test]
fn check_scan_says_how_each_server_does() {
    let clamd = Clamd::start(25 << 20);
    let dir = tempfile::tempdir().unwrap();
    let config = offline(&[&clamd.inet()], "");
    let (output, text) = check_scan(dir.path(), &config, &plain("Hello"));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(&format!("server {} ClamAV ", clamd.inet())), "{text}");
    assert!(text.contains("\nwarning clamd calls clean what exceeds"), "{text}");
    assert!(text.ends_with("\nscan Clean\n"), "{text}");
    let (output, text) = check_scan(dir.path(), &config, &plain(EICAR));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("\nscan Infected (Eicar-Test-Signature.UNOFFICIAL)\n"), "{text}");
    let (output, text) = check_scan(dir.path(), &offline(&[], ""), &plain(EICAR));
    assert_eq!(output.status.code(), Some(2), "{text}");
}

#[test]
fn a_socket_with_wrong_permissions_is_told_with_its_remedy() {
    let clamd = Clamd::start(25 << 20);
    let socket = clamd.socket_path();
    let open_up = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open_up(socket.parent().unwrap(), 0o755);
    open_up(&socket, 0o600);
    if !Uid::effective().is_root() {
        open_up(&socket, 0o000);
    }
    let dir = tempfile::tempdir().unwrap();
    let config = offline(&[&clamd.unix()], "");
    let (output, text) = check_scan(dir.path(), &config, &plain("Hello"));
    assert_eq!(output.status.code(), Some(3), "{text}");
    let fault = "Permission denied, let the daemon's user into the socket's group";
    assert!(text.contains(&format!("server {} does not answer: {fault}", clamd.unix())), "{text}");
    assert!(text.contains(&format!("\nscan Unscanned (clamd at {}: Permission", clamd.unix())));
    open_up(&socket, 0o666);
    let (output, text) = check_scan(dir.path(), &config, &plain("Hello"));
    assert_eq!(output.status.code(), Some(0), "{text}");
}
