//! Private keys as other software leaves them: PEM of any kind, and base64 without any
//! (RFC 7468, RFC 5208, RFC 8017 A.1.2, RFC 8410).
//!
//! What can't be used is told apart, so that each can be told its remedy.

use super::signing_key::SigningKey;
use super::{base64, der};

/// The fewest bits of an RSA key that we sign with (RFC 8301 §3.2: signers SHOULD use 2048 or more;
/// the library makes that a must).
pub const RSA_BITS_MIN: u32 = 2048;

/// Why a text is no private key that mailseal can use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ForeignKeyError {
    /// Neither PEM nor base64 of a key.
    #[error("holds no private key (PEM, as in -----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// A passphrase protects it.
    #[error(
        "the key is encrypted with a passphrase, which a daemon cannot type; decrypt it with: \
         openssl pkey -in FILE -out NEW"
    )]
    Encrypted,
    /// An SSH key.
    #[error("is an OpenSSH key; convert a copy of it with: ssh-keygen -p -m PKCS8 -f COPY")]
    OpenSsh,
    /// The other half.
    #[error("holds a {0} and no private key; name the file of the private key")]
    NotPrivate(&'static str),
    /// EC, DSA and others.
    #[error(
        "the key is of type {0}, which DKIM does not have (RSA and Ed25519 alone); make a new one \
         with mailseal keys generate"
    )]
    Type(&'static str),
    /// It begins and does not end.
    #[error("is cut short: there is no line {0}; copy it again from its source")]
    Truncated(&'static str),
    /// It is no base64, or what it holds is no key.
    #[error("the key is damaged; copy it again from its source")]
    Damaged,
    /// Under [`RSA_BITS_MIN`].
    #[error(
        "an RSA key of {0} bits is too small to sign with ({RSA_BITS_MIN} is the least); make a \
         new one with mailseal keys generate, and publish its record before you switch"
    )]
    TooSmall(u32),
    /// Over what the library takes.
    #[error(
        "an RSA key of {0} bits is too large to sign with; make a new one with mailseal keys generate"
    )]
    TooLarge(u32),
    /// Several keys in one file.
    #[error("holds several private keys; give each a file of its own")]
    Several,
}

/// The PEM labels of what is no usable private key (RFC 7468, and OpenSSL's and OpenSSH's own).
const NOT_USED: &[(&str, ForeignKeyError)] = &[
    ("ENCRYPTED PRIVATE KEY", ForeignKeyError::Encrypted),
    ("OPENSSH PRIVATE KEY", ForeignKeyError::OpenSsh),
    ("EC PRIVATE KEY", ForeignKeyError::Type("EC")),
    ("DSA PRIVATE KEY", ForeignKeyError::Type("DSA")),
    ("CERTIFICATE", ForeignKeyError::NotPrivate("certificate")),
    ("PUBLIC KEY", ForeignKeyError::NotPrivate("public key")),
    ("RSA PUBLIC KEY", ForeignKeyError::NotPrivate("public key")),
];

/// The types of keys that PKCS#8 may hold, by the content of their OBJECT IDENTIFIER.
const TYPES: &[(&[u8], &str)] = &[
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "EC"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "DSA"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "RSA-PSS"),
    (&[6, 3, 0x2b, 0x65, 0x6e], "X25519"),
    (&[6, 3, 0x2b, 0x65, 0x71], "Ed448"),
];
/// id-Ed25519 (RFC 8410 §3).
const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

impl SigningKey {
    /// Reads a key as other software writes it: PKCS#8 or PKCS#1 in PEM or in bare base64, and the
    /// base64 of an Ed25519 seed (dkimpy) or of a seed and its public half (rspamd).
    pub fn from_foreign(text: &str) -> Result<Self, ForeignKeyError> {
        if text.matches("PRIVATE KEY-----").count() > 2 {
            return Err(ForeignKeyError::Several);
        }
        if let Some(body) = block(text, "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----")?
        {
            return from_der(&decoded(body)?);
        }
        let rsa = ("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----");
        if let Some(body) = block(text, rsa.0, rsa.1)? {
            // RFC 1421's header lines, as OpenSSL writes them.
            if body.contains("Proc-Type:") || body.contains("DEK-Info:") {
                return Err(ForeignKeyError::Encrypted);
            }
            return from_der(&decoded(body)?);
        }
        let is_there = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
        if let Some((_, error)) = NOT_USED.iter().find(|(label, _)| is_there(label)) {
            return Err(error.clone());
        }
        if text.contains("-----BEGIN ") {
            return Err(ForeignKeyError::NoKey);
        }
        bare(text)
    }
}

/// What stands between two lines; none where the first is not there.
fn block<'a>(
    text: &'a str,
    begin: &str,
    end: &'static str,
) -> Result<Option<&'a str>, ForeignKeyError> {
    let Some((_, after)) = text.split_once(begin) else { return Ok(None) };
    let (body, _) = after.split_once(end).ok_or(ForeignKeyError::Truncated(end))?;
    Ok(Some(body))
}

fn decoded(body: &str) -> Result<Vec<u8>, ForeignKeyError> {
    base64::decode(body.as_bytes()).ok_or(ForeignKeyError::Damaged)
}

/// Base64 without PEM's lines.
fn bare(text: &str) -> Result<SigningKey, ForeignKeyError> {
    let text = text.trim();
    let octets = match base64::decode(text.as_bytes()) {
        Some(octets) if !octets.is_empty() => octets,
        _ => return Err(ForeignKeyError::NoKey),
    };
    match octets.len() {
        32 | 64 => {
            let (seed, public) = octets.split_at(32);
            let key = SigningKey::from_ed25519_seed(seed).ok_or(ForeignKeyError::Damaged)?;
            let fits = public.is_empty() || key.public_key() == public;
            fits.then_some(key).ok_or(ForeignKeyError::Damaged)
        }
        _ if octets.first() == Some(&0x30) => from_der(&octets),
        _ => Err(ForeignKeyError::NoKey),
    }
}

/// PKCS#8, or PKCS#1.
fn from_der(octets: &[u8]) -> Result<SigningKey, ForeignKeyError> {
    let (rsa, is_pkcs8) = match der::pkcs8_parts(octets) {
        Some((algorithm, key)) if der::is_rsa(algorithm) => (key, true),
        Some((algorithm, _)) if algorithm.starts_with(ED25519) => {
            return SigningKey::from_pkcs8(octets).map_err(|_| ForeignKeyError::Damaged);
        }
        Some((algorithm, _)) => {
            let known = TYPES.iter().find(|(identifier, _)| algorithm.starts_with(identifier));
            return Err(ForeignKeyError::Type(known.map_or("unknown", |(_, name)| name)));
        }
        None => (octets, false),
    };
    match der::rsa_private_bits(rsa).ok_or(ForeignKeyError::Damaged)? {
        bits if bits < RSA_BITS_MIN => return Err(ForeignKeyError::TooSmall(bits)),
        bits if bits > super::record::RSA_BITS_MAX => return Err(ForeignKeyError::TooLarge(bits)),
        _ => {}
    }
    let key =
        if is_pkcs8 { SigningKey::from_pkcs8(octets) } else { SigningKey::from_pkcs1(octets) };
    key.map_err(|_| ForeignKeyError::Damaged)
}
