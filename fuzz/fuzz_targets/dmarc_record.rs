//! A DMARC record, and what it asks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::auth::dmarc::record::{Author, Record};

fuzz_target!(|data: &[u8]| {
    for text in [data.to_vec(), [b"v=DMARC1;", data].concat()] {
        let Some(record) = Record::parse(&text) else {
            assert!(!text.starts_with(b"v=DMARC1;"));
            continue;
        };
        for author in [Author::Itself, Author::Subdomain, Author::Nonexistent] {
            // RFC 9989 §4.10.1: no policy at all only where no report is wanted either.
            assert!(record.policy(author).is_some() || record.rua.is_empty());
        }
        assert!(record.rua.iter().all(|uri| uri.bytes().all(|octet| octet.is_ascii_graphic())));
        // RFC 9989 §4.7: unknown tags are ignored.
        assert_eq!(Record::parse(&[&text[..], b"; x-unknown=1"].concat()), Some(record));
    }
});
