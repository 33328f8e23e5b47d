//! The words that some keys take, and what they stand for.

use super::value::Words;
use super::{LogFormat, LostRecord, SignLocal};
use crate::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use crate::keys::policy::SelectorStyle;
use crate::keys::state::Algorithm;
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

pub(super) const ON_OVERSIZE: &Words<Action> = &[
    ("mark", Off),
    ("tag", Tag),
    ("tempfail", Tempfail),
    ("quarantine", Quarantine),
    ("reject", Reject),
];

pub(super) const LOG_FORMATS: &Words<LogFormat> =
    &[("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(super) const LEVELS: &Words<&str> = &[
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
];

pub(super) const LOST_RECORDS: &Words<LostRecord> =
    &[("warn", LostRecord::Warn), ("stop", LostRecord::Stop)];
