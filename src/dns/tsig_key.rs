//! The key that signs updates (TSIG, RFC 8945), in a file as BIND's `tsig-keygen` writes it:
//! `key "name" { algorithm hmac-sha256; secret "base64"; };`
//!
//! Failure: a file that others may read, or that is no such key, is a [`KeyFileError`] that names it
//! and the remedy. The secret is never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;

use super::name;
use crate::config::error::quoted;
use crate::dkim::base64;
use crate::keys::{StoreError, read_private};

/// Such a file has some 100 octets.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// "at least as long as the output" (RFC 8945 §8) is 32; 16 is what older keys have.
const SECRET_BYTES_MIN: usize = 16;
/// How far our clock and the server's may differ (RFC 8945 §10).
const FUDGE_SECS: u16 = 300;

/// A shared key; `Debug` shows its name alone.
#[derive(Clone)]
pub struct TsigKey {
    signer: TSigner,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read, or others can read it.
    #[error(transparent)]
    File(#[from] StoreError),
    /// It is not what BIND writes.
    #[error("{}: {reason}; tsig-keygen writes such a file", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl TsigKey {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_private(path, FILE_BYTES_MAX)?;
        let fault = |reason| KeyFileError::Content { path: path.to_owned(), reason };
        Self::parse(&text).map_err(fault)
    }

    /// Reads the text of a file with one key; the error says what is wrong with it, and nothing of
    /// the secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = words(text)?;
        let mut words = words.iter();
        let mut next = || words.next().ok_or("it ends in the middle");
        expect(next()?, "key")?;
        let name = next()?.text()?;
        expect(next()?, "{")?;
        let (mut algorithm, mut secret) = (None, None);
        loop {
            let word = next()?;
            let place = match word.text()? {
                "algorithm" => &mut algorithm,
                "secret" => &mut secret,
                "}" if word.is_mark() => break,
                other => return Err(format!("unknown statement {}", quoted(other))),
            };
            if place.replace(next()?.text()?).is_some() {
                return Err("a statement is there twice".to_owned());
            }
            expect(next()?, ";")?;
        }
        expect(next()?, ";")?;
        if words.next().is_some() {
            return Err(
                "something stands behind the key; keep each key in a file of its own".into()
            );
        }
        Self::of(name, algorithm, secret)
    }

    fn of(name: &str, algorithm: Option<&str>, secret: Option<&str>) -> Result<Self, String> {
        let name = name::parse(name).ok_or_else(|| format!("{} is no key name", quoted(name)))?;
        let algorithm = algorithm.ok_or("algorithm is missing")?;
        if !algorithm.eq_ignore_ascii_case("hmac-sha256") {
            let algorithm = quoted(algorithm);
            return Err(format!("algorithm {algorithm} is not served, hmac-sha256 is"));
        }
        let secret = base64::decode(secret.ok_or("secret is missing")?.as_bytes());
        let secret = secret.ok_or("the secret is not base64")?;
        if secret.len() < SECRET_BYTES_MIN {
            return Err(format!("the secret has fewer than {SECRET_BYTES_MIN} octets"));
        }
        // Names of keys are compared in lower case (RFC 8945 §4.3.3).
        let signer =
            TSigner::new(secret, TsigAlgorithm::HmacSha256, name.to_lowercase(), FUDGE_SECS);
        Ok(Self { signer: signer.map_err(|error| error.to_string())? })
    }

    pub(super) fn signer(&self) -> &TSigner {
        &self.signer
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigKey")
            .field("name", &self.signer.signer_name().to_ascii())
            .finish_non_exhaustive()
    }
}

/// A word of named.conf, and whether it stood in quotes.
#[derive(Debug)]
enum Word<'a> {
    Bare(&'a str),
    Quoted(&'a str),
    Mark(&'a str),
}

impl<'a> Word<'a> {
    fn text(&self) -> Result<&'a str, String> {
        match self {
            Self::Bare(text) | Self::Quoted(text) => Ok(text),
            Self::Mark("}") => Ok("}"),
            Self::Mark(mark) => Err(format!("{mark} stands where a word belongs")),
        }
    }

    fn is_mark(&self) -> bool {
        matches!(self, Self::Mark(_))
    }
}

fn expect(word: &Word<'_>, wanted: &str) -> Result<(), String> {
    match word {
        Word::Bare(text) | Word::Mark(text) if *text == wanted => Ok(()),
        _ => Err(format!("{wanted} is missing")),
    }
}

/// Splits named.conf's syntax: words, quoted words, marks; comments of its three kinds are skipped.
fn words(text: &str) -> Result<Vec<Word<'_>>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") || first == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").ok_or("a comment has no end")? + 2
        } else if let Some(inside) = rest.strip_prefix('"') {
            let end = inside.find('"').ok_or("a quoted word has no end")?;
            words.push(Word::Quoted(&inside[..end]));
            end + 2
        } else if matches!(first, '{' | '}' | ';') {
            words.push(Word::Mark(&rest[..1]));
            1
        } else {
            let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"' | '#');
            let end = rest.find(ends).unwrap_or(rest.len());
            words.push(Word::Bare(&rest[..end]));
            end
        };
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "bWFpbHNlYWwgdGVzdCBrZXksIG5vdCBhIHNlY3JldCE=";

    fn file(text: &str) -> Result<TsigKey, String> {
        TsigKey::parse(&text.replace("SECRET", SECRET))
    }

    #[test]
    fn keys_as_bind_writes_them() {
        for text in [
            "key \"mailseal.\" {\n\talgorithm hmac-sha256;\n\tsecret \"SECRET\";\n};\n",
            "# a\n// b\n/* c\n */ key Mailseal { secret SECRET; algorithm \"HMAC-SHA256\"; };",
        ] {
            let key = file(text).unwrap();
            assert_eq!(key.signer().signer_name().to_ascii(), "mailseal.");
            assert_eq!(key.signer().key(), b"mailseal test key, not a secret!");
        }
    }

    #[test]
    fn what_is_no_key_is_told_without_the_secret() {
        for (text, said) in [
            ("", "ends"),
            ("key a { algorithm hmac-sha256; secret \"SECRET\"; }", "ends"),
            ("key a { algorithm hmac-md5; secret \"SECRET\"; };", "hmac-sha256 is"),
            ("key a { algorithm hmac-sha256; };", "secret is missing"),
            ("key a { secret \"SECRET\"; };", "algorithm is missing"),
            ("key a { secret \"SECRET\"; secret \"SECRET\"; };", "twice"),
            ("key a { algorithm hmac-sha256; secret \"!SECRET\"; };", "not base64"),
            ("key a { algorithm hmac-sha256; secret \"YQ==\"; };", "fewer"),
            ("key a { algorithm hmac-sha256 secret \"SECRET\"; };", "; is missing"),
            ("key a { port 53; };", "unknown statement"),
            ("key a..b { algorithm hmac-sha256; secret \"SECRET\"; };", "no key name"),
            ("key \"a { };", "no end"),
            ("/* key", "no end"),
            ("zone a { };", "key is missing"),
            ("key a { algorithm hmac-sha256; secret \"SECRET\"; }; key b {};", "behind"),
        ] {
            let reason = file(text).unwrap_err();
            assert!(reason.contains(said), "{text}: {reason}");
            assert!(!reason.contains(&SECRET[..8]), "{reason}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~\n\u{e4}]{0,80}", rest in "([{};\"#/* a=]|key|secret){0,30}") {
            drop(TsigKey::parse(&text));
            drop(TsigKey::parse(&rest));
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let key = file("key a { algorithm hmac-sha256; secret \"SECRET\"; };").unwrap();
        assert_eq!(format!("{key:?}"), "TsigKey { name: \"a.\", .. }");
    }
}
