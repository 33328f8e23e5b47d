//! Scanning (clamd(8), INSTREAM) by real clamds from Debian's package, and by fake ones that do what
//! no clamd should.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod daemon;
mod eicar;
mod fake;
mod limits;
mod metrics;
mod servers;
mod soak;

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use bytes::Bytes;
use mailseal::config::{Clamav, Config, Endpoint};
use mailseal::scan::{ScanResult, Scanner, Unscanned};
use tokio::time::Instant;

use support::clamd::EICAR_NAME;

/// Nothing of this machine's clamd, and time enough on a machine that is busy.
fn config(servers: Vec<Endpoint>) -> Clamav {
    Clamav {
        servers,
        scan_bytes_max: 8 << 20,
        clamd_conf: "/nonexistent".into(),
        ..Config::default().clamav
    }
}

fn scanner(servers: Vec<Endpoint>) -> Scanner {
    Scanner::new(&config(servers)).unwrap()
}

async fn scan(scanner: &Scanner, message: &[u8]) -> ScanResult {
    scan_in_chunks(scanner, message, 65_535).await
}

async fn scan_in_chunks(scanner: &Scanner, message: &[u8], chunk_bytes: usize) -> ScanResult {
    let mut scan = scanner.open(true);
    for chunk in message.chunks(chunk_bytes) {
        scan.write(Bytes::copy_from_slice(chunk)).await;
    }
    scan.finish(soon()).await.result
}

/// A deadline for a message.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn infected() -> ScanResult {
    ScanResult::Infected { name: EICAR_NAME.into() }
}

/// Why a message was not scanned, as it must be for that cause.
fn unscanned(result: ScanResult, expected: Unscanned) -> String {
    match result {
        ScanResult::Unscanned { cause, reason } if cause == expected => reason,
        other => panic!("{other:?} is not {expected:?}"),
    }
}

/// The reason of a failure.
fn failure(result: ScanResult) -> String {
    unscanned(result, Unscanned::Failed)
}

fn plain(text: &str) -> Vec<u8> {
    format!("From: a@example.org\r\nSubject: x\r\n\r\n{text}\r\n").into_bytes()
}
