//! What an operator's graphs show of the scanner.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::daemon::{deliver, offline, status};
use crate::fake::{self, Fake};
use crate::support::clamd::{Clamd, EICAR};
use crate::support::daemon::Daemon;
use crate::support::http::http;
use crate::support::milter::{Mail, Mta};
use crate::support::process::{PATIENCE, free_port};

/// A daemon, and where it tells its metrics.
struct Told {
    daemon: Daemon,
    metrics: SocketAddr,
    dir: TempDir,
}

impl Told {
    fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = format!("{config}[telemetry]\nmetrics = \"{metrics}\"\n");
        Self { daemon: Daemon::start(dir.path(), "serve", &[], &config), metrics, dir }
    }

    fn scrape(&self) -> String {
        http(self.metrics, "GET /metrics HTTP/1.1")
    }

    /// The value of a metric, with its labels, without its prefix.
    fn value(&self, name: &str) -> Option<f64> {
        let scrape = self.scrape();
        let values = |line: &str| line.strip_prefix("mailseal_")?.strip_prefix(name)?.parse().ok();
        scrape.lines().find_map(|line| values(&line.replace(' ', "")))
    }

    /// Waits until a metric has that value; `again` is done meanwhile.
    fn await_value(&self, name: &str, value: Option<f64>, again: impl Fn()) {
        let give_up = Instant::now() + PATIENCE;
        while self.value(name) != value {
            let log = self.daemon.log();
            assert!(Instant::now() < give_up, "{name} is not {value:?}: {}{log}", self.scrape());
            std::thread::sleep(Duration::from_millis(20));
            again();
        }
    }

    fn reload(&self, change: impl Fn(&str) -> String) {
        let path = self.dir.path().join("serve.toml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(path, change(&config)).unwrap();
        kill(Pid::from_raw(self.daemon.id().cast_signed()), Signal::SIGHUP).unwrap();
    }
}

fn in_service(server: &impl ToString) -> String {
    format!("scan_server_in_service{{server=\"{}\"}}", server.to_string())
}

#[test]
fn scans_under_way_and_waiting_are_told() {
    let clamd = Clamd::start(25 << 20);
    let told = Told::start(&offline(&[&clamd.unix()], "scans_max = 1\n"));
    told.await_value("scans_in_flight", Some(0.0), || {});
    assert_eq!(told.value("scans_waiting"), Some(0.0));
    let mail = Mail { body: b"Hello\r\n", ..Mail::default() };
    let begun = || {
        let mut mta = Mta::connect(told.daemon.addr).unwrap();
        mta.session(&mail).unwrap();
        mta.transaction(&mail).unwrap();
        mta
    };
    let mut scanned = begun();
    told.await_value("scans_in_flight", Some(1.0), || {});
    let waits = begun();
    told.await_value("scans_waiting", Some(1.0), || {});
    assert_eq!(told.value("scans_in_flight"), Some(1.0));
    // One that goes away waits no longer, and is not counted as one that was scanned.
    drop(waits);
    told.await_value("scans_waiting", Some(0.0), || {});
    assert_eq!(status(&scanned.end().unwrap()), Some("Clean"));
    told.await_value("scans_in_flight", Some(0.0), || {});
    for name in ["scans_total{result=\"clean\"}", "scan_wait_seconds_count", "scan_seconds_count"] {
        assert_eq!(told.value(name), Some(1.0), "{name}");
    }
}

/// The wait is what a message waits at its end; the whole is more where it comes slowly.
#[tokio::test(flavor = "multi_thread")]
async fn the_wait_and_the_whole_scan_are_told_apart() {
    let slow = fake::start(Fake::TakesItsTime(600)).await;
    let told = Told::start(&offline(&[&slow.endpoint], ""));
    let mail = Mail { body: b"Hello\r\n", ..Mail::default() };
    let mut mta = Mta::connect(told.daemon.addr).unwrap();
    mta.session(&mail).unwrap();
    mta.transaction(&mail).unwrap();
    told.await_value("scans_in_flight", Some(1.0), || {});
    // A sender that takes its time, too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(status(&mta.end().unwrap()), Some("Clean"));
    let (wait, whole) = (told.value("scan_wait_seconds_sum"), told.value("scan_seconds_sum"));
    assert!(wait >= Some(0.6) && whole >= wait.map(|wait| wait + 0.5), "{wait:?} {whole:?}");
    assert_eq!(told.value("scan_wait_seconds_bucket{le=\"0.5\"}"), Some(0.0));
    assert_eq!(told.value("scan_wait_seconds_bucket{le=\"+Inf\"}"), Some(1.0));
}

/// clamd is there, and does not come to an end.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_takes_too_long_names_its_limit() {
    let slow = fake::start(Fake::TakesItsTime(9_000)).await;
    for (config, limit) in [
        ("timeout_secs = 1\n", "clamav.timeout_secs"),
        ("timeout_secs = 9\n[limits]\nmessage_secs_max = 1\n", "limits.message_secs_max"),
    ] {
        let told = Told::start(&offline(&[&slow.endpoint], config));
        let outcome = deliver(told.daemon.addr, b"Hello\r\n");
        assert_eq!(status(&outcome), Some("Unscanned (scan failed)"));
        let log = told.daemon.log();
        assert!(log.contains(&format!(" limits={limit} ")), "{log}");
        assert_eq!(told.value(&format!("limit_reached_total{{limit=\"{limit}\"}}")), Some(1.0));
    }
}

#[test]
fn a_server_that_rests_is_told_and_a_reload_brings_its_own_servers() {
    let mut clamd = Clamd::start(25 << 20);
    let (unix, inet) = (in_service(&clamd.unix()), in_service(&clamd.inet()));
    let told = Told::start(&offline(&[&clamd.unix()], ""));
    let hand_in = || drop(deliver(told.daemon.addr, EICAR.as_bytes()));
    hand_in();
    told.await_value(&unix, Some(1.0), || {});
    assert_eq!(told.value("scans_total{result=\"infected\"}"), Some(1.0));
    clamd.kill();
    told.await_value(&unix, Some(0.0), hand_in);
    assert!(told.value("scans_total{result=\"failed\"}") >= Some(1.0));
    clamd.restart();
    told.await_value(&unix, Some(1.0), hand_in);
    let counted = told.value("scan_seconds_count");
    let servers = (clamd.unix().to_string(), clamd.inet().to_string());
    told.reload(|config| config.replace(&servers.0, &servers.1));
    told.await_value(&inet, Some(1.0), || {});
    assert_eq!(told.value(&unix), None);
    // What was counted stays.
    assert_eq!(told.value("scan_seconds_count"), counted);
    told.reload(|config| config.replace(&format!("\"{}\"", servers.1), ""));
    told.await_value("scans_in_flight", None, || {});
    assert_eq!(
        (told.value(&inet), told.value("scans_total{result=\"infected\"}").is_some()),
        (None, true)
    );
}
