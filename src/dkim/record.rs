//! Key records: what stands in the DNS under `selector._domainkey.domain` (RFC 6376 §3.6.1).

use super::tags::{TagError, TagList, items};
use super::{base64, der};

/// The longest key record that is read; one for an RSA key of 16,384 bits has 2,800 octets.
pub const RECORD_BYTES_MAX: usize = 8192;
/// The largest RSA modulus, in bits, that a signature is verified with.
pub const RSA_BITS_MAX: u32 = 8192;

/// A key record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRecord {
    /// `k=` and `p=`.
    pub key: PublicKey,
    /// `h=` is absent or names SHA-256.
    pub accepts_sha256: bool,
    /// `t=y`: the signer is testing.
    pub testing: bool,
    /// `t=s`: the domain of `i=` must be `d=` itself.
    pub strict: bool,
}

/// A public key as published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PublicKey {
    /// `p=` is empty: the key is revoked.
    Revoked,
    /// `k=rsa`.
    Rsa {
        /// Big-endian, without leading zeros.
        modulus: Vec<u8>,
        /// Big-endian, without leading zeros.
        exponent: Vec<u8>,
    },
    /// `k=ed25519` (RFC 8463 §4.2).
    Ed25519([u8; 32]),
}

/// The types of keys (`k=`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum KeyType {
    /// RSA.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// Why a record is not a key record that mail can be verified with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Over [`RECORD_BYTES_MAX`].
    #[error("key record is longer than {RECORD_BYTES_MAX} octets")]
    TooLong,
    /// No tag list.
    #[error("key syntax error, {0}")]
    Tags(#[from] TagError),
    /// `v=` is not first or not DKIM1.
    #[error("key record is not of version DKIM1")]
    Version,
    /// `k=` is unknown.
    #[error("unknown key type")]
    KeyType,
    /// `s=` lists neither `email` nor `*`.
    #[error("key is not for email")]
    Service,
    /// `p=` is missing.
    #[error("key record lacks p=")]
    Missing,
    /// `p=` is not base64, or not a key of its type.
    #[error("key syntax error in p=")]
    Key,
}

impl KeyRecord {
    /// Parses the text of one TXT record, its strings joined (§3.6.2.2).
    pub fn parse(txt: &[u8]) -> Result<Self, RecordError> {
        if txt.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let tags = TagList::parse(txt)?;
        check_version(&tags)?;
        // "Verifiers for a given service type MUST ignore this record if the appropriate type is
        // not listed" (§3.6.1 s=).
        if !lists(&tags, "s", &[b"*", b"email"]).unwrap_or(true) {
            return Err(RecordError::Service);
        }
        Ok(Self {
            key: PublicKey::from_tags(&tags)?,
            accepts_sha256: lists(&tags, "h", &[b"sha256"]).unwrap_or(true),
            testing: lists(&tags, "t", &[b"y"]).unwrap_or(false),
            strict: lists(&tags, "t", &[b"s"]).unwrap_or(false),
        })
    }
}

impl PublicKey {
    fn from_tags(tags: &TagList<'_>) -> Result<Self, RecordError> {
        let key_type = KeyType::from_name(tags.get("k").unwrap_or(b"rsa"));
        let text = tags.get("p").ok_or(RecordError::Missing)?;
        if text.is_empty() {
            return Ok(Self::Revoked);
        }
        let octets = base64::decode(text).ok_or(RecordError::Key)?;
        Self::from_octets(key_type.ok_or(RecordError::KeyType)?, &octets).ok_or(RecordError::Key)
    }

    /// Reads a key as `p=` holds it: for RSA a `SubjectPublicKeyInfo` or, as §3.6.1 words it, a
    /// bare `RSAPublicKey`; for Ed25519 its 32 octets.
    pub fn from_octets(key_type: KeyType, octets: &[u8]) -> Option<Self> {
        match key_type {
            KeyType::Rsa => {
                let (modulus, exponent) = der::rsa_public_key(octets)?;
                Some(Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
            }
            KeyType::Ed25519 => octets.try_into().ok().map(Self::Ed25519),
        }
    }

    /// How many bits the key has; 0 where it is revoked.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Revoked => 0,
            Self::Rsa { modulus, .. } => {
                let leading = modulus.first().map_or(0, |octet| octet.leading_zeros());
                modulus.len() as u32 * 8 - leading
            }
            Self::Ed25519(_) => 256,
        }
    }
}

impl KeyType {
    /// The name in `k=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Rsa, Self::Ed25519].into_iter().find(|known| known.as_str().as_bytes() == name)
    }
}

/// The text of a key record: `public_key` is a `SubjectPublicKeyInfo` for RSA and the 32 octets
/// for Ed25519, or empty where the key is revoked; `strict` sets `t=s`, `testing` `t=y`.
pub fn dns_text(key_type: KeyType, public_key: &[u8], strict: bool, testing: bool) -> String {
    let flags = match (testing, strict) {
        (false, false) => "",
        (true, false) => " t=y;",
        (false, true) => " t=s;",
        (true, true) => " t=y:s;",
    };
    format!("v=DKIM1; k={};{flags} p={}", key_type.as_str(), base64::encode(public_key))
}

/// "This tag MUST be the first tag in the record" (§3.6.1 v=), and "DKIM1" to the letter.
fn check_version(tags: &TagList<'_>) -> Result<(), RecordError> {
    let Some(version) = tags.get("v") else { return Ok(()) };
    let first = tags.iter().next().is_some_and(|tag| tag.name == "v");
    (first && version == b"DKIM1").then_some(()).ok_or(RecordError::Version)
}

/// Whether the tag's list holds one of `wanted`; `None` where there is no such tag.
fn lists(tags: &TagList<'_>, tag: &str, wanted: &[&[u8]]) -> Option<bool> {
    tags.get(tag).map(|value| items(value).any(|item| wanted.contains(&item)))
}
