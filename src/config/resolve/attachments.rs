//! `[attachments]`.

use toml::de::DeTable;

use super::super::attachments::{AttachmentMode, Attachments};
use super::super::error::Complaint;
use super::super::parse;
use super::super::section::Gathered;
use super::super::value::{flag, integer, list, text, word};
use super::super::words;
use super::{open, table_of};
use crate::message::mime::MimeLimits;

pub(super) fn attachments(root: &DeTable<'_>, gathered: &mut Gathered) -> Attachments {
    let attachments = keys(root, gathered);
    let table = table_of(root, "attachments");
    let is_unset = table.is_none_or(|table| table.get("extensions").is_none());
    if let Some(mode) = table.and_then(|table| table.get("mode"))
        && attachments.mode == AttachmentMode::Allow
        && is_unset
    {
        let complaint = Complaint::new("attachments.mode: there is no attachments.extensions");
        let hint = "name what is allowed; the default list is of what is denied";
        gathered.fault(mode.span().start, complaint.hint(hint));
    }
    attachments
}

fn keys(root: &DeTable<'_>, gathered: &mut Gathered) -> Attachments {
    let mut section = open("attachments", root, gathered);
    Attachments {
        action: section.take("action", word(words::TREATMENTS)),
        mode: section.take("mode", word(words::ATTACHMENT_MODES)),
        extensions: section.take("extensions", list(text(parse::extension))).into_iter().collect(),
        types: section.take("types", list(text(parse::media_type))).into_iter().collect(),
        members: section.take("members", flag),
        encrypted: section.take("encrypted", word(words::TREATMENTS)),
        ambiguous: section.take("ambiguous", word(words::TREATMENTS)),
        ambiguities: section
            .take("ambiguities", list(word(words::AMBIGUITIES)))
            .into_iter()
            .collect(),
        over_limit: section.take("over_limit", word(words::TREATMENTS)),
        body_bytes_max: section.take("body_bytes_max", integer(4_096..=67_108_864)) as usize,
        limits: MimeLimits {
            parts_max: section.take("parts_max", integer(10..=100_000)) as usize,
            depth_max: section.take("depth_max", integer(1..=100)) as usize,
            archive_depth_max: section.take("archive_depth_max", integer(1..=20)) as usize,
            archive_members_max: section.take("archive_members_max", integer(1..=1_000_000))
                as usize,
            archive_bytes_max: section.take("archive_bytes_max", integer(65_536..=1_073_741_824))
                as usize,
            archive_ratio_max: section.take("archive_ratio_max", integer(2..=1_032)) as usize,
            ..MimeLimits::default()
        },
    }
}
