//! Delivery reports on mail that we never sent (RFC 3464, RFC 6522): strangers write our addresses
//! into the reverse path of their spam, and what bounces of it comes here.
//!
//! A report returns the message, or its header. Where that has a signature of a key in our store
//! which holds for the header fields, we sent it; its body hash cannot be checked, as most reports
//! return no whole body, and need not be. Neither need its expiry: it held when the mail left.

use crate::config::Limits;
use crate::dkim::signature::Signature;
use crate::dkim::verify::{self, Check, SIGNATURES_MAX};
use crate::keys::KeyRing;
use crate::message::envelope::Envelope;
use crate::message::file;
use crate::message::header::HeaderBlock;
use crate::message::mime::{Encoding, Mime, MimeLimits, Part, transfer};
use crate::result::AuthResult;
use crate::sign::key_lookup;

/// The types of parts that return a message or its header (RFC 6522 §3, RFC 6533 §4).
const RETURNED: [&str; 5] = [
    "message/rfc822",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
];

/// Reports that are no delivery reports (RFC 8098, RFC 5965).
const OTHER_REPORTS: [&[u8]; 2] = [b"disposition-notification", b"feedback-report"];

/// No report has more parts that matter.
const PARTS_MAX: usize = 50;

/// What a delivery report returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Returned {
    /// Mail with a signature of ours.
    Ours,
    /// Other mail.
    Foreign,
    /// No mail, and no header of one.
    Nothing,
}

/// Whether the envelope and the header are those of a delivery report.
pub(crate) fn is_report(envelope: &Envelope, headers: &HeaderBlock) -> bool {
    let is_other = |value: &[u8]| {
        let value = value.to_ascii_lowercase();
        OTHER_REPORTS.iter().any(|other| memchr::memmem::find(&value, other).is_some())
    };
    envelope.is_null_sender()
        && headers.named("Content-Type").next().is_some_and(|field| !is_other(field.value))
        && read(headers, b"", false)
            .parts()
            .first()
            .is_some_and(|message| message.is("multipart/report"))
}

/// What a report returns; `None` where that lies behind what was kept of it.
pub(crate) fn returned(
    headers: &HeaderBlock,
    body: &[u8],
    is_cut: bool,
    keys: &KeyRing,
    limits: &Limits,
) -> Option<Returned> {
    let mime = read(headers, body, is_cut);
    let is_returned =
        |part: &&Part| part.parent == Some(0) && RETURNED.iter().any(|returned| part.is(returned));
    let mut found = Returned::Nothing;
    for part in mime.parts().iter().filter(is_returned) {
        let octets = decoded(mime.octets_of(part), part);
        let (draft, rest) = file::parse(&octets, Envelope::default(), limits);
        if is_signed_by_us(&draft.headers, keys) {
            return Some(Returned::Ours);
        }
        if part.is_cut && rest.is_empty() {
            // Some of its header is missing.
            return None;
        }
        found = Returned::Foreign;
    }
    if found == Returned::Nothing && is_cut { None } else { Some(found) }
}

fn read<'a>(headers: &'a HeaderBlock, body: &'a [u8], is_cut: bool) -> Mime<'a> {
    let limits = MimeLimits { parts_max: PARTS_MAX, ..MimeLimits::default() };
    Mime::parse(headers, body, is_cut, &limits)
}

fn decoded(octets: &[u8], part: &Part) -> Vec<u8> {
    match part.encodings.first() {
        Some(Encoding::Base64) => transfer::base64(octets).0,
        Some(Encoding::QuotedPrintable) => transfer::quoted_printable(octets).0,
        Some(Encoding::Identity) | None => octets.to_vec(),
    }
}

fn is_signed_by_us(headers: &HeaderBlock, keys: &KeyRing) -> bool {
    let fields = headers.iter().enumerate().filter(|(_, field)| field.is("DKIM-Signature"));
    fields
        .take(SIGNATURES_MAX)
        .filter_map(|(index, field)| Some((index, Signature::parse(field.value).ok()?)))
        .any(|(index, signature)| holds(headers, index, &signature, keys))
}

fn holds(headers: &HeaderBlock, index: usize, signature: &Signature, keys: &KeyRing) -> bool {
    let signers = keys
        .known(&signature.domain)
        .filter(|key| key.selector().as_str() == signature.selector)
        .filter_map(|key| key_lookup(key).ok());
    // As it was when it was made.
    let then = signature.timestamp.unwrap_or(0);
    signers.into_iter().any(|lookup| match verify::begin_parsed(signature.clone(), index, then) {
        Check::Pending(pending) => {
            pending.check_key(headers, &lookup, 0).header_result() == AuthResult::Pass
        }
        Check::Done(_) => false,
    })
}
