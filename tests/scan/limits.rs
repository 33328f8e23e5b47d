//! Messages that are too large, for us or for clamd, and what clamd's own limits hide.

use std::time::Duration;

use mailseal::config::{Clamav, Endpoint};
use mailseal::scan::{ScanResult, Scanner, Unscanned};

use crate::support::clamd::{Clamd, EICAR};
use crate::{config, infected, plain, scan, soon, unscanned};

/// EICAR among so many octets of text before and after it.
fn padded(before: usize, after: usize) -> Vec<u8> {
    let line = b"All work and no play makes Jack a dull boy.\r\n";
    let text = |octets: usize| line.iter().copied().cycle().take(octets).collect::<Vec<u8>>();
    [plain("x"), text(before), b"\r\n".to_vec(), EICAR.into(), b"\r\n".to_vec(), text(after)]
        .concat()
}

fn scanner_taking(scan_bytes_max: u64, server: Endpoint) -> Scanner {
    Scanner::new(&Clamav { scan_bytes_max, ..config(vec![server]) }).unwrap()
}

#[tokio::test]
async fn more_than_scan_bytes_max_is_cut_or_not_sent() {
    let clamd = Clamd::start(1 << 20);
    let scanner = scanner_taking(1000, clamd.unix());
    assert_eq!(scan(&scanner, &[b'x'; 1000]).await, ScanResult::Clean);
    let reason = unscanned(scan(&scanner, &[b'x'; 1001]).await, Unscanned::Prefix);
    assert_eq!(reason, "larger than scan_bytes_max = 1000, and what comes before is clean");
    // What lies in the prefix is found, and what lies behind it is not called clean.
    assert_eq!(scan(&scanner, &padded(100, 5_000_000)).await, infected());
    unscanned(scan(&scanner, &padded(5_000, 100)).await, Unscanned::Prefix);

    let mut skipping = scanner.open(false);
    skipping.write(padded(100, 5_000).into()).await;
    let reason = unscanned(skipping.finish(soon()).await.result, Unscanned::Oversize);
    assert_eq!(reason, "larger than scan_bytes_max = 1000");
}

/// clamd says no more than that a stream is too large: from then on its limit is known.
#[tokio::test]
async fn sixty_megabytes_meet_a_limit_of_twenty_five() {
    const LIMIT: u64 = 25 << 20;
    let clamd = Clamd::start(LIMIT);
    for endpoint in [clamd.unix(), clamd.inet()] {
        let scanner = scanner_taking(100 << 20, endpoint);
        let large = padded(1000, 60_000_000);
        let reason = unscanned(scan(&scanner, &large).await, Unscanned::Oversize);
        assert!(reason.ends_with("larger than clamd's StreamMaxLength"), "{reason}");
        assert_eq!(learned(&scanner).await, LIMIT);
        assert_eq!(scan(&scanner, &large).await, infected());
        let reason = unscanned(scan(&scanner, &padded(60_000_000, 0)).await, Unscanned::Prefix);
        assert!(reason.starts_with(&format!("larger than clamd's StreamMaxLength = {LIMIT}")));
        let fits = scan(&scanner, &vec![b'x'; LIMIT as usize]).await;
        assert_eq!(fits, ScanResult::Clean);
    }
    assert!(clamd.log().lines().filter(|line| line.contains("Size limit reached")).count() < 80);
}

/// Waits until the server's limit is known.
async fn learned(scanner: &Scanner) -> u64 {
    for _ in 0..1000 {
        if let Some(limit) = scanner.conditions().await[0].stream_bytes_max {
            return limit;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the limit was not learned");
}

#[tokio::test]
async fn the_limit_is_read_where_clamd_conf_can_be() {
    let clamd = Clamd::start(3000);
    for endpoint in [clamd.unix(), clamd.inet()] {
        let config = Clamav { clamd_conf: clamd.conf(), ..config(vec![endpoint]) };
        let scanner = Scanner::new(&config).unwrap();
        assert_eq!(scanner.conditions().await[0].stream_bytes_max, Some(3000));
        assert_eq!(scan(&scanner, &padded(100, 50_000)).await, infected());
        unscanned(scan(&scanner, &padded(50_000, 0)).await, Unscanned::Prefix);
    }
    assert!(!clamd.log().contains("Size limit reached"), "clamd had to refuse something");
}

/// A reload makes another scanner where it would read something else.
#[test]
fn a_scanner_knows_the_clamd_conf_that_it_read() {
    let dir = tempfile::tempdir().unwrap();
    let config = Clamav {
        clamd_conf: dir.path().join("clamd.conf"),
        ..config(vec!["inet:127.0.0.1:1".parse().unwrap()])
    };
    let scanner = Scanner::new(&config).unwrap();
    assert!(scanner.knows(&config.clamd_conf));
    std::fs::write(&config.clamd_conf, "StreamMaxLength 10M\n").unwrap();
    assert!(!scanner.knows(&config.clamd_conf));
}

/// A zip archive of one stored file, which says that it is encrypted.
fn encrypted_zip() -> Vec<u8> {
    let (name, data) = (b"secret.txt".as_slice(), [0x5a_u8; 64].as_slice());
    let sizes = [(data.len() as u32).to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    // Flags: encrypted. Method: stored. Time, date and checksum: of no matter.
    let common = [&[20, 0, 1, 0, 0, 0][..], &[0; 8], &sizes, &[name.len() as u8, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04", &common[..], name, data].concat();
    let central = [b"PK\x01\x02", &[20, 0][..], &common, &[0; 14], name].concat();
    let end = [
        b"PK\x05\x06".as_slice(),
        &[0, 0, 0, 0, 1, 0, 1, 0],
        &(central.len() as u32).to_le_bytes(),
        &(local.len() as u32).to_le_bytes(),
        &[0, 0],
    ];
    [local, central, end.concat()].concat()
}

/// What stock clamd calls clean, and what its two settings change.
#[tokio::test]
async fn what_clamd_did_not_look_into_is_told_if_it_tells() {
    let (archive, large) = (encrypted_zip(), padded(3_000_000, 0));
    let limits = "MaxFileSize 1M\nMaxScanSize 1M\n";
    let stock = Clamd::start_with(25 << 20, limits);
    let telling =
        Clamd::start_with(25 << 20, &format!("{limits}AlertEncrypted yes\nAlertExceedsMax yes\n"));
    for (clamd, cautions) in [(&stock, 1), (&telling, 0)] {
        let config = Clamav { clamd_conf: clamd.conf(), ..config(vec![clamd.unix()]) };
        let scanner = Scanner::new(&config).unwrap();
        let (encrypted, too_much) = (scan(&scanner, &archive).await, scan(&scanner, &large).await);
        assert_eq!(scanner.conditions().await[0].cautions().len(), cautions);
        if cautions == 1 {
            // This is why start-up says so.
            assert_eq!([encrypted, too_much], [ScanResult::Clean, ScanResult::Clean]);
        } else {
            unscanned(encrypted, Unscanned::Encrypted);
            unscanned(too_much, Unscanned::Limits);
        }
    }
}
