//! The words that some keys take, and what they stand for.

use super::value::Words;
use super::{
    AttachmentMode, Balance, LogFormat, LostRecord, OnOversize, PersonalData, ReplyTo, SignLocal,
};
use crate::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use crate::keys::policy::SelectorStyle;
use crate::keys::state::Algorithm;
use crate::message::mime::Ambiguity;
use crate::message::origin::Origin;
use crate::verdict::Action::{self, Discard, Off, Quarantine, Reject, Tag, Tempfail};

pub(super) const CANONICALIZATIONS: &Words<(Canonicalization, Canonicalization)> = &[
    ("relaxed/relaxed", (Relaxed, Relaxed)),
    ("relaxed/simple", (Relaxed, Simple)),
    ("simple/relaxed", (Simple, Relaxed)),
    ("simple/simple", (Simple, Simple)),
];

pub(super) const SIGN_LOCALS: &Words<SignLocal> =
    &[("all", SignLocal::All), ("domains", SignLocal::Domains), ("off", SignLocal::Off)];

pub(super) const ALGORITHMS: &Words<Algorithm> =
    &[("rsa", Algorithm::Rsa), ("ed25519", Algorithm::Ed25519)];

pub(super) const SELECTORS: &Words<SelectorStyle> =
    &[("dated", SelectorStyle::Dated), ("random", SelectorStyle::Random)];

pub(super) const TREATMENTS: &Words<Action> =
    &[("off", Off), ("tag", Tag), ("quarantine", Quarantine), ("reject", Reject)];

pub(super) const REPLY_TOS: &Words<ReplyTo> =
    &[("off", ReplyTo::Off), ("owned", ReplyTo::Owned), ("all", ReplyTo::All)];

pub(super) const ATTACHMENT_MODES: &Words<AttachmentMode> =
    &[("deny", AttachmentMode::Deny), ("allow", AttachmentMode::Allow)];

/// Those of a message's structure and names; those of its text are for rules.
pub(super) const AMBIGUITIES: &Words<Ambiguity> = &[
    ("two-content-types", Ambiguity::TwoContentTypes),
    ("broken-content-type", Ambiguity::BrokenContentType),
    ("two-encodings", Ambiguity::TwoEncodings),
    ("unknown-encoding", Ambiguity::UnknownEncoding),
    ("encoded-multipart", Ambiguity::EncodedMultipart),
    ("two-boundaries", Ambiguity::TwoBoundaries),
    ("no-boundary", Ambiguity::NoBoundary),
    ("unused-boundary", Ambiguity::UnusedBoundary),
    ("reused-boundary", Ambiguity::ReusedBoundary),
    ("longer-boundary", Ambiguity::LongerBoundary),
    ("no-end", Ambiguity::NoEnd),
    ("after-end", Ambiguity::AfterEnd),
    ("broken-part-header", Ambiguity::BrokenPartHeader),
    ("two-names", Ambiguity::TwoNames),
    ("deceptive-name", Ambiguity::DeceptiveName),
];

/// Whether addresses that nobody owns may be used.
pub(super) const UNLISTED: &Words<bool> = &[("refuse", false), ("allow", true)];

pub(super) const TEMPERRORS: &Words<Action> = &[("accept", Off), ("tempfail", Tempfail)];

pub(super) const ON_INFECTED: &Words<Action> =
    &[("reject", Reject), ("quarantine", Quarantine), ("discard", Discard), ("tag", Tag)];

pub(super) const ON_FAILURE: &Words<Action> = &[
    ("accept", Off),
    ("tag", Tag),
    ("tempfail", Tempfail),
    ("quarantine", Quarantine),
    ("reject", Reject),
];

pub(super) const ON_OVERSIZE: &Words<OnOversize> = &[
    ("mark", after_prefix(Off)),
    ("skip", unscanned(Off)),
    ("tag", after_prefix(Tag)),
    ("tempfail", unscanned(Tempfail)),
    ("quarantine", after_prefix(Quarantine)),
    ("reject", unscanned(Reject)),
];

const fn after_prefix(action: Action) -> OnOversize {
    OnOversize { action, scans_prefix: true }
}

const fn unscanned(action: Action) -> OnOversize {
    OnOversize { action, scans_prefix: false }
}

pub(super) const ON_UNREADABLE: &Words<Action> = &[
    ("mark", Off),
    ("tag", Tag),
    ("tempfail", Tempfail),
    ("quarantine", Quarantine),
    ("reject", Reject),
];

pub(super) const BALANCES: &Words<Balance> = &[("order", Balance::Order), ("load", Balance::Load)];

pub(super) const ORIGINS: &Words<Origin> = &[
    ("relay", Origin::Relay),
    ("authenticated", Origin::Authenticated),
    ("submission", Origin::Submission),
    ("local", Origin::Local),
    ("inbound", Origin::Inbound),
];

pub(super) const LOG_FORMATS: &Words<LogFormat> =
    &[("text", LogFormat::Text), ("json", LogFormat::Json), ("journald", LogFormat::Journald)];

pub(super) const PERSONAL_DATA: &Words<PersonalData> =
    &[("plain", PersonalData::Plain), ("hashed", PersonalData::Hashed)];

/// The parts of mailseal that log.
pub(super) const LOG_PARTS: [&str; 12] = [
    "cmd",
    "dns",
    "keys",
    "milter",
    "rotation",
    "rules",
    "runtime",
    "scan",
    "serve",
    "sign",
    "telemetry",
    "story",
];

pub(super) const LEVELS: &Words<&str> = &[
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
];

pub(super) const LOST_RECORDS: &Words<LostRecord> =
    &[("warn", LostRecord::Warn), ("stop", LostRecord::Stop)];
