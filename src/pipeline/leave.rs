//! A message on its way out: edited, signed and sealed as it leaves.

use super::{Found, Plan, Subject};
use crate::auth::results;
use crate::changes::{self, EditedHeader, Wanted};
use crate::dkim::digest::BodyHashes;
use crate::message::header::HeaderBlock;
use crate::policy::Decision;
use crate::sign::{NotSigned, Signed};
use crate::verdict::{Change, Disposition};

/// Edits the message that is delivered, and signs it as it leaves.
pub(super) fn leave(
    subject: &mut Subject,
    plan: &Plan,
    found: &Found,
    decision: &Decision,
) -> (Signed, Vec<Change>) {
    let runtime = subject.runtime.clone();
    let headers = subject.headers.clone();
    let effects = decision.edits.header.iter();
    let mut edited = changes::edited(&headers, subject.origin, &runtime.authserv_ids, effects);
    let block = edited.block();
    let mut signed = sign(subject, plan, &block, edited.is_edited(), &found.hashes);
    subject.reasons.append(&mut signed.reasons);
    let changes = {
        for (index, value) in std::mem::take(&mut signed.folded) {
            edited.replace(index, value);
        }
        let block = signed.headers.as_ref().unwrap_or(&block);
        edits(subject, plan, found, decision, &signed, block, edited)
    };
    (signed, changes)
}

/// All edits of a message that is delivered.
fn edits(
    subject: &mut Subject,
    plan: &Plan,
    found: &Found,
    decision: &Decision,
    signed: &Signed,
    block: &HeaderBlock,
    edited: EditedHeader<'_>,
) -> Vec<Change> {
    let Subject { runtime, envelope, sealing, reasons, .. } = subject;
    let Found { hashes, auth, scan, .. } = found;
    let authserv_id = &runtime.config.identity.authserv_id;
    let results = matches!(plan, Plan::Verify).then(|| results::render(authserv_id, auth));
    let received_spf = match plan {
        Plan::Verify if runtime.config.verify.received_spf => {
            let field = |spf| results::received_spf(authserv_id, envelope, spf);
            auth.spf.iter().map(field).collect()
        }
        _ => Vec::new(),
    };
    let sealed = sealing.as_ref().and_then(|sealing| sealing.seal(block, hashes, auth, reasons));
    let held = decision.disposition == Disposition::Quarantine;
    let wanted = Wanted {
        results: results.as_deref(),
        received_spf: &received_spf,
        scan: scan.as_ref(),
        tags: &decision.tags,
        signatures: &signed.signatures,
        sealed: sealed.as_ref(),
        recipients: &decision.edits.recipients,
        quarantine: decision.cause.as_deref().filter(|_| held),
    };
    changes::changes(edited, &wanted)
}

fn sign(
    subject: &mut Subject,
    plan: &Plan,
    block: &HeaderBlock,
    is_edited: bool,
    hashes: &BodyHashes,
) -> Signed {
    match plan {
        Plan::Sign(signers) => signers.sign(block, is_edited, hashes, subject.now),
        Plan::Verify | Plan::Pass => unsigned(subject, plan),
    }
}

/// What is not signed: a message that nobody is to sign, or that is not delivered.
pub(super) fn unsigned(subject: &mut Subject, plan: &Plan) -> Signed {
    match (plan, subject.not_signed.take()) {
        (Plan::Sign(_), _) => Signed::not(NotSigned::Refused),
        (_, Some(reason)) => Signed::not(reason),
        (_, None) => Signed::default(),
    }
}
