//! What happened to a key: one sentence each, for the log and the operator.

use std::fmt;
use std::path::PathBuf;

use super::domain::Selector;
use super::readiness::Wait;
use super::state::Algorithm;

/// Why a key may sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Grounds {
    /// Every authoritative server shows its record, and no resolver remembers that there was none.
    Seen,
    /// The same, without these servers, which have been silent for long.
    Waived(Vec<String>),
    /// The operator says so, though it should wait for this.
    Forced(Wait),
}

impl Grounds {
    pub(super) fn seen(silent: Vec<String>) -> Self {
        if silent.is_empty() { Self::Seen } else { Self::Waived(silent) }
    }
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A key was made; its record is to be published.
    Made {
        /// Its selector.
        selector: Selector,
        /// Its algorithm.
        algorithm: Algorithm,
    },
    /// A key signs.
    Activated {
        /// Its selector.
        selector: Selector,
        /// The key that signed before.
        retired: Option<Selector>,
        /// Why it may.
        grounds: Grounds,
    },
    /// A key signs again.
    RolledBack {
        /// Its selector.
        selector: Selector,
        /// The key that signed before.
        retired: Option<Selector>,
    },
    /// A key no longer signs, and none takes its place.
    Retired(Selector),
    /// A key's record is to be replaced by one with an empty `p=`.
    Revoked {
        /// Its selector.
        selector: Selector,
        /// What mail suffers, where some does.
        suffers: Option<String>,
    },
    /// A key's private half is destroyed.
    Removed(Selector),
    /// What an interrupted change left was finished: a key that was made is pending.
    Adopted {
        /// Its selector.
        selector: Selector,
        /// Its algorithm.
        algorithm: Algorithm,
    },
    /// What an interrupted change left was cleared away.
    Cleared(PathBuf),
}

impl Event {
    /// Whether the operator should be warned of it.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Activated { grounds, .. } => *grounds != Grounds::Seen,
            Self::Revoked { suffers, .. } => suffers.is_some(),
            Self::Adopted { .. } | Self::Cleared(_) => true,
            _ => false,
        }
    }

    /// Whether another key signs now, or none.
    pub fn changes_signing(&self) -> bool {
        !matches!(self, Self::Made { .. } | Self::Adopted { .. } | Self::Cleared(_))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made { selector, algorithm } => {
                write!(f, "{selector} ({algorithm}) is made; publish its record")
            }
            Self::Activated { selector, retired, grounds } => {
                write!(f, "{selector} signs{}{grounds}", Instead(retired.as_ref()))
            }
            Self::RolledBack { selector, retired } => {
                write!(f, "{selector} signs again{}", Instead(retired.as_ref()))
            }
            Self::Retired(selector) => {
                write!(f, "{selector} no longer signs; leave its record published")
            }
            Self::Revoked { selector, suffers } => {
                write!(f, "{selector} is revoked; publish its record with an empty p=")?;
                suffers.as_ref().map_or(Ok(()), |suffers| write!(f, " ({suffers})"))
            }
            Self::Removed(selector) => {
                write!(f, "{selector} is removed: its private half is destroyed")
            }
            Self::Adopted { selector, algorithm } => write!(
                f,
                "{selector} ({algorithm}) was made when mailseal was interrupted; publish its record"
            ),
            Self::Cleared(path) => {
                write!(f, "{}: cleared away, an interrupted change had left it", path.display())
            }
        }
    }
}

/// The key whose place was taken.
struct Instead<'a>(Option<&'a Selector>);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |retired| {
            write!(f, " in place of {retired}, whose record stays published")
        })
    }
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen => Ok(()),
            Self::Waived(silent) => {
                write!(f, " (without an answer from {}: waited long enough)", silent.join(", "))
            }
            Self::Forced(wait) => write!(f, " (forced, though {wait})"),
        }
    }
}
