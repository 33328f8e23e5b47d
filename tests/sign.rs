//! Signing, seen from its result: what leaves verifies as it stands, and is not signed again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;

use mailseal::message::file;
use mailseal::message::origin::Role;
use mailseal::pipeline::Inspection;
use mailseal::sign::NotSigned;
use mailseal::verdict::{Change, Disposition, Verdict};
use support::case::{self, Case};

/// The verdict on a message of a case.
async fn judged(case: &Case, octets: &[u8]) -> (Verdict, Vec<u8>) {
    let world = case.world().await;
    let runtime = Arc::new(world.runtime);
    let (draft, body) = file::parse(octets, case.envelope(), &runtime.config.limits);
    let headers = draft.headers.clone();
    let verdict = Inspection::whole(&runtime, draft, body.clone()).await;
    let emitted = file::emit(&headers, &body, &verdict.changes);
    (verdict, emitted)
}

fn signatures(verdict: &Verdict) -> usize {
    let is_signature = |change: &&Change| matches!(change, Change::InsertHeader { name, .. } if name == "DKIM-Signature");
    verdict.changes.iter().filter(is_signature).count()
}

/// An own signature over the message that is there is taken for one only where it verifies: so each
/// of ours does, with folded lines, mapped domains and U-labels, simple and relaxed.
#[tokio::test]
async fn what_was_signed_verifies_and_is_not_signed_again() {
    let mut count = 0;
    for case in case::all() {
        let (verdict, emitted) = judged(&case, &case.message()).await;
        let signed = signatures(&verdict);
        if verdict.role != Role::Sign || verdict.disposition != Disposition::Accept || signed == 0 {
            continue;
        }
        let (again, _) = judged(&case, &emitted).await;
        let labels: Vec<_> = again.not_signed.iter().map(NotSigned::label).collect();
        assert_eq!(
            (signatures(&again), labels),
            (0, vec!["already-signed"; signed]),
            "{}",
            case.name
        );
        let replaced = |change: &Change| matches!(change, Change::ReplaceHeader { .. });
        assert!(!again.changes.iter().any(replaced), "{}", case.name);
        count += 1;
    }
    assert!(count >= 15, "only {count} cases sign");
}

/// What counters count: each case that has no signature says why, in one word and one sentence.
#[tokio::test]
async fn each_message_of_ours_is_signed_or_has_a_reason() {
    for case in case::all() {
        let (verdict, _) = judged(&case, &case.message()).await;
        let reasons = verdict.reasons.iter().filter(|reason| reason.starts_with("not signed"));
        assert_eq!(reasons.count(), verdict.not_signed.len(), "{}", case.name);
        if verdict.origin.is_ours() && signatures(&verdict) == 0 {
            assert!(!verdict.not_signed.is_empty(), "{}: {:?}", case.name, verdict.reasons);
        }
    }
}
