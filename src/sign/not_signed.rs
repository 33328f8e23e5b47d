//! Why a message has no signature of a key, as a sentence for the log and as a label for counters.

use serde::{Serialize, Serializer};

use crate::checks::identity_gate::Mismatch;
use crate::dkim::sign::SignError;
use crate::message::address::Malformed;
use crate::message::limit::Limit;
use crate::message::origin::Origin;

/// Why a message, or one key, did not sign. Its `Display` goes on after `not signed: `.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSigned {
    /// There is no author domain.
    #[error("{0}")]
    MalformedFrom(Malformed),
    /// There are keys for it, and the client is none whose mail we sign.
    #[error(
        "{domain} has keys, and the client is not one of ours: mail of origin {} is not signed",
        origin.as_str()
    )]
    NotOurs {
        /// The author domain.
        domain: String,
        /// Where the message comes from.
        origin: Origin,
    },
    /// `sign.local = "off"`.
    #[error("mail of local origin, and sign.local is \"off\"")]
    LocalOff,
    /// `sign.local = "domains"`, and the reverse path is of another domain.
    #[error(
        "local mail whose reverse path is not of its author domain, and sign.local is \"domains\""
    )]
    LocalSender,
    /// Nobody has a key for the author domain.
    #[error("no active key for {0}")]
    NoKey(String),
    /// A map names a domain without keys.
    #[error("no active key for {domain}, which is to sign for {author} by sign.map")]
    NoMappedKey {
        /// `d=`, as the map has it.
        domain: String,
        /// The author domain.
        author: String,
    },
    /// A map names selectors of which none is active.
    #[error("none of the selectors that sign.map names is an active key of {0}")]
    NoSelectedKey(String),
    /// The user writes as somebody else.
    #[error("{0}")]
    Identity(Mismatch),
    /// The message is over a limit, and was not looked at.
    #[error("the message is over {0}")]
    OverLimit(Limit),
    /// Policy or a rule refused the message.
    #[error("the message is not delivered")]
    Refused,
    /// It came by before.
    #[error("already signed with this domain and selector")]
    AlreadySigned,
    /// The private key cannot be used; why.
    #[error("{0}")]
    Key(String),
    /// The message cannot be signed.
    #[error(transparent)]
    Unsignable(#[from] SignError),
    /// Trouble of our own.
    #[error("the body was not hashed")]
    NoBodyHash,
}

impl NotSigned {
    /// A short name that stays the same.
    pub fn label(&self) -> &'static str {
        match self {
            Self::MalformedFrom(_) => "malformed-from",
            Self::NotOurs { .. } => "not-ours",
            Self::LocalOff => "local-off",
            Self::LocalSender => "local-sender",
            Self::NoKey(_) => "no-key",
            Self::NoMappedKey { .. } => "no-mapped-key",
            Self::NoSelectedKey(_) => "no-selected-key",
            Self::Identity(_) => "identity",
            Self::OverLimit(_) => "over-limit",
            Self::Refused => "refused",
            Self::AlreadySigned => "already-signed",
            Self::Key(_) => "key-unusable",
            Self::Unsignable(_) => "unsignable",
            Self::NoBodyHash => "no-body-hash",
        }
    }
}

/// As its label.
impl Serialize for NotSigned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
