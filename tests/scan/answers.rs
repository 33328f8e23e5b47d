//! What a clamd that was taken over, or is no clamd, can do to a scan.

use std::time::Duration;

use bytes::Bytes;
use mailseal::config::Endpoint;
use mailseal::scan::{ScanResult, Scanner, Unscanned};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::fake::{self, Fake, read_message, start};
use crate::{config, failure, plain, scan, scan_in_chunks, scanner, soon, unscanned};

async fn scan_by(fake: Fake, message: &[u8]) -> ScanResult {
    scan(&scanner(vec![start(fake).await.endpoint]), message).await
}

#[test]
fn without_servers_nothing_is_scanned() {
    assert!(Scanner::new(&config(Vec::new())).is_none());
}

#[tokio::test]
async fn an_ok_that_comes_too_early_is_no_verdict() {
    let big = vec![b'x'; 4 << 20];
    for fake in [Fake::AnswersAtOnce, Fake::AnswersAndReads] {
        let reason = failure(scan_by(fake(b"stream: OK\0"), &big).await);
        assert!(reason.ends_with("answered before it had the whole message"), "{reason}");
    }
    for half in [b"stream: O".as_slice(), b"stream: OK", b""] {
        failure(scan_by(Fake::AnswersAtOnce(half), &big).await);
    }
}

#[tokio::test]
async fn an_early_size_limit_survives_the_reset() {
    let big = vec![b'x'; 4 << 20];
    let answer = Fake::AnswersAtOnce(b"INSTREAM size limit exceeded. ERROR\0");
    for _ in 0..20 {
        unscanned(scan_by(answer, &big).await, Unscanned::Oversize);
    }
}

#[tokio::test]
async fn hostile_answers_are_failures_or_harmless() {
    for answer in [b"".as_slice(), b"\0", b"stream: OK", b"stream: OK\r\nX: y\0", b"garbage\0"] {
        failure(scan_by(Fake::AnswersAfterAll(answer), b"x").await);
    }
    let reason = failure(scan_by(Fake::Babbles, b"x").await);
    assert!(reason.ends_with("answered with more than 4096 octets"), "{reason}");
    let named = Fake::AnswersAfterAll(b"stream: a\r\nBcc: b (c FOUND\0");
    let name = "a??Bcc: b ?c".into();
    assert_eq!(scan_by(named, b"x").await, ScanResult::Infected { name });
    let nul = Fake::AnswersAfterAll(b"stream: a\0b FOUND\0");
    failure(scan_by(nul, b"x").await);
}

#[tokio::test]
async fn a_slow_clamd_costs_five_seconds_and_no_memory() {
    let scanner = scanner(vec![start(Fake::Sleeps).await.endpoint]);
    let mut scan = scanner.open(true);
    let chunk = Bytes::from(vec![b'x'; 65_535]);
    let start = Instant::now();
    // 8 MiB, of which the sockets' buffers take some.
    for _ in 0..120 {
        scan.write(chunk.clone()).await;
    }
    let waited = start.elapsed();
    let result = scan.finish(soon()).await.result;
    assert!(waited > Duration::from_secs(1), "the socket's buffers took all of it");
    assert!(waited < Duration::from_secs(7), "{waited:?}");
    let reason = failure(result);
    assert!(reason.ends_with("took the message too slowly: 5 s were spent waiting"), "{reason}");
}

#[tokio::test]
async fn a_scan_that_takes_its_time_is_awaited_until_the_deadline() {
    // Longer than the silence after which it is asked whether it is there.
    let slow = start(Fake::TakesItsTime(2_500)).await;
    let scanner = scanner(vec![slow.endpoint]);
    assert_eq!(scan(&scanner, b"x").await, ScanResult::Clean);
    let mut scan = scanner.open(true);
    scan.write(Bytes::from_static(b"x")).await;
    let reason = failure(scan.finish(Instant::now() + Duration::from_secs(1)).await.result);
    assert!(reason.ends_with("did not answer within 1 s"), "{reason}");
}

#[tokio::test]
async fn a_message_cut_short_never_reaches_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scanner = scanner(vec![Endpoint::Inet(listener.local_addr().unwrap())]);
    let mut scan = scanner.open(true);
    scan.write(Bytes::from(plain("half a mess"))).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    drop(scan);
    assert_eq!(read_message(&mut stream).await, None, "clamd saw an end of the stream");
}

#[tokio::test]
async fn clamd_gets_the_message_octet_for_octet() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scanner = scanner(vec![Endpoint::Inet(listener.local_addr().unwrap())]);
    let message: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    let clamd = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let message = read_message(&mut stream).await;
        stream.write_all(b"stream: OK\0").await.unwrap();
        message
    });
    assert_eq!(scan_in_chunks(&scanner, &message, 10_007).await, ScanResult::Clean);
    assert!(clamd.await.unwrap() == Some(message));
}

/// At the end of the message, clamd has it already.
#[tokio::test]
async fn what_is_there_is_sent_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scanner = scanner(vec![Endpoint::Inet(listener.local_addr().unwrap())]);
    let mut scan = scanner.open(true);
    scan.write(plain("x").into()).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    scan.write(Bytes::from(vec![b'x'; 40_000])).await;
    let mut sent = vec![0; 10 + 4 + plain("x").len() + 4 + 40_000];
    let read = stream.read_exact(&mut sent);
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("it was held back").unwrap();
}

#[tokio::test]
async fn signatures_that_are_no_viruses_are_told_apart() {
    for (answer, cause, shown) in [
        (
            b"stream: Heuristics.Encrypted.Zip FOUND\0".as_slice(),
            Unscanned::Encrypted,
            "Unscanned (encrypted)",
        ),
        (
            b"stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\0",
            Unscanned::Limits,
            "Unscanned (exceeds scan limits)",
        ),
        (b"stream: PUA.x FOUND\0", Unscanned::Spam, "Unscanned (spam signature PUA.x)"),
        (b"stream: Old.x FOUND\0", Unscanned::Ignored, "Unscanned (ignored signature Old.x)"),
    ] {
        let mut config = config(vec![start(Fake::AnswersAfterAll(answer)).await.endpoint]);
        config.tag_signatures = vec!["PUA.*".into()];
        config.ignore_signatures = vec!["Old.*".into()];
        let result = scan(&Scanner::new(&config).unwrap(), b"x").await;
        assert_eq!(result.to_string(), shown);
        unscanned(result, cause);
    }
}

#[tokio::test]
async fn an_old_database_is_told_of() {
    let fake = Fake::AnswersAfterAll(b"stream: OK\0");
    let old = fake::start_of_version(fake, "ClamAV 1.4.3/27000/Mon Jan 15 08:00:00 2024").await;
    let condition = scanner(vec![old.endpoint]).conditions().await.remove(0);
    assert_eq!(condition.version.as_deref(), Ok("ClamAV 1.4.3/27000/Mon Jan 15 08:00:00 2024"));
    assert!(condition.cautions()[0].ends_with("days old; does freshclam run?"), "{condition:?}");
    let new = fake::start_of_version(fake, "ClamAV 1.4.3/27000/Mon Jan 15 08:00:00 2224").await;
    let condition = scanner(vec![new.endpoint]).conditions().await.remove(0);
    assert_eq!(condition.database_too_old, None);
}
