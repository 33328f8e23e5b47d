//! Signatures that mean something else than a virus: clamd's own names for what it could not look
//! into, and what the operator's patterns name.

use super::{ScanResult, Unscanned};
use crate::config::Clamav;
use crate::text::visible;

/// What clamd calls what it could not decrypt, with `AlertEncrypted`.
const ENCRYPTED: &str = "Heuristics.Encrypted";
/// What clamd calls what exceeds its limits, with `AlertExceedsMax`.
const LIMITS: &str = "Heuristics.Limits.Exceeded";

/// The operator's patterns.
#[derive(Debug)]
pub(super) struct Signatures {
    tag: Vec<String>,
    ignore: Vec<String>,
}

impl Signatures {
    pub(super) fn new(config: &Clamav) -> Self {
        let (tag, ignore) = (&config.tag_signatures, &config.ignore_signatures);
        Self { tag: tag.clone(), ignore: ignore.clone() }
    }

    /// What it means that clamd found a signature of that name. clamd names one alone: whatever it
    /// is, no message is clean for it.
    pub(super) fn judge(&self, name: String) -> ScanResult {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &name));
        let (cause, what) = if is_of(&name, ENCRYPTED) {
            (Unscanned::Encrypted, "encrypted")
        } else if is_of(&name, LIMITS) {
            (Unscanned::Limits, "exceeds clamd's limits")
        } else if named(&self.ignore) {
            (Unscanned::Ignored, "ignored signature")
        } else if named(&self.tag) {
            (Unscanned::Spam, "spam signature")
        } else {
            return ScanResult::Infected { name };
        };
        ScanResult::unscanned(cause, format!("{what} {}", visible(&name)))
    }
}

fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a pattern, in which `*` stands for anything, is the whole name. The first place that
/// fits each piece between two stars is as good as any other, so that no place is tried again.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let (pieces, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in pieces.split('*') {
        let Some(at) = name.find(piece) else { return false };
        name = &name[at + piece.len()..];
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name) in [
            ("PUA.*", "PUA.Win.Packer"),
            ("*", ""),
            ("**", "x"),
            ("*.UNOFFICIAL", "a.UNOFFICIAL"),
            ("a*b*c", "abbc"),
            ("a*b*c", "a--b--c"),
            ("Eicar", "Eicar"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("PUA.*", "Win.PUA.x"),
            ("Eicar", "Eicar-2"),
            ("", "x"),
            ("a*b*c", "acb"),
            ("ab*bc", "abc"),
            ("*.UNOFFICIAL", "a.UNOFFICIAL.b"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn each_name_has_one_meaning() {
        let mut config = Config::default().clamav;
        config.ignore_signatures = vec!["PUA.Ignored.*".into(), "Heuristics.*".into()];
        config.tag_signatures = vec!["PUA.*".into()];
        let signatures = Signatures::new(&config);
        for (name, expected) in [
            ("Heuristics.Encrypted.Zip", "Unscanned (encrypted)"),
            ("Heuristics.EncryptedNot", "Unscanned (ignored signature Heuristics.EncryptedNot)"),
            ("Heuristics.Limits.Exceeded.MaxFileSize", "Unscanned (exceeds scan limits)"),
            ("Heuristics.Limits.Exceeded", "Unscanned (exceeds scan limits)"),
            ("PUA.Ignored.x", "Unscanned (ignored signature PUA.Ignored.x)"),
            ("PUA.Win.x", "Unscanned (spam signature PUA.Win.x)"),
            ("Win.Test.EICAR_HDB-1", "Infected (Win.Test.EICAR_HDB-1)"),
        ] {
            assert_eq!(signatures.judge(name.into()).to_string(), expected);
        }
    }
}
