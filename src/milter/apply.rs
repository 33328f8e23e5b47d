//! Carries out a verdict on the MTA's copy of the message.

use indymilter::{ActionError, ContextActions, EomContext, SetErrorReply, Status};

use super::session::Session;
use crate::text;
use crate::verdict::{Change, Disposition, Reply, Verdict};

/// The most that one edit may carry: indymilter's frame less some room for names and indexes. A
/// larger one would fail after earlier edits are out.
const EDIT_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// Applies the changes of a verdict, in their order, and answers the MTA. `space`: whether the MTA
/// leaves the space after a field's colon to us.
pub(super) async fn apply(
    cx: &mut EomContext<Box<Session>>,
    verdict: &Verdict,
    space: bool,
) -> Status {
    match verdict.disposition {
        Disposition::Accept | Disposition::Quarantine => edit(cx, &verdict.changes, space).await,
        Disposition::Discard => Status::Discard,
        Disposition::Tempfail => refuse(cx, verdict.reply.as_ref(), Status::Tempfail),
        Disposition::Reject => refuse(cx, verdict.reply.as_ref(), Status::Reject),
    }
}

async fn edit(cx: &mut EomContext<Box<Session>>, changes: &[Change], space: bool) -> Status {
    if changes.iter().any(|change| octets(change) > EDIT_BYTES_MAX) {
        tracing::error!("message deferred: an edit is larger than the protocol allows");
        return Status::Tempfail;
    }
    for change in changes {
        if let Err(error) = edit_one(cx, change, space).await {
            let edit = change.to_string();
            let edit = text::visible(edit.split(':').next().unwrap_or_default());
            tracing::error!(%error, edit, "message deferred: the MTA did not take an edit");
            return Status::Tempfail;
        }
    }
    Status::Accept
}

fn octets(change: &Change) -> usize {
    match change {
        Change::DeleteHeader { name, .. } => name.len(),
        Change::ReplaceHeader { name, value, .. }
        | Change::AddHeader { name, value }
        | Change::InsertHeader { name, value } => name.len() + value.len(),
        Change::DeleteRecipient { address } | Change::AddRecipient { address } => address.len(),
        Change::Quarantine { reason } => reason.len(),
    }
}

async fn edit_one(
    cx: &mut EomContext<Box<Session>>,
    change: &Change,
    space: bool,
) -> Result<(), ActionError> {
    match change {
        Change::DeleteHeader { name, occurrence } => {
            // Occurrences are bounded by limits.header_fields_max.
            let index = i32::try_from(*occurrence).unwrap_or(i32::MAX);
            cx.actions.change_header(name.as_str(), index, None::<&str>).await
        }
        Change::ReplaceHeader { name, occurrence, value } => {
            let index = i32::try_from(*occurrence).unwrap_or(i32::MAX);
            cx.actions.change_header(name.as_str(), index, Some(wire_value(value, space))).await
        }
        Change::AddHeader { name, value } => {
            cx.actions.add_header(name.as_str(), wire_value(value, space)).await
        }
        Change::DeleteRecipient { address } => cx.actions.delete_recipient(path(address)).await,
        Change::AddRecipient { address } => cx.actions.add_recipient(path(address)).await,
        Change::InsertHeader { name, value } => {
            cx.actions.insert_header(0, name.as_str(), wire_value(value, space)).await
        }
        Change::Quarantine { reason } => cx.actions.quarantine(reason.as_str()).await,
    }
}

/// Folds go as LF. An empty value would delete the field.
fn wire_value(value: &str, space: bool) -> String {
    let value = value.replace("\r\n", "\n");
    if space || value.is_empty() { format!(" {value}") } else { value }
}

/// Recipients go as they come: in angle brackets.
fn path(address: &str) -> String {
    format!("<{address}>")
}

fn refuse(cx: &mut EomContext<Box<Session>>, reply: Option<&Reply>, status: Status) -> Status {
    if let Some(Reply { code, enhanced, text }) = reply
        && let Err(error) =
            cx.reply.set_error_reply(&code.to_string(), Some(enhanced), [text.as_str()])
    {
        tracing::error!(%error, %text, "the reply can't be sent, the MTA's own is");
    }
    status
}
