//! INSTREAM (clamd(8)) against a real clamd from Debian's package, and against fake ones that do what
//! no clamd should.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/clamd.rs"]
mod clamd;
#[path = "support/suites.rs"]
#[expect(unreachable_pub, reason = "shared by all tests")]
mod suites;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use clamd::{Clamd, EICAR, EICAR_NAME};
use mailseal::config::{Clamav, Endpoint};
use mailseal::scan::{ScanResult, Scanner, Unscanned};
use mailseal::verdict::Action;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const STREAM_BYTES_MAX: u64 = 1024 * 1024;

fn config(servers: Vec<Endpoint>) -> Clamav {
    Clamav {
        servers,
        scan_bytes_max: 8 * 1024 * 1024,
        on_infected: Action::Reject,
        on_failure: Action::Off,
        on_oversize: Action::Off,
        timeout: Duration::from_secs(20),
    }
}

fn scanner(servers: Vec<Endpoint>) -> Scanner {
    Scanner::new(&config(servers)).unwrap()
}

async fn scan(scanner: &Scanner, message: &[u8]) -> ScanResult {
    scan_in_chunks(scanner, message, 65_535).await
}

async fn scan_in_chunks(scanner: &Scanner, message: &[u8], chunk_bytes: usize) -> ScanResult {
    let mut scan = scanner.open();
    for chunk in message.chunks(chunk_bytes) {
        scan.write(Bytes::copy_from_slice(chunk)).await;
    }
    scan.finish(Instant::now() + Duration::from_secs(30)).await
}

fn infected() -> ScanResult {
    ScanResult::Infected { name: EICAR_NAME.into() }
}

/// The reason of a failure.
fn failure(result: ScanResult) -> String {
    match result {
        ScanResult::Unscanned { cause: Unscanned::Failed, reason } => reason,
        other => panic!("{other:?} is no failure"),
    }
}

fn is_oversize(result: &ScanResult) -> bool {
    matches!(result, ScanResult::Unscanned { cause: Unscanned::Oversize, .. })
}

fn plain(text: &str) -> Vec<u8> {
    format!("From: a@example.org\r\nSubject: x\r\n\r\n{text}\r\n").into_bytes()
}

fn attached(file: &str) -> Vec<u8> {
    let encoded = BASE64_STANDARD.encode(file);
    format!(
        "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\
         \r\n--b\r\nContent-Type: application/octet-stream; name=x.com\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n--b--\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn clamd_finds_eicar_on_both_sockets() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    for endpoint in [clamd.unix(), clamd.inet()] {
        let scanner = scanner(vec![endpoint]);
        assert_eq!(scan(&scanner, &plain(EICAR)).await, infected());
        assert_eq!(scan(&scanner, &attached(EICAR)).await, infected());
        assert_eq!(scan(&scanner, &plain("hello")).await, ScanResult::Clean);
        assert_eq!(scan(&scanner, b"").await, ScanResult::Clean);
    }
}

#[tokio::test]
async fn clamd_finds_eicar_wherever_the_chunks_are_cut() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    let scanner = scanner(vec![clamd.unix()]);
    for chunk_bytes in [1, 2, 3, 7, 40, 61] {
        let result = scan_in_chunks(&scanner, &plain(EICAR), chunk_bytes).await;
        assert_eq!(result, infected(), "chunks of {chunk_bytes}");
    }
}

#[tokio::test]
async fn what_clamd_refuses_for_its_size_is_oversize() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    for endpoint in [clamd.unix(), clamd.inet()] {
        let scanner = scanner(vec![endpoint]);
        for extra in [1, 100_000, 6 * 1024 * 1024] {
            let message = vec![b'x'; STREAM_BYTES_MAX as usize + extra];
            let result = scan(&scanner, &message).await;
            assert!(is_oversize(&result), "{extra} more octets: {result:?}");
        }
        let fits = scan(&scanner, &vec![b'x'; STREAM_BYTES_MAX as usize]).await;
        assert_eq!(fits, ScanResult::Clean);
    }
}

#[tokio::test]
async fn more_than_scan_bytes_max_is_not_sent() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    let config = Clamav { scan_bytes_max: 1000, ..config(vec![clamd.unix()]) };
    let scanner = Scanner::new(&config).unwrap();
    assert_eq!(scan(&scanner, &[b'x'; 1000]).await, ScanResult::Clean);
    let result = scan(&scanner, &[b'x'; 1001]).await;
    let reason = "larger than scan_bytes_max = 1000".into();
    assert_eq!(result, ScanResult::Unscanned { cause: Unscanned::Oversize, reason });
}

#[tokio::test]
async fn a_clamd_killed_amid_the_message_is_a_failure() {
    let mut clamd = Clamd::start(STREAM_BYTES_MAX);
    for endpoint in [clamd.unix(), clamd.inet()] {
        let mut scan = scanner(vec![endpoint.clone()]).open();
        scan.write(plain("first half").into()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        clamd.kill();
        scan.write(Bytes::from_static(b"second half\r\n")).await;
        let reason = failure(scan.finish(Instant::now() + Duration::from_secs(10)).await);
        assert!(reason.contains(&endpoint.to_string()), "{reason}");
        clamd = Clamd::start(STREAM_BYTES_MAX);
    }
}

#[tokio::test]
async fn a_clamd_that_hangs_is_a_failure_at_the_deadline() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    clamd.stop();
    for endpoint in [clamd.unix(), clamd.inet()] {
        let mut scan = scanner(vec![endpoint]).open();
        scan.write(plain("hello").into()).await;
        let start = Instant::now();
        let reason = failure(scan.finish(start + Duration::from_secs(1)).await);
        assert_eq!(reason, "clamd did not answer within 1 s");
        assert!(start.elapsed() < Duration::from_secs(3));
    }
    clamd.resume();
    assert_eq!(scan(&scanner(vec![clamd.unix()]), &plain(EICAR)).await, infected());
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_is_down() {
    let clamd = Clamd::start(STREAM_BYTES_MAX);
    let down = || vec![Endpoint::Unix("/nonexistent/clamd.ctl".into()), nobody()];
    let scanner_with_spare = scanner([down(), vec![clamd.inet()]].concat());
    assert_eq!(scan(&scanner_with_spare, &plain(EICAR)).await, infected());
    let reason = failure(scan(&scanner(down()), &plain(EICAR)).await);
    assert!(reason.contains("unix:/nonexistent/clamd.ctl: No such file"), "{reason}");
    assert!(reason.contains(&format!("{}: Connection refused", nobody())), "{reason}");
}

/// A loopback port where nobody listens.
fn nobody() -> Endpoint {
    Endpoint::Inet(([127, 0, 0, 1], 1).into())
}

#[test]
fn without_servers_nothing_is_scanned() {
    assert!(Scanner::new(&config(Vec::new())).is_none());
}

/// What a fake clamd does with one connection.
#[derive(Clone, Copy)]
enum Fake {
    /// Answers at once, reads a little and closes.
    AnswersAtOnce(&'static [u8]),
    /// Answers at once and reads on.
    AnswersAndReads(&'static [u8]),
    /// Reads all of the message, then answers and closes.
    AnswersAfterAll(&'static [u8]),
    /// Answers at the end with a line of a megabyte that never ends.
    Babbles,
    /// Accepts and reads nothing.
    Sleeps,
}

async fn start(fake: Fake) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(play(fake, stream));
        }
    });
    endpoint
}

async fn play(fake: Fake, mut stream: TcpStream) {
    match fake {
        Fake::AnswersAtOnce(answer) => {
            stream.write_all(answer).await.unwrap();
            // Closing with octets unread resets the connection, as clamd does at its size limit.
            let _ = stream.read_exact(&mut [0; 4096]).await;
        }
        Fake::AnswersAndReads(answer) => {
            stream.write_all(answer).await.unwrap();
            read_message(&mut stream).await;
        }
        Fake::AnswersAfterAll(answer) => {
            read_message(&mut stream).await;
            let _ = stream.write_all(answer).await;
        }
        Fake::Babbles => {
            read_message(&mut stream).await;
            let _ = stream.write_all(&vec![b'x'; 1 << 20]).await;
            std::future::pending::<()>().await;
        }
        Fake::Sleeps => std::future::pending().await,
    }
}

/// Reads the command and all chunks, and gives back the message; `None` where it was cut short.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await.ok()?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut message = Vec::new();
    loop {
        let length = stream.read_u32().await.ok()? as usize;
        if length == 0 {
            return Some(message);
        }
        let start = message.len();
        message.resize(start + length, 0);
        stream.read_exact(&mut message[start..]).await.ok()?;
    }
}

async fn scan_by(fake: Fake, message: &[u8]) -> ScanResult {
    scan(&scanner(vec![start(fake).await]), message).await
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
        let result = scan_by(answer, &big).await;
        assert!(is_oversize(&result), "{result:?}");
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
}

#[tokio::test]
async fn a_slow_clamd_costs_five_seconds_and_no_memory() {
    let scanner = scanner(vec![start(Fake::Sleeps).await]);
    let mut scan = scanner.open();
    let chunk = Bytes::from(vec![b'x'; 65_535]);
    let start = Instant::now();
    for _ in 0..120 {
        scan.write(chunk.clone()).await;
    }
    let waited = start.elapsed();
    let result = scan.finish(Instant::now() + Duration::from_secs(30)).await;
    assert!(waited > Duration::from_secs(1), "the socket's buffers took all of it");
    assert!(waited < Duration::from_secs(7), "{waited:?}");
    let reason = failure(result);
    assert_eq!(reason, "clamd took the message too slowly: 5 s were spent waiting");
}

#[tokio::test]
async fn a_message_cut_short_never_reaches_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scanner = scanner(vec![Endpoint::Inet(listener.local_addr().unwrap())]);
    let mut scan = scanner.open();
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

#[tokio::test]
async fn clamd_finds_every_form_of_eicar_in_the_suite() {
    let Some(suite) = suites::suite("eicar-forms") else { return };
    let clamd = Clamd::start(25 << 20);
    let scanner = scanner(vec![clamd.unix()]);
    let expected = std::fs::read(suite.join("expected.json")).unwrap();
    let expected: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() >= 21);
    for (file, answer) in expected {
        let message = std::fs::read(suite.join(&file)).unwrap();
        let result = scan(&scanner, &message).await;
        let wanted = if answer.ends_with(" FOUND") { infected() } else { ScanResult::Clean };
        assert_eq!(result, wanted, "{file}");
    }
}
