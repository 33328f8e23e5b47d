//! The edits that a verdict asks for, in the order in which they are applied.

mod header;

use crate::auth::{arc, results};
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::scan::ScanResult;
use crate::sign::SignatureField;
use crate::sign::seal::Sealed;
use crate::verdict::{Change, Effect};

pub(crate) use header::EditedHeader;

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
    /// Our signatures.
    pub signatures: &'a [SignatureField],
    /// Our set of ARC fields.
    pub sealed: Option<&'a Sealed>,
    /// Who gets the message.
    pub recipients: &'a [Change],
    /// Why the MTA holds the message; `None` where it does not.
    pub quarantine: Option<&'a str>,
}

/// The header as it leaves, before anything of ours is put on top of it: without the fields that only
/// we may write, and with what rules edit.
pub(crate) fn edited<'a>(
    headers: &'a HeaderBlock,
    origin: Origin,
    ours: &[String],
    effects: impl Iterator<Item = &'a Effect>,
) -> EditedHeader<'a> {
    let mut edited = EditedHeader::new(headers);
    effects.for_each(|effect| edited.apply(effect));
    // A relay of ours verified what we can't verify any more.
    if origin != Origin::Relay {
        forged(headers, ours).for_each(|(index, name)| edited.remove(index, name));
    }
    edited
}

/// All edits. Each insertion goes on top of those before it, so that the results stand topmost, where
/// RFC 8601 §4 wants them.
pub(crate) fn changes(edited: EditedHeader<'_>, wanted: &Wanted<'_>) -> Vec<Change> {
    let mut changes = edited.changes();
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
    changes.extend_from_slice(wanted.recipients);
    changes
        .extend(wanted.quarantine.map(|reason| Change::Quarantine { reason: reason.to_owned() }));
    changes
}

/// The fields that only we may write: indexes and names.
fn forged<'a>(
    headers: &'a HeaderBlock,
    ours: &'a [String],
) -> impl Iterator<Item = (usize, &'static str)> {
    headers.iter().enumerate().filter_map(move |(index, field)| {
        let names = [RESULTS, RECEIVED_SPF, VIRUS_STATUS, TAG];
        let name = names.into_iter().find(|name| field.is(name))?;
        // RFC 8601 §5: fields that claim to be ours are removed, those of others are kept. Of
        // the other fields nothing tells for certain whose they are.
        let is_forged = name != RESULTS || results::claims_authserv_id(field.value, ours);
        is_forged.then_some((index, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deletions(headers: &HeaderBlock, origin: Origin) -> Vec<String> {
        let ours = ["mx.example.org".to_owned()];
        let edited = edited(headers, origin, &ours, std::iter::empty());
        changes(edited, &Wanted::default()).iter().map(Change::to_string).collect()
    }

    #[test]
    fn forged_fields_go_from_the_last_to_the_first() {
        let mut headers = HeaderBlock::default();
        headers.push(b"Authentication-Results", b" mx.example.org; spf=pass");
        headers.push(b"X-Virus-Status", b" Clean");
        headers.push(b"received-SPF", b" pass");
        headers.push(b"authentication-results", b" other.example; spf=pass");
        headers.push(b"AUTHENTICATION-RESULTS", b" (c) MX.example.org; none");
        let expected = [
            "delete-header Authentication-Results 3",
            "delete-header Received-SPF 1",
            "delete-header X-Virus-Status 1",
            "delete-header Authentication-Results 1",
        ];
        assert_eq!(deletions(&headers, Origin::Authenticated), expected);
        assert_eq!(deletions(&headers, Origin::Relay), [""; 0]);
    }

    #[test]
    fn a_forged_field_goes_whatever_a_rule_puts_into_it() {
        let mut headers = HeaderBlock::default();
        headers.push(b"x-virus-status", b" Clean");
        let replaced =
            Effect::ReplaceHeader { name: VIRUS_STATUS.into(), occurrence: 1, value: "b".into() };
        let edited = edited(&headers, Origin::Local, &[], [&replaced].into_iter());
        let deleted = Change::DeleteHeader { name: VIRUS_STATUS.into(), occurrence: 1 };
        assert_eq!(changes(edited, &Wanted::default()), [deleted]);
    }
}
