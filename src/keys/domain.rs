//! Signing domains and selectors in the one form in which keys are stored and DNS is asked: ASCII
//! lower case, U-labels as A-labels (RFC 5890, RFC 8616 §4), no final dot. Names of that form are
//! safe as names of directories and files.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::config::error::quoted;
use crate::dkim::name;
use crate::message::domain::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX};

/// Why a text is no signing domain or selector.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// Too long, as a whole or in a label.
    #[error(
        "{0} is too long: a name has at most {NAME_OCTETS_MAX} octets, a label {LABEL_OCTETS_MAX}"
    )]
    TooLong(String),
    /// Two dots in a row, or one at the start, or nothing at all.
    #[error("{0} has an empty label; write it as in example.org")]
    EmptyLabel(String),
    /// A domain of one label.
    #[error("{0} has one label only; a signing domain has two or more, as in example.org")]
    OneLabel(String),
    /// A character that no such name has.
    #[error("{0} is not a name: labels have letters, digits and -, and no - at either end")]
    Character(String),
    /// Not valid under IDNA (RFC 5891).
    #[error("{0} is not a valid internationalized name; write its A-labels (xn--...)")]
    Idna(String),
}

/// A domain that signs (`d=`, RFC 6376 §3.5).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DomainName(String);

impl DomainName {
    /// The domain as people write it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        name::domain(bare.as_bytes()).map(Self).ok_or_else(|| fault(bare, text))
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
    /// The selector as people write it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        name::selector(text.as_bytes()).map(Self).ok_or_else(|| fault(text, text))
    }

    /// The selector's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for Selector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The name at which a key's record is looked up (RFC 6376 §3.6.2.1), without a final dot.
pub fn record_name(selector: &Selector, domain: &DomainName) -> Result<String, NameError> {
    let joined = || quoted(&format!("{selector}._domainkey.{domain}"));
    name::key_name(selector.as_str(), domain.as_str()).ok_or_else(|| NameError::TooLong(joined()))
}

/// What is wrong with a name that `dkim::name` refused; `text` is what the error quotes.
fn fault(name: &str, text: &str) -> NameError {
    let text = quoted(text);
    let is_host_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
    if name.len() > NAME_OCTETS_MAX || name.split('.').any(|label| label.len() > LABEL_OCTETS_MAX) {
        NameError::TooLong(text)
    } else if !name.is_ascii() {
        NameError::Idna(text)
    } else if name.split('.').any(str::is_empty) {
        NameError::EmptyLabel(text)
    } else if !name.contains('.') && name.bytes().all(is_host_octet) {
        NameError::OneLabel(text)
    } else {
        NameError::Character(text)
    }
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
        assert_eq!(domain("xn--BCHER-kva.example"), Ok("xn--bcher-kva.example".to_owned()));
    }

    #[test]
    fn names_that_could_leave_the_store_are_refused() {
        for text in ["..", "../etc", "a/b", "", ".", "a..b", ".a", "a.b..", "a b", "a\0b", "-a.b"] {
            assert!(domain(text).is_err(), "{text:?}");
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
        assert!(matches!(domain("localhost"), Err(NameError::OneLabel(_))));
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
        assert_eq!(Selector::parse("ü").map(|s| s.to_string()), Ok("xn--tda".to_owned()));
    }
}
