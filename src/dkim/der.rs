//! The little of DER that RSA public keys need (RFC 5280 §4.1.2.7, RFC 8017 A.1.1).

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// rsaEncryption, 1.2.840.113549.1.1.1, as an OBJECT IDENTIFIER.
const RSA_ENCRYPTION: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// NULL, the parameters of rsaEncryption.
const NULL: [u8; 2] = [5, 0];

/// Modulus and public exponent, big-endian and without leading zeros.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, []) = element(der, SEQUENCE)? else { return None };
    if sequence.first() == Some(&INTEGER) {
        return integers(sequence);
    }
    // A SubjectPublicKeyInfo: the algorithm, then the key in a bit string.
    let (algorithm, key) = element(sequence, SEQUENCE)?;
    let parameters = algorithm.strip_prefix(&RSA_ENCRYPTION)?;
    if !parameters.is_empty() && parameters != NULL {
        return None;
    }
    let (bits, []) = element(key, BIT_STRING)? else { return None };
    let (sequence, []) = element(bits.strip_prefix(&[0])?, SEQUENCE)? else { return None };
    integers(sequence)
}

/// How many bits an `RSAPrivateKey` has (RFC 8017 A.1.2), whether it is whole or not.
pub(super) fn rsa_private_bits(der: &[u8]) -> Option<u32> {
    let (sequence, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(sequence, INTEGER)?;
    let modulus = positive(element(rest, INTEGER)?.0)?;
    let leading = modulus.first()?.leading_zeros();
    Some(modulus.len() as u32 * 8 - leading)
}

/// The algorithm of a PKCS#8 key, as the octets of an OBJECT IDENTIFIER's element with what stands
/// behind it, and the key (RFC 5208 §5).
pub(super) fn pkcs8_parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(sequence, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTET_STRING)?;
    Some((algorithm, key))
}

/// Whether a PKCS#8 algorithm is rsaEncryption.
pub(super) fn is_rsa(algorithm: &[u8]) -> bool {
    algorithm.starts_with(&RSA_ENCRYPTION)
}

/// Wraps an `RSAPublicKey` as a `SubjectPublicKeyInfo`, which is what key records hold in practice
/// (RFC 6376 erratum 3017).
pub(super) fn subject_public_key_info(rsa_public_key: &[u8]) -> Vec<u8> {
    let algorithm = wrap(SEQUENCE, &[&RSA_ENCRYPTION, &NULL]);
    let key = wrap(BIT_STRING, &[&[0], rsa_public_key]);
    wrap(SEQUENCE, &[&algorithm, &key])
}

fn integers(sequence: &[u8]) -> Option<(&[u8], &[u8])> {
    let (modulus, rest) = element(sequence, INTEGER)?;
    let (exponent, []) = element(rest, INTEGER)? else { return None };
    Some((positive(modulus)?, positive(exponent)?))
}

fn positive(octets: &[u8]) -> Option<&[u8]> {
    let magnitude = match octets {
        [0, rest @ ..] => rest,
        [1..=0x7f, ..] => octets,
        _ => return None,
    };
    magnitude.first().is_some_and(|first| *first != 0).then_some(magnitude)
}

/// The contents of the element that `der` starts with, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *der.strip_prefix(&[tag])? {
        [short @ ..=0x7f, ref rest @ ..] => (usize::from(short), rest),
        [0x81, length, ref rest @ ..] => (usize::from(length), rest),
        [0x82, high, low, ref rest @ ..] => (usize::from(high) << 8 | usize::from(low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len();
    let mut der = vec![tag];
    match length {
        0..0x80 => der.push(length as u8),
        0x80..0x100 => der.extend([0x81, length as u8]),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend(contents);
    der
}
