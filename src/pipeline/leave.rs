//! A message on its way out: edited, signed and sealed as it leaves.

use super::{Found, Plan, Subject};
use crate::auth::{Authentication, results};
use crate::changes::{self, EditedHeader, Wanted};
use crate::dkim::digest::BodyHashes;
use crate::dkim::{Verification, edited};
use crate::message::address;
use crate::message::header::HeaderBlock;
use crate::policy::Decision;
use crate::result::AuthResult;
use crate::sign::{NotSigned, Signed, Signers};
use crate::verdict::{Change, Disposition};

/// Edits the message that is delivered, and signs it as it leaves.
pub(super) fn leave(
    subject: &mut Subject,
    plan: &Plan,
    found: &Found,
    decision: &Decision,
) -> (Signed, Vec<Change>) {
    let (runtime, headers) = (subject.runtime.clone(), subject.headers.clone());
    let effects = decision.edits.header.iter();
    let mut edited = changes::edited(&headers, subject.origin, &runtime.authserv_ids, effects);
    let block = edited.block();
    if !decision.edits.header.is_empty() {
        subject.reasons.extend(breaks(&headers, &block, plan, &found.auth));
    }
    let mut signed = sign(subject, plan, &block, edited.is_edited(), &found.hashes);
    subject.reasons.append(&mut signed.reasons);
    for (index, value) in std::mem::take(&mut signed.folded) {
        edited.replace(index, value);
    }
    let block = signed.headers.as_ref().unwrap_or(&block);
    let changes = edits(subject, plan, found, decision, &signed, block, edited);
    (signed, changes)
}

/// Says which signatures the rules' edits break, of those that hold or that nobody has verified.
fn breaks(
    before: &HeaderBlock,
    after: &HeaderBlock,
    plan: &Plan,
    auth: &Authentication,
) -> Option<String> {
    let passes = |domain: &String| {
        let is_of = |dkim: &Verification| dkim.result == AuthResult::Pass && dkim.domain == *domain;
        !matches!(plan, Plan::Verify) || auth.dkim.iter().any(is_of)
    };
    let broken: Vec<String> = edited::broken(before, after).into_iter().filter(passes).collect();
    (!broken.is_empty()).then(|| {
        format!(
            "rules edit what is signed: the DKIM signature of {} breaks",
            broken.join(" and of ")
        )
    })
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
    if let Some(signers) = for_another_author(subject, plan, block, is_edited) {
        subject.not_signed = None;
        return match signers {
            Ok(signers) => signers.sign(block, is_edited, hashes, subject.now),
            Err(reason) => Signed::not(reason),
        };
    }
    match plan {
        Plan::Sign(signers) => signers.sign(block, is_edited, hashes, subject.now),
        Plan::Verify | Plan::Pass => unsigned(subject, plan),
    }
}

/// Who signs a message of ours into which a rule has put another author: nobody whom the author it
/// came with would have had sign. What was not to be signed for other reasons stays so.
fn for_another_author(
    subject: &Subject,
    plan: &Plan,
    block: &HeaderBlock,
    is_edited: bool,
) -> Option<Result<Signers, NotSigned>> {
    let may_sign = matches!(
        (plan, &subject.not_signed),
        (Plan::Sign(_), _) | (Plan::Pass, Some(NotSigned::NoKey(_)))
    );
    let author = is_edited.then(|| address::author(block)).filter(|_| may_sign)?;
    if author == subject.author {
        return None;
    }
    let Subject { runtime, origin, envelope, now, is_space_assumed, .. } = subject;
    let signers = Signers::choose(runtime, *origin, envelope, &author, block, *now);
    Some(match signers {
        Ok(signers) if *is_space_assumed => Ok(signers.with_relaxed_header()),
        other => other,
    })
}

/// What is not signed: a message that nobody is to sign, or that is not delivered.
pub(super) fn unsigned(subject: &mut Subject, plan: &Plan) -> Signed {
    match (plan, subject.not_signed.take()) {
        (Plan::Sign(_), _) => Signed::not(NotSigned::Refused),
        (_, Some(reason)) => Signed::not(reason),
        (_, None) => Signed::default(),
    }
}
