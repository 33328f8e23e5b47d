//! A real clamd finds what it should, whatever form it has and wherever its chunks end.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use mailseal::scan::ScanResult;

use crate::support::clamd::{Clamd, EICAR};
use crate::support::suites;
use crate::{infected, plain, scan, scan_in_chunks, scanner, soon};

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
    let clamd = Clamd::start(1 << 20);
    for endpoint in [clamd.unix(), clamd.inet()] {
        let scanner = scanner(vec![endpoint]);
        assert_eq!(scan(&scanner, &plain(EICAR)).await, infected());
        assert_eq!(scan(&scanner, &attached(EICAR)).await, infected());
        assert_eq!(scan(&scanner, &plain("hello")).await, ScanResult::Clean);
        assert_eq!(scan(&scanner, b"").await, ScanResult::Clean);
    }
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

#[tokio::test]
async fn clamd_finds_eicar_wherever_the_chunks_are_cut() {
    let clamd = Clamd::start(1 << 20);
    let scanner = scanner(vec![clamd.unix()]);
    for chunk_bytes in [1, 2, 3, 7, 40, 61] {
        let result = scan_in_chunks(&scanner, &plain(EICAR), chunk_bytes).await;
        assert_eq!(result, infected(), "chunks of {chunk_bytes}");
    }
    let near_miss = EICAR.replace("TEST-FILE", "TEST_FILE");
    for (file, wanted) in [(EICAR, infected()), (near_miss.as_str(), ScanResult::Clean)] {
        let message = Bytes::from(plain(file));
        let start = message.windows(8).position(|octets| octets == &file.as_bytes()[..8]).unwrap();
        for at in start - 2..=start + file.len() + 2 {
            let mut scan = scanner.open(true);
            scan.write(message.slice(..at)).await;
            scan.write(message.slice(at..)).await;
            assert_eq!(scan.finish(soon()).await.result, wanted, "cut at {at}");
        }
    }
}
