//! A key record: parsed, and what was parsed tried on signatures of either algorithm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::dkim::digest::BodyHasher;
use mailseal::dkim::record::KeyRecord;
use mailseal::dkim::verify::{Check, KeyLookup, begin};
use mailseal::message::header::HeaderBlock;

/// The body hash is that of `Hello.`, and the signatures are nobody's.
const REST: &str = "d=example.org; s=s; h=from; c=relaxed/relaxed; \
    bh=MgN1JYQ2DNEuMJPkHVRlrWHWUrrj3ZcykkSjZJnfrk4=; b=";

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = KeyRecord::parse(data) {
        assert!(record.key.bits() as usize <= data.len() * 8);
    }
    let mut headers = HeaderBlock::default();
    for (algorithm, octets) in [("rsa-sha256", 128), ("ed25519-sha256", 64)] {
        let signature = "AAAA".repeat(octets / 3) + if octets % 3 == 1 { "AA==" } else { "AAA=" };
        headers
            .push(b"DKIM-Signature", format!("v=1; a={algorithm}; {REST}{signature}").as_bytes());
    }
    headers.push(b"From", b" a@example.org");
    for check in begin(&headers, 1_800_000_000).checks {
        let Check::Pending(pending) = check else { panic!("the signature is well-formed") };
        let mut body = BodyHasher::new([pending.body_want()]);
        body.update(b"Hello.\r\n");
        let lookup = KeyLookup::Found(vec![data.to_vec()]);
        let verification = pending.check_key(&headers, &lookup, 1024).finish(&body.finish());
        let shown = verification.reason.unwrap_or_default();
        assert!(shown.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{shown:?}");
    }
});
