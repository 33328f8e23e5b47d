//! A signature against the key records published for it (RFC 6376 §6.1.2, §6.1.3 step 4).

use ring::digest::{SHA256, digest};
use ring::signature::{
    ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::record::{KeyRecord, PublicKey, RSA_BITS_MAX};
use super::signature::{Algorithm, Signature};
use super::verify::KeyLookup;
use crate::result::AuthResult;

/// How many key records of one name are tried; there ought to be one (RFC 6376 §3.6.2.2).
const KEY_RECORDS_MAX: usize = 8;
/// Why a signature fails that the key does not verify over the header fields.
pub(crate) const SIGNATURE_WRONG: &str = "signature did not verify";
/// "Verifiers MUST NOT consider signatures using RSA keys of less than 1024 bits as valid
/// signatures" (RFC 8301 §3.2).
const RSA_BITS_MIN: u32 = 1024;

/// What the header fields and a key record say of a signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) result: AuthResult,
    pub(crate) reason: Option<String>,
    pub(crate) testing: bool,
}

/// What a signature puts before a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    /// `a=`.
    pub(crate) algorithm: Algorithm,
    /// `b=`, decoded.
    pub(crate) octets: &'a [u8],
    /// Whether the domain of `i=` is `d=` itself, which `t=s` asks for.
    pub(crate) is_strict: bool,
}

impl<'a> From<&'a Signature> for Signed<'a> {
    fn from(signature: &'a Signature) -> Self {
        Self {
            algorithm: signature.algorithm,
            octets: &signature.signature,
            is_strict: signature.auid_domain == signature.domain,
        }
    }
}

impl Outcome {
    pub(super) fn new(result: AuthResult, reason: String) -> Self {
        Self { result, reason: Some(reason), testing: false }
    }

    /// How far a record led: of several records the one that led farthest is reported.
    fn rank(&self) -> u8 {
        match self.result {
            AuthResult::Pass => 3,
            AuthResult::Fail => 2,
            AuthResult::Policy => 1,
            _ => 0,
        }
    }
}

/// What the answer to the query for a key record makes of a signature over `input`, which is only
/// made where there are records (§6.1.2).
pub(crate) fn check_lookup<I: AsRef<[u8]>>(
    signed: Signed<'_>,
    input: impl FnOnce() -> I,
    lookup: &KeyLookup,
    rsa_bits_min: u32,
) -> Outcome {
    match lookup {
        KeyLookup::Temporary(cause) => {
            Outcome::new(AuthResult::Temperror, format!("key unavailable, {cause}"))
        }
        KeyLookup::Found(records) if !records.is_empty() => {
            check_records(signed, input().as_ref(), records, rsa_bits_min)
        }
        KeyLookup::NotFound | KeyLookup::Found(_) => no_key(),
    }
}

fn no_key() -> Outcome {
    Outcome::new(AuthResult::Permerror, "no key for signature".to_owned())
}

/// Tries the records one after the other (§6.1.2 step 4: a verifier "may cycle through the key
/// records"); the first that verifies decides.
fn check_records(
    signed: Signed<'_>,
    input: &[u8],
    records: &[Vec<u8>],
    rsa_bits_min: u32,
) -> Outcome {
    let mut best = no_key();
    for (number, record) in records.iter().take(KEY_RECORDS_MAX).enumerate() {
        let outcome = check_record(signed, input, record, rsa_bits_min);
        if number == 0 || outcome.rank() > best.rank() {
            best = outcome;
        }
        if best.result == AuthResult::Pass {
            break;
        }
    }
    best
}

fn check_record(signed: Signed<'_>, input: &[u8], txt: &[u8], rsa_bits_min: u32) -> Outcome {
    let record = match KeyRecord::parse(txt) {
        Ok(record) => record,
        Err(error) => return Outcome::new(AuthResult::Permerror, error.to_string()),
    };
    let testing = record.testing;
    match check_fitness(signed, &record, rsa_bits_min) {
        Err((result, reason)) => Outcome { testing, ..Outcome::new(result, reason) },
        Ok(()) if verifies(signed, input, &record.key) => {
            Outcome { result: AuthResult::Pass, reason: None, testing }
        }
        Ok(()) => {
            let reason = SIGNATURE_WRONG.to_owned();
            Outcome { testing, ..Outcome::new(AuthResult::Fail, reason) }
        }
    }
}

/// Whether the record may serve this signature (§6.1.2 steps 6 to 8).
fn check_fitness(
    signed: Signed<'_>,
    record: &KeyRecord,
    rsa_bits_min: u32,
) -> Result<(), (AuthResult, String)> {
    let permerror = |reason: &str| Err((AuthResult::Permerror, reason.to_owned()));
    if !record.accepts_sha256 {
        return permerror("inappropriate hash algorithm");
    }
    let bits = record.key.bits();
    match (&record.key, signed.algorithm) {
        (PublicKey::Revoked, _) => return permerror("key revoked"),
        (PublicKey::Rsa { .. }, Algorithm::RsaSha256) => {
            let bits_min = rsa_bits_min.max(RSA_BITS_MIN);
            if bits < bits_min {
                let reason = format!("RSA key has {bits} bits, {bits_min} are required");
                return Err((AuthResult::Policy, reason));
            }
            if bits > RSA_BITS_MAX {
                return permerror(&format!("RSA key has more than {RSA_BITS_MAX} bits"));
            }
        }
        (PublicKey::Ed25519(_), Algorithm::Ed25519Sha256) => {}
        _ => return permerror("inappropriate key algorithm"),
    }
    // "the domain of the AUID ("i=" flag) MUST be the same as that of the SDID (d=)" (§3.10).
    if record.strict && !signed.is_strict {
        return permerror("domain mismatch, the key asks for i= equal to d=");
    }
    Ok(())
}

fn verifies(signed: Signed<'_>, input: &[u8], key: &PublicKey) -> bool {
    let octets = signed.octets;
    match key {
        PublicKey::Revoked => false,
        PublicKey::Rsa { modulus, exponent } => {
            let key = RsaPublicKeyComponents { n: modulus, e: exponent };
            let parameters = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
            key.verify(parameters, input, octets).is_ok()
        }
        // The Ed25519 message is the digest (RFC 8463 §3).
        PublicKey::Ed25519(key) => {
            let digest = digest(&SHA256, input);
            UnparsedPublicKey::new(&ED25519, key).verify(digest.as_ref(), octets).is_ok()
        }
    }
}
