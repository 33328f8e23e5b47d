//! The DKIM-Signature header field (RFC 6376 §3.5, §6.1.1).

use std::ops::Range;

use super::canonical::Canonicalization;
use super::digest::BodyWant;
use super::tags::{TagError, TagList, items, without_white_space};
use super::{base64, name};
use crate::message::domain::is_within;

/// More names than this in `h=` are refused, so that a header hash stays cheap.
pub const SIGNED_FIELDS_MAX: usize = 1000;
/// The longest `i=`: an address has at most 320 octets, each three in quoted-printable.
const AUID_OCTETS_MAX: usize = 960;
/// The longest `b=` in base64: a 16,384-bit modulus.
pub const SIGNATURE_CHARS_MAX: usize = 2800;

/// The algorithm of a signature (`a=`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// RFC 6376 §3.3.2.
    RsaSha256,
    /// RFC 8463 §3.
    Ed25519Sha256,
    /// Historic: it verifies nothing any more (RFC 8301 §3.1).
    RsaSha1,
}

impl Algorithm {
    /// The name in `a=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
            Self::RsaSha1 => "rsa-sha1",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        [Self::RsaSha256, Self::Ed25519Sha256, Self::RsaSha1]
            .into_iter()
            .find(|algorithm| algorithm.as_str().as_bytes() == name)
    }
}

/// Which field a signature stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Dkim,
    /// An ARC-Message-Signature, which has no `v=`, and an instance for `i=` (RFC 8617 §4.1.2).
    Arc,
}

/// A signature whose syntax holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    /// `a=`.
    pub algorithm: Algorithm,
    /// `b=`, decoded.
    pub signature: Vec<u8>,
    /// Where the value of `b=` stands in the field's value.
    pub signature_range: Range<usize>,
    /// `bh=`, decoded.
    pub body_hash: Vec<u8>,
    /// The header half of `c=`.
    pub header_canonicalization: Canonicalization,
    /// The body half of `c=`.
    pub body_canonicalization: Canonicalization,
    /// `d=`: the signing domain, as A-labels in lower case.
    pub domain: String,
    /// `h=`: the signed fields' names in lower case.
    pub signed_fields: Vec<String>,
    /// `i=`: the AUID as sent, still in quoted-printable.
    pub auid: Option<String>,
    /// The domain of the AUID, as A-labels in lower case; `d=` where there is no `i=`.
    pub auid_domain: String,
    /// `l=`: how many octets of the canonicalized body are signed.
    pub length: Option<u64>,
    /// `s=`, as A-labels in lower case.
    pub selector: String,
    /// `t=`: when it was signed, in Unix seconds.
    pub timestamp: Option<u64>,
    /// `x=`: when it expires, in Unix seconds.
    pub expiration: Option<u64>,
}

/// What a signature says of itself; of one that is invalid, as much as could be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Claims {
    /// `d=`, where it is a domain name.
    pub domain: Option<String>,
    /// `s=`, where it is a selector.
    pub selector: Option<String>,
    /// `a=`, where it has an algorithm's form.
    pub algorithm: Option<String>,
    /// `i=` as sent, where it is an AUID.
    pub auid: Option<String>,
    /// `b=` without white space, where it is base64.
    pub signature: Option<String>,
}

/// A field that is no valid signature.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{fault}")]
pub struct SignatureError {
    /// What is wrong.
    pub fault: SignatureFault,
    /// What could be read.
    pub claims: Box<Claims>,
}

/// What makes a signature invalid (RFC 6376 §6.1.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureFault {
    /// No tag list.
    #[error("signature syntax error, {0}")]
    Tags(#[from] TagError),
    /// `v=` is other than 1.
    #[error("incompatible version")]
    Version,
    /// A required tag is missing.
    #[error("signature lacks the required tag {0}=")]
    Missing(&'static str),
    /// A tag's value is not what its grammar asks for.
    #[error("signature syntax error in {0}=")]
    Value(&'static str),
    /// `a=` is unknown.
    #[error("unknown algorithm")]
    Algorithm,
    /// `c=` is unknown.
    #[error("unknown canonicalization")]
    Canonicalization,
    /// `q=` lists no method that we know.
    #[error("unknown query method")]
    Query,
    /// `h=` is too long.
    #[error("h= names more than {SIGNED_FIELDS_MAX} fields")]
    FieldsTooMany,
    /// From is not signed.
    #[error("From field not signed")]
    FromNotSigned,
    /// `i=` is neither `d=` nor below it.
    #[error("domain mismatch, i= is not within d=")]
    DomainMismatch,
    /// `x=` is not after `t=`.
    #[error("signature expires before it was made")]
    ExpiresEarly,
}

impl Signature {
    /// Parses the value of a DKIM-Signature field, everything after the colon.
    pub fn parse(value: &[u8]) -> Result<Self, SignatureError> {
        let tags = TagList::parse(value)
            .map_err(|error| SignatureError { fault: error.into(), claims: Box::default() })?;
        Self::from_tags(&tags, Form::Dkim)
            .map_err(|fault| SignatureError { fault, claims: Box::new(Claims::from_tags(&tags)) })
    }

    /// Reads the tags of an ARC-Message-Signature field, all but its instance (RFC 8617 §4.1.2).
    pub(crate) fn from_arc_tags(tags: &TagList<'_>) -> Result<Self, SignatureFault> {
        Self::from_tags(tags, Form::Arc)
    }

    fn from_tags(tags: &TagList<'_>, form: Form) -> Result<Self, SignatureFault> {
        if form == Form::Dkim && required(tags, "v")? != b"1" {
            return Err(SignatureFault::Version);
        }
        let algorithm = algorithm(tags)?;
        let (signature, signature_range) = signature(tags)?;
        let (header_canonicalization, body_canonicalization) = canonicalizations(tags)?;
        let (domain, selector) = domain_and_selector(tags)?;
        let (auid, auid_domain) = match form {
            Form::Dkim => auid(tags, &domain)?,
            Form::Arc => (None, domain.clone()),
        };
        let (timestamp, expiration) = times(tags)?;
        check_query_methods(tags)?;
        Ok(Self {
            algorithm,
            signature,
            signature_range,
            body_hash: body_hash(tags, algorithm)?,
            header_canonicalization,
            body_canonicalization,
            domain,
            signed_fields: signed_fields(tags, form)?,
            auid,
            auid_domain,
            length: number(tags, "l", 76)?,
            selector,
            timestamp,
            expiration,
        })
    }

    /// What it wants hashed of the body.
    pub fn body_want(&self) -> BodyWant {
        BodyWant { canonicalization: self.body_canonicalization, length: self.length }
    }

    /// What it says of itself.
    pub fn claims(&self) -> Claims {
        Claims {
            domain: Some(self.domain.clone()),
            selector: Some(self.selector.clone()),
            algorithm: Some(self.algorithm.as_str().to_owned()),
            auid: self.auid.clone(),
            signature: Some(base64::encode(&self.signature)),
        }
    }
}

impl Claims {
    fn from_tags(tags: &TagList<'_>) -> Self {
        let domain = tags.get("d").and_then(name::domain);
        let algorithm = tags.get("a").filter(|value| is_algorithm(value));
        let signature = tags.get("b").map(without_white_space).filter(|value| is_base64(value));
        Self {
            auid: domain.as_deref().and_then(|domain| auid(tags, domain).ok()?.0),
            domain,
            selector: tags.get("s").and_then(name::selector),
            algorithm: algorithm.map(|value| String::from_utf8_lossy(value).into_owned()),
            signature: signature.and_then(|value| String::from_utf8(value).ok()),
        }
    }
}

fn is_algorithm(value: &[u8]) -> bool {
    value.len() <= 32 && value.iter().all(|o| o.is_ascii_alphanumeric() || *o == b'-')
}

fn is_base64(value: &[u8]) -> bool {
    (1..=SIGNATURE_CHARS_MAX).contains(&value.len())
        && value.iter().all(|o| o.is_ascii_alphanumeric() || b"+/=".contains(o))
}

fn required<'a>(tags: &TagList<'a>, tag: &'static str) -> Result<&'a [u8], SignatureFault> {
    tags.get(tag).ok_or(SignatureFault::Missing(tag))
}

/// `a=`.
pub(crate) fn algorithm(tags: &TagList<'_>) -> Result<Algorithm, SignatureFault> {
    Algorithm::from_name(required(tags, "a")?).ok_or(SignatureFault::Algorithm)
}

/// `b=`, decoded, and where it stands.
pub(crate) fn signature(tags: &TagList<'_>) -> Result<(Vec<u8>, Range<usize>), SignatureFault> {
    let tag = tags.tag("b").ok_or(SignatureFault::Missing("b"))?;
    let text = without_white_space(tag.value);
    let octets = is_base64(&text).then(|| base64::decode(&text)).flatten();
    Ok((octets.ok_or(SignatureFault::Value("b"))?, tag.raw.clone()))
}

/// The length is a SHA-256 digest's, but for signatures that are not verified anyway.
fn body_hash(tags: &TagList<'_>, algorithm: Algorithm) -> Result<Vec<u8>, SignatureFault> {
    let text = without_white_space(required(tags, "bh")?);
    let octets = is_base64(&text).then(|| base64::decode(&text)).flatten();
    octets
        .filter(|octets| octets.len() == 32 || algorithm == Algorithm::RsaSha1)
        .ok_or(SignatureFault::Value("bh"))
}

fn canonicalizations(
    tags: &TagList<'_>,
) -> Result<(Canonicalization, Canonicalization), SignatureFault> {
    let value = tags.get("c").unwrap_or(b"simple/simple");
    let mut halves = value.splitn(2, |octet| *octet == b'/');
    let header = halves.next().unwrap_or_default();
    // "If only one algorithm is named, that algorithm is used for the header and "simple" is
    // used for the body" (§3.5).
    let body = halves.next().unwrap_or(b"simple");
    Canonicalization::from_name(header)
        .zip(Canonicalization::from_name(body))
        .ok_or(SignatureFault::Canonicalization)
}

/// `d=` and `s=`, which make the name of a key.
pub(crate) fn domain_and_selector(tags: &TagList<'_>) -> Result<(String, String), SignatureFault> {
    let domain = name::domain(required(tags, "d")?).ok_or(SignatureFault::Value("d"))?;
    let selector = name::selector(required(tags, "s")?).ok_or(SignatureFault::Value("s"))?;
    match name::key_name(&selector, &domain) {
        Some(_) => Ok((domain, selector)),
        None => Err(SignatureFault::Value("s")),
    }
}

/// The names in lower case, in their order (§3.5 `h=`). ARC sealers have left names empty; no
/// field has such a name, and it stands for nothing.
fn signed_fields(tags: &TagList<'_>, form: Form) -> Result<Vec<String>, SignatureFault> {
    let mut names = Vec::new();
    for item in items(required(tags, "h")?) {
        if names.len() == SIGNED_FIELDS_MAX {
            return Err(SignatureFault::FieldsTooMany);
        }
        let allowed = |text: &&str| is_field_name(text) || (form == Form::Arc && text.is_empty());
        let text = std::str::from_utf8(item).ok().filter(allowed);
        names.push(text.ok_or(SignatureFault::Value("h"))?.to_ascii_lowercase());
    }
    let from_signed = names.iter().any(|name| name == "from");
    from_signed.then_some(names).ok_or(SignatureFault::FromNotSigned)
}

/// Whether `h=` may hold the name: a field name (RFC 5322 §2.2) in what a tag's value may hold.
pub(super) fn is_field_name(text: &str) -> bool {
    let allowed = |octet: u8| octet.is_ascii_graphic() && octet != b':' && octet != b';';
    !text.is_empty() && text.bytes().all(allowed)
}

/// The AUID as sent and its domain (§3.5 `i=`): `d=` itself or below it, or `d=` by default.
fn auid(tags: &TagList<'_>, domain: &str) -> Result<(Option<String>, String), SignatureFault> {
    let Some(value) = tags.get("i") else { return Ok((None, domain.to_owned())) };
    let sent = String::from_utf8(without_white_space(value)).ok();
    let sent = sent.filter(|sent| sent.len() <= AUID_OCTETS_MAX);
    let (sent, auid_domain) = sent
        .and_then(|sent| auid_domain(&sent).map(|domain| (sent, domain)))
        .ok_or(SignatureFault::Value("i"))?;
    if !is_within(&auid_domain, domain) {
        return Err(SignatureFault::DomainMismatch);
    }
    Ok((Some(sent), auid_domain))
}

/// Whether `i=` may hold the AUID for that signing domain.
pub(super) fn is_auid(sent: &str, domain: &str) -> bool {
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_graphic() && c != ';';
    sent.chars().all(allowed)
        && auid_domain(sent).is_some_and(|auid_domain| is_within(&auid_domain, domain))
}

fn auid_domain(sent: &str) -> Option<String> {
    let address = decode_quoted_printable(sent)?;
    let at = memchr::memrchr(b'@', &address)?;
    name::domain(&address[at + 1..])
}

/// dkim-quoted-printable (§2.11), white space already gone.
pub(super) fn decode_quoted_printable(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet == b'=' {
            // Two digits: `from_str_radix` alone would take a sign for one.
            let hex = after.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
            octets.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = &after[2..];
        } else {
            octets.push(octet);
        }
    }
    Some(octets)
}

/// `t=` and `x=`; "the value of the "x=" tag MUST be greater than the value of the "t=" tag if
/// both are present" (§3.5).
fn times(tags: &TagList<'_>) -> Result<(Option<u64>, Option<u64>), SignatureFault> {
    let (timestamp, expiration) = (timestamp(tags)?, number(tags, "x", 76)?);
    match timestamp.zip(expiration) {
        Some((timestamp, expiration)) if expiration <= timestamp => {
            Err(SignatureFault::ExpiresEarly)
        }
        _ => Ok((timestamp, expiration)),
    }
}

/// `t=`.
pub(crate) fn timestamp(tags: &TagList<'_>) -> Result<Option<u64>, SignatureFault> {
    number(tags, "t", 76)
}

/// A decimal number; one too large for 64 bits is as good as infinite (§3.5 `t=`).
fn number(
    tags: &TagList<'_>,
    tag: &'static str,
    digits_max: usize,
) -> Result<Option<u64>, SignatureFault> {
    let Some(value) = tags.get(tag) else { return Ok(None) };
    if !(1..=digits_max).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return Err(SignatureFault::Value(tag));
    }
    let digits = value.iter().map(|digit| u64::from(digit - b'0'));
    Ok(Some(digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(digit))))
}

fn check_query_methods(tags: &TagList<'_>) -> Result<(), SignatureFault> {
    let known = tags.get("q").is_none_or(|value| items(value).any(|item| item == b"dns/txt"));
    known.then_some(()).ok_or(SignatureFault::Query)
}
