//! What clamd answers, to INSTREAM and to VERSION.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::scan::{ScanResult, Version, parse_reply};

fuzz_target!(|data: &[u8]| {
    for reply in [data.to_vec(), [b"ClamAV ", data, b"\0"].concat()] {
        if let Some(version) = Version::parse(&reply) {
            assert!(version.text.len() < 128, "{}", version.text);
            assert!(version.text.bytes().all(|octet| matches!(octet, b' '..=b'~')));
        }
    }
    for reply in [data.to_vec(), [b"stream: ", data, b" FOUND\0"].concat()] {
        let text = match parse_reply(&reply) {
            ScanResult::Clean => {
                assert_eq!(reply, b"stream: OK\0");
                continue;
            }
            ScanResult::Infected { name } => name,
            ScanResult::Unscanned { reason, .. } => reason,
        };
        assert!(text.len() < 256 && text.bytes().all(|octet| matches!(octet, b' '..=b'~')));
        assert!(!text.contains([';', '"', '(', ')', '\\']), "{text}");
    }
});
