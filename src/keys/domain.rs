//! Domains and selectors, in the one form in which keys are stored and DNS is asked: ASCII lower
//! case, U-labels as A-labels (RFC 5890, RFC 8616 §4), no final dot. Names of that form are safe
//! as names of directories and files.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::config::error::quoted;

/// The most octets of a name without its final dot (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// The most octets of a label (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Why a text is no domain or selector.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// Too long, as a whole or in a label.
    #[error("{0} is too long: a name has at most {NAME_BYTES_MAX} octets, a label 63")]
    TooLong(String),
    /// Two dots in a row, or one at the start, or nothing at all.
    #[error("{0} has an empty label; write it as in example.org")]
    EmptyLabel(String),
    /// A character that no host name has.
    #[error("{0} is not a name: labels have letters, digits, - and _, and - not at either end")]
    Character(String),
    /// Not valid under IDNA (RFC 5891).
    #[error("{0} is not a valid internationalized name; write its A-labels (xn--...)")]
    Idna(String),
}

/// A domain that signs or is named in the configuration.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DomainName(String);

impl DomainName {
    /// The domain as people write it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // The A-label of a U-label is at most a few times as long.
        if text.len() > 4 * NAME_BYTES_MAX {
            return Err(NameError::TooLong(quoted(text)));
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        let ascii = if bare.is_ascii() {
            bare.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(bare).map_err(|_| NameError::Idna(quoted(text)))?
        };
        check_labels(&ascii, text)?;
        Ok(Self(ascii))
    }

    /// The name, without a final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A selector (RFC 6376 §3.1): one or more labels.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Selector(String);

impl Selector {
    /// The selector as people write it; case does not matter in DNS, so it is lower case here.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if !text.is_ascii() {
            return Err(NameError::Idna(quoted(text)));
        }
        let ascii = text.to_ascii_lowercase();
        check_labels(&ascii, text)?;
        Ok(Self(ascii))
    }

    /// The selector's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The labels of a name that is already lower case; `text` is what the error quotes.
fn check_labels(name: &str, text: &str) -> Result<(), NameError> {
    if name.len() > NAME_BYTES_MAX || name.split('.').any(|label| label.len() > LABEL_BYTES_MAX) {
        return Err(NameError::TooLong(quoted(text)));
    }
    if name.split('.').any(str::is_empty) {
        return Err(NameError::EmptyLabel(quoted(text)));
    }
    if name.split('.').all(is_label) { Ok(()) } else { Err(NameError::Character(quoted(text))) }
}

/// Letters, digits and hyphens (RFC 1123 §2.1), and the underscore, which mail has been seen from.
fn is_label(label: &str) -> bool {
    let inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_type!(DomainName);
text_type!(Selector);

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Result<String, NameError> {
        DomainName::parse(text).map(|domain| domain.to_string())
    }

    #[test]
    fn domains_are_brought_to_one_form() {
        assert_eq!(domain("Example.ORG."), Ok("example.org".to_owned()));
        assert_eq!(domain("bücher.example"), Ok("xn--bcher-kva.example".to_owned()));
        assert_eq!(domain("_spf.example.org"), Ok("_spf.example.org".to_owned()));
    }

    #[test]
    fn names_that_could_leave_the_store_are_refused() {
        for text in ["..", "../etc", "a/b", "", ".", "a..b", ".a", "a.b..", "a b", "a\0b", "-a.b"] {
            assert!(domain(text).is_err(), "{text:?}");
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
        for text in ["a/../b", "a\\b", "a\nb", "*.example.org", "ex%61mple.org", "．．"] {
            assert!(domain(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn long_names_are_refused() {
        let long = "a.".repeat(150);
        assert!(matches!(domain(&long), Err(NameError::TooLong(_))));
        assert!(matches!(domain(&"a".repeat(64)), Err(NameError::TooLong(_))));
        assert!(matches!(domain(&"ä".repeat(5000)), Err(NameError::TooLong(_))));
    }

    #[test]
    fn selectors_may_have_dots() {
        assert_eq!(Selector::parse("S1.Mail").map(|s| s.to_string()), Ok("s1.mail".to_owned()));
        assert!(Selector::parse("ü").is_err());
    }
}
