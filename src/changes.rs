//! The edits that a verdict asks for, in the order in which they are applied.

use crate::auth::{arc, results};
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::scan::ScanResult;
use crate::sign::SignatureField;
use crate::sign::seal::Sealed;
use crate::verdict::Change;

/// RFC 8601
pub(crate) const RESULTS: &str = "Authentication-Results";
/// RFC 7208 §9.1
pub(crate) const RECEIVED_SPF: &str = "Received-SPF";
/// What the scanner said.
pub(crate) const VIRUS_STATUS: &str = "X-Virus-Status";
/// One field a tag.
pub(crate) const TAG: &str = "X-Mailseal-Tag";

/// What is written into a message that is delivered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// The value of our results field; `None` where nothing was verified.
    pub results: Option<&'a str>,
    /// The values of our `Received-SPF` fields.
    pub received_spf: &'a [String],
    /// What the scanner said.
    pub scan: Option<&'a ScanResult>,
    /// The tags.
    pub tags: &'a [String],
    /// The fields whose long lines were folded before the signatures were made.
    pub refolded: &'a [Change],
    /// Our signatures.
    pub signatures: &'a [SignatureField],
    /// Our set of ARC fields.
    pub sealed: Option<&'a Sealed>,
    /// Why the MTA holds the message; `None` where it does not.
    pub quarantine: Option<&'a str>,
}

/// The edits. Replacements come first, where each field still has its place; deletions follow, from
/// the last field of a name to its first, so that none moves the fields that are still to be
/// deleted; each insertion goes on top of those before it, so that
/// the results stand topmost, where RFC 8601 §4 wants them.
pub(crate) fn changes(
    headers: &HeaderBlock,
    origin: Origin,
    ours: &[String],
    wanted: &Wanted<'_>,
) -> Vec<Change> {
    let deletions = match origin {
        // A relay of ours verified what we can't verify any more.
        Origin::Relay => Vec::new(),
        _ => forged(headers, ours),
    };
    let stays =
        |replaced: &&Change| !deletions.iter().any(|deleted| is_of_one_field(replaced, deleted));
    let mut changes: Vec<Change> = wanted.refolded.iter().filter(stays).cloned().collect();
    changes.extend(deletions);
    let insert = |name: &str, value: &str| Change::InsertHeader {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    changes.extend(wanted.tags.iter().rev().map(|tag| insert(TAG, tag)));
    changes.extend(wanted.scan.map(|scan| insert(VIRUS_STATUS, &scan.to_string())));
    changes.extend(wanted.signatures.iter().rev().map(|field| insert(field.name, &field.value)));
    if let Some(Sealed { results, signature, seal }) = wanted.sealed {
        changes.extend([
            insert(arc::RESULTS, results),
            insert(arc::MESSAGE_SIGNATURE, signature),
            insert(arc::SEAL, seal),
        ]);
    }
    // RFC 7208 §9.1: above all others of their name.
    changes.extend(wanted.received_spf.iter().map(|value| insert(RECEIVED_SPF, value)));
    changes.extend(wanted.results.map(|value| insert(RESULTS, value)));
    changes
        .extend(wanted.quarantine.map(|reason| Change::Quarantine { reason: reason.to_owned() }));
    changes
}

fn is_of_one_field(replaced: &Change, deleted: &Change) -> bool {
    match (replaced, deleted) {
        (
            Change::ReplaceHeader { name, occurrence, .. },
            Change::DeleteHeader { name: other, occurrence: other_occurrence },
        ) => name.eq_ignore_ascii_case(other) && occurrence == other_occurrence,
        _ => false,
    }
}

/// Deletes the fields that only we may write.
fn forged(headers: &HeaderBlock, ours: &[String]) -> Vec<Change> {
    let mut seen = [(RESULTS, 0), (RECEIVED_SPF, 0), (VIRUS_STATUS, 0), (TAG, 0)];
    let mut deletions = Vec::new();
    for field in headers.iter() {
        let Some((name, count)) = seen.iter_mut().find(|(name, _)| field.is(name)) else {
            continue;
        };
        *count += 1;
        // RFC 8601 §5: fields that claim to be ours are removed, those of others are kept. Of
        // the other fields nothing tells for certain whose they are.
        if *name != RESULTS || results::claims_authserv_id(field.value, ours) {
            deletions.push(Change::DeleteHeader { name: (*name).to_owned(), occurrence: *count });
        }
    }
    deletions.reverse();
    deletions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_fields_go_from_the_last_to_the_first() {
        let mut headers = HeaderBlock::default();
        headers.push(b"Authentication-Results", b" mx.example.org; spf=pass");
        headers.push(b"X-Virus-Status", b" Clean");
        headers.push(b"received-SPF", b" pass");
        headers.push(b"authentication-results", b" other.example; spf=pass");
        headers.push(b"AUTHENTICATION-RESULTS", b" (c) MX.example.org; none");
        let wanted = Wanted::default();
        let ours = ["mx.example.org".to_owned()];
        let delete =
            |name: &str, occurrence| Change::DeleteHeader { name: name.into(), occurrence };
        assert_eq!(
            changes(&headers, Origin::Authenticated, &ours, &wanted),
            [
                delete(RESULTS, 3),
                delete(RECEIVED_SPF, 1),
                delete(VIRUS_STATUS, 1),
                delete(RESULTS, 1)
            ]
        );
        assert_eq!(changes(&headers, Origin::Relay, &ours, &wanted), []);
    }

    #[test]
    fn a_replaced_field_keeps_its_place_and_a_deleted_one_is_not_replaced() {
        let mut headers = HeaderBlock::default();
        headers.push(b"x-virus-status", b" Clean");
        headers.push(b"Subject", b" a");
        let replace = |name: &str| Change::ReplaceHeader {
            name: name.into(),
            occurrence: 1,
            value: "b".into(),
        };
        let refolded = [replace("x-virus-status"), replace("Subject")];
        let wanted = Wanted { refolded: &refolded, ..Wanted::default() };
        let deleted = Change::DeleteHeader { name: VIRUS_STATUS.into(), occurrence: 1 };
        assert_eq!(changes(&headers, Origin::Local, &[], &wanted), [replace("Subject"), deleted]);
    }
}
