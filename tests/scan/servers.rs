//! Several clamds, of which some are down, hang, die or talk nonsense.

use std::time::Duration;

use bytes::Bytes;
use mailseal::config::{Balance, Clamav, Endpoint};
use mailseal::scan::{ScanResult, Scanner};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fake::{self, Fake};
use crate::support::clamd::{Clamd, EICAR};
use crate::{config, failure, infected, plain, scan, scanner, soon};

const STREAM_BYTES_MAX: u64 = 25 << 20;

/// A loopback port where nobody listens.
fn nobody() -> Endpoint {
    Endpoint::Inet(([127, 0, 0, 1], 1).into())
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_is_down() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    let down = || vec![Endpoint::Unix("/nonexistent/clamd.ctl".into()), nobody()];
    let scanner_with_spare = scanner([down(), vec![clamd.inet()]].concat());
    // Again and again, until those that are down rest.
    for _ in 0..10 {
        assert_eq!(scan(&scanner_with_spare, &plain(EICAR)).await, infected());
    }
    let scanner = scanner(down());
    for _ in 0..10 {
        let reason = failure(scan(&scanner, &plain(EICAR)).await);
        assert!(reason.contains("unix:/nonexistent/clamd.ctl: No such file"), "{reason}");
        assert!(reason.contains(&format!("{}: Connection refused", nobody())), "{reason}");
    }
}

/// Writes half of the message, has something happen to the first clamd, and writes the rest.
async fn interrupted(
    servers: Vec<Endpoint>,
    message: Vec<u8>,
    replay_bytes_max: usize,
    interrupt: impl FnOnce(),
) -> ScanResult {
    let config = Clamav { replay_bytes_max, ..config(servers) };
    let scanner = Scanner::new(&config).unwrap();
    let mut scan = scanner.open(true);
    let mut message = Bytes::from(message);
    let rest = message.split_off(message.len() / 2);
    for piece in message.chunks(message.len() / 4) {
        scan.write(Bytes::copy_from_slice(piece)).await;
        // Long enough for it to be on its way to the first.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    interrupt();
    scan.write(rest).await;
    scan.finish(soon()).await.result
}

/// A message with EICAR in its first half, of about that many octets.
fn early_virus(octets: usize) -> Vec<u8> {
    [plain(EICAR), b"Nothing to see here.\r\n".repeat(octets / 22)].concat()
}

#[tokio::test]
async fn a_server_killed_amid_a_kept_message_is_replaced() {
    let spare = Clamd::start(STREAM_BYTES_MAX);
    for is_unix in [true, false] {
        let mut clamd = Clamd::start(STREAM_BYTES_MAX);
        let first = if is_unix { clamd.unix() } else { clamd.inet() };
        let servers = vec![first, spare.unix()];
        let message = early_virus(200_000);
        let result = interrupted(servers, message, 1 << 20, || clamd.kill()).await;
        assert_eq!(result, infected());
    }
}

#[tokio::test]
async fn a_server_killed_past_what_is_kept_is_a_failure() {
    let (mut clamd, spare) = (Clamd::start(STREAM_BYTES_MAX), Clamd::start(STREAM_BYTES_MAX));
    let servers = vec![clamd.unix(), spare.unix()];
    let result = interrupted(servers, early_virus(200_000), 50_000, || clamd.kill()).await;
    let reason = failure(result);
    assert!(reason.contains(&clamd.unix().to_string()), "{reason}");
    assert!(!reason.contains(&spare.unix().to_string()), "{reason}");
}

#[tokio::test]
async fn a_server_that_hangs_is_replaced_in_seconds() {
    let (clamd, spare) = (Clamd::start(STREAM_BYTES_MAX), Clamd::start(STREAM_BYTES_MAX));
    let start = Instant::now();
    let servers = vec![clamd.unix(), spare.unix()];
    let result = interrupted(servers, early_virus(200_000), 1 << 20, || clamd.stop()).await;
    assert_eq!(result, infected());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    // Alone, it is a failure, and good again once it goes on.
    let alone = scanner(vec![clamd.unix()]);
    let reason = failure(scan(&alone, &plain(EICAR)).await);
    assert!(reason.ends_with("hangs: no answer within 2 s"), "{reason}");
    clamd.resume();
    assert_eq!(scan(&alone, &plain(EICAR)).await, infected());
}

#[tokio::test]
async fn a_reload_of_the_database_costs_no_verdict() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    let scanner = scanner(vec![clamd.unix(), clamd.inet()]);
    for _ in 0..5 {
        let result =
            interrupted(vec![clamd.unix()], early_virus(200_000), 1 << 20, || clamd.reload()).await;
        assert_eq!(result, infected());
        clamd.reload();
        assert_eq!(scan(&scanner, &plain(EICAR)).await, infected());
        assert_eq!(scan(&scanner, &plain("hello")).await, ScanResult::Clean);
    }
}

#[tokio::test]
async fn garbage_amid_the_stream_makes_way_for_the_next_server() {
    let spare = Clamd::start(STREAM_BYTES_MAX);
    for garbage in [b"garbage\0".as_slice(), b"", b"stream: OK\0", b"\xff\xff\xff"] {
        let fake = fake::start(Fake::AnswersAfter(60_000, garbage)).await;
        let servers = vec![fake.endpoint.clone(), spare.unix()];
        let result = interrupted(servers, early_virus(200_000), 1 << 20, || {}).await;
        assert_eq!(result, infected(), "{}", garbage.escape_ascii());
        assert_eq!(fake.scans(), 1);
    }
}

#[tokio::test]
async fn a_server_that_fails_rests_and_comes_back() {
    let broken = fake::start(Fake::AnswersAfterAll(b"garbage\0")).await;
    let good = fake::start(Fake::AnswersAfterAll(b"stream: OK\0")).await;
    let scanner = scanner(vec![broken.endpoint.clone(), good.endpoint.clone()]);
    for _ in 0..20 {
        assert_eq!(scan(&scanner, b"x").await, ScanResult::Clean);
    }
    assert_eq!((broken.scans(), good.scans()), (3, 20));
    // It rests for a second, and then one scan tries.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for _ in 0..20 {
        assert_eq!(scan(&scanner, b"x").await, ScanResult::Clean);
    }
    assert_eq!((broken.scans(), good.scans()), (4, 40));
}

#[tokio::test]
async fn where_all_rest_no_message_waits() {
    let broken = fake::start(Fake::AnswersAfterAll(b"garbage\0")).await;
    let scanner = scanner(vec![broken.endpoint.clone()]);
    for _ in 0..50 {
        failure(scan(&scanner, b"x").await);
    }
    assert_eq!(broken.scans(), 3);
    let reason = failure(scan(&scanner, b"x").await);
    let because = format!("no clamd is in service: {}: answered garbage", broken.endpoint);
    assert_eq!(reason, because);
}

#[tokio::test]
async fn a_probe_brings_a_server_back() {
    let mut clamd = Clamd::start(STREAM_BYTES_MAX);
    let scanner = scanner(vec![clamd.unix()]);
    let watch = tokio::spawn({
        let scanner = scanner.clone();
        async move { scanner.watch().await }
    });
    clamd.kill();
    for _ in 0..4 {
        failure(scan(&scanner, &plain(EICAR)).await);
    }
    clamd.restart();
    let give_up = Instant::now() + Duration::from_secs(10);
    while scan(&scanner, &plain(EICAR)).await != infected() {
        assert!(Instant::now() < give_up, "it did not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watch.abort();
}

#[tokio::test]
async fn by_load_scans_are_spread_and_in_order_they_are_not() {
    for (balance, spread) in [(Balance::Load, (10, 10)), (Balance::Order, (20, 0))] {
        let clean = Fake::TakesItsTime(300);
        let (one, two) = (fake::start(clean).await, fake::start(clean).await);
        let servers = vec![one.endpoint.clone(), two.endpoint.clone()];
        let scanner = Scanner::new(&Clamav { balance, ..config(servers) }).unwrap();
        all_clean(&scanner, 20).await;
        assert_eq!((one.scans(), two.scans()), spread, "{balance:?}");
    }
}

#[tokio::test]
async fn no_more_scans_are_under_way_than_may_be() {
    let slow = fake::start(Fake::TakesItsTime(100)).await;
    let config = Clamav { scans_max: 2, ..config(vec![slow.endpoint.clone()]) };
    let scanner = Scanner::new(&config).unwrap();
    let start = Instant::now();
    all_clean(&scanner, 10).await;
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
    assert_eq!(slow.scans(), 10);
    // Nobody waits for ever.
    let mut held = [scanner.open(true), scanner.open(true)];
    for scan in &mut held {
        scan.write(Bytes::from_static(b"x")).await;
    }
    let reason = failure(scan(&scanner, b"x").await);
    assert_eq!(reason, "no turn came: clamav.scans_max scans were under way");
    drop(held);
    assert_eq!(scan(&scanner, b"x").await, ScanResult::Clean);
}

/// A Unix socket whose backlog is full refuses at once, where TCP waits.
#[tokio::test]
async fn a_full_backlog_is_waited_out() {
    let clamd = Clamd::start_with(STREAM_BYTES_MAX, "MaxConnectionQueueLength 1\n");
    let config = Clamav { scans_max: 100, ..config(vec![clamd.unix()]) };
    let scanner = Scanner::new(&config).unwrap();
    clamd.stop();
    let mut scans: Vec<_> = (0..20).map(|_| scanner.open(true)).collect();
    for scan in &mut scans {
        scan.write(Bytes::from_static(b"x")).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    clamd.resume();
    for scan in scans {
        assert_eq!(scan.finish(soon()).await.result, ScanResult::Clean);
    }
}

async fn all_clean(scanner: &Scanner, scans: usize) {
    let mut running = JoinSet::new();
    for _ in 0..scans {
        let scanner = scanner.clone();
        running.spawn(async move { scan(&scanner, b"x").await });
    }
    while let Some(result) = running.join_next().await {
        assert_eq!(result.unwrap(), ScanResult::Clean);
    }
}
