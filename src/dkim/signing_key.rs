//! Private keys: read, made, and used to sign (RFC 6376 §3.3, RFC 8463 §3).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};

use super::record::KeyType;
use super::signature::Algorithm;
use super::{base64, der};

/// A private key. Its `Debug` shows the type alone.
pub struct SigningKey {
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// Why a key cannot be read, made or used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block of a private key.
    #[error("no private key in PEM (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY)")]
    Pem,
    /// The key is protected by a passphrase.
    #[error("the private key is encrypted; run: openssl pkey -in FILE -out NEW")]
    Encrypted,
    /// Neither RSA nor Ed25519, damaged, or of a size that is not signed with.
    #[error("not an RSA key of 2048 to 8192 bits nor an Ed25519 key")]
    Unusable,
    /// A size that is not made.
    #[error("RSA keys are made with 2048, 3072 or 4096 bits")]
    Size,
    /// The library failed, as when there is no randomness.
    #[error("the cryptographic library failed")]
    Library,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.key_type()).finish()
    }
}

impl SigningKey {
    /// Reads the first private key of a PEM file: PKCS#8, or PKCS#1 for RSA.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        const RSA: &str = "RSA PRIVATE KEY";
        if let Some(der) = pem_block(pem, "PRIVATE KEY") {
            return Self::from_pkcs8(&der);
        }
        if let Some(der) = pem_block(pem, RSA) {
            return Self::from_pkcs1(&der);
        }
        let encrypted = pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type:");
        Err(if encrypted { KeyError::Encrypted } else { KeyError::Pem })
    }

    /// Reads a key in PKCS#8 (DER).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self { pair: Pair::Ed25519(pair) });
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Unusable)?;
        Ok(Self { pair: Pair::Rsa(Box::new(pair)) })
    }

    /// Reads an RSA key in PKCS#1 (DER).
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_der(der).map_err(|_| KeyError::Unusable)?;
        Ok(Self { pair: Pair::Rsa(Box::new(pair)) })
    }

    /// Makes the Ed25519 key of a seed of 32 octets (RFC 8032 §5.1.5).
    pub(super) fn from_ed25519_seed(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { pair: Pair::Ed25519(pair) })
    }

    /// The key as PKCS#8 in PEM, in which the key store keeps it.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let library = |_| KeyError::Library;
        match &self.pair {
            Pair::Rsa(pair) => {
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&**pair).map_err(library)?;
                Ok(to_pem(der.as_ref()))
            }
            Pair::Ed25519(pair) => Ok(to_pem(pair.to_pkcs8v1().map_err(library)?.as_ref())),
        }
    }

    /// The key's type.
    pub fn key_type(&self) -> KeyType {
        match self.pair {
            Pair::Rsa(_) => KeyType::Rsa,
            Pair::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// What the key signs with (`a=`).
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::RsaSha256,
            Pair::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// How many bits the key has.
    pub fn bits(&self) -> u32 {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_modulus_len() as u32 * 8,
            Pair::Ed25519(_) => 256,
        }
    }

    /// The public half as `p=` holds it: a `SubjectPublicKeyInfo` (DER) for RSA, 32 octets for
    /// Ed25519.
    pub fn public_key(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => der::subject_public_key_info(pair.public_key().as_ref()),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// Signs canonical header octets; the value of `b=`, not yet in base64.
    pub fn sign(&self, input: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .map_err(|_| KeyError::Library)?;
                Ok(signature)
            }
            // The Ed25519 message is the digest (RFC 8463 §3).
            Pair::Ed25519(pair) => {
                let digest = ring::digest::digest(&ring::digest::SHA256, input);
                let signature = pair.try_sign(digest.as_ref()).map_err(|_| KeyError::Library)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// Makes an RSA key; PKCS#8 in PEM.
pub fn generate_rsa(bits: u32) -> Result<String, KeyError> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => return Err(KeyError::Size),
    };
    let pair = RsaKeyPair::generate(size).map_err(|_| KeyError::Library)?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyError::Library)?;
    Ok(to_pem(der.as_ref()))
}

/// Makes an Ed25519 key; PKCS#8 in PEM, in the first version, which OpenSSL reads too.
pub fn generate_ed25519() -> Result<String, KeyError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Library)?;
    let der = pair.to_pkcs8v1().map_err(|_| KeyError::Library)?;
    Ok(to_pem(der.as_ref()))
}

fn to_pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64::encode(der);
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(64));
        pem.push_str(&rest);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

/// The octets of the first block with that label (RFC 7468); none where it has header lines.
fn pem_block(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, after) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (text, _) = after.split_once(&format!("-----END {label}-----"))?;
    base64::decode(text.as_bytes())
}
