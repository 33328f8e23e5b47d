//! What a message must be like that we signed.

use crate::mailroom::{Mailroom, OURS};
use crate::support::sink::Delivery;
use crate::verifiers::{dkimpy_verify, opendkim_verify};

/// Both of our signatures are there, and dkimpy and OpenDKIM verify them against the printed records.
pub(crate) fn assert_signed_by_us(mailroom: &Mailroom, delivery: &Delivery) {
    let signatures = delivery.values("DKIM-Signature");
    assert_eq!(signatures.len(), 2, "{}", delivery.header());
    for algorithm in ["a=rsa-sha256", "a=ed25519-sha256"] {
        let has = |signature: &String| signature.contains(algorithm);
        assert!(signatures.iter().any(has), "no {algorithm}: {}", delivery.header());
    }
    let verified = dkimpy_verify(&delivery.octets, &mailroom.our_records);
    let pass = format!("{OURS} pass");
    assert_eq!(verified, [pass.clone(), pass], "{}", delivery.header());
    let results = opendkim_verify(&delivery.octets, &mailroom.our_records);
    assert_eq!(results.matches("dkim=pass").count(), 2, "{results}\n{}", delivery.header());
    // What verifies must be able to fail.
    let mut altered = delivery.octets.clone();
    altered.extend_from_slice(b"More.\r\n");
    let verified = dkimpy_verify(&altered, &mailroom.our_records);
    let failed = |line: &&String| line.starts_with(&format!("{OURS} fail: "));
    assert_eq!(verified.iter().filter(failed).count(), 2, "{verified:?}");
    assert!(!opendkim_verify(&altered, &mailroom.our_records).contains("dkim=pass"));
}

/// The names of all header fields, top first.
pub(crate) fn header_names(delivery: &Delivery) -> Vec<String> {
    delivery.fields().into_iter().map(|(name, _)| name).collect()
}

/// The lines of `long_header` were folded, each field in its place, before they were signed.
pub(crate) fn assert_folded(mailroom: &Mailroom, delivery: &Delivery) {
    let header = delivery.header();
    let longest = header.lines().map(str::len).max();
    assert!(longest.is_some_and(|octets| octets <= 998), "a line of {longest:?} octets:\n{header}");
    let values = delivery.values("X-Thread");
    assert_eq!(values.first().map(String::as_str), Some("short"), "{header}");
    assert_eq!((values.len(), &values[1]), (2, &delivery.values("References")[0]), "{header}");
    assert_eq!(values[1].split(' ').count(), 40, "{header}");
    let signed = delivery.values("DKIM-Signature").iter().all(|s| s.contains("references"));
    assert!(signed, "{header}");
    assert_signed_by_us(mailroom, delivery);
}
