//! Why a directory holds no usable rules: all faults of all files.

use std::fmt;
use std::path::PathBuf;

use crate::config::ConfigErrors;

/// Why no rules were loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleErrors {
    /// The directory could not be read.
    #[error("{}: {reason}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What stands in the way, and the remedy.
        reason: String,
    },
    /// Some files have faults, or could not be read.
    #[error("{}", Lines(.0))]
    Files(Vec<ConfigErrors>),
    /// Each pattern is small enough, but not all of them together.
    #[error("the patterns of all rules together cannot be compiled: {0}")]
    TooLarge(String),
}

struct Lines<'a>(&'a [ConfigErrors]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl RuleErrors {
    /// Each fault with its line and a caret under the place, for a terminal.
    pub fn with_carets(&self) -> String {
        match self {
            Self::Files(errors) => {
                let shown: Vec<String> = errors.iter().map(ConfigErrors::with_carets).collect();
                shown.join("\n")
            }
            Self::Directory { .. } | Self::TooLarge(_) => self.to_string(),
        }
    }
}
