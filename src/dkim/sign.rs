//! Making a DKIM-Signature field (RFC 6376 §5).

use super::canonical::Canonicalization;
use super::canonical::header::{SignatureField, hash_input};
use super::folded::Folded;
use super::signature::{SIGNED_FIELDS_MAX, is_auid, is_field_name};
use super::signing_key::{KeyError, SigningKey};
use super::{base64, name};
use crate::message::header::{Field, HeaderBlock};

/// Which field is made.
#[derive(Clone, Copy, Debug)]
enum Form {
    Dkim,
    /// An ARC-Message-Signature of that instance (RFC 8617 §4.1.2).
    Arc(u8),
}

impl Form {
    fn field_name(self) -> &'static str {
        match self {
            Self::Dkim => "DKIM-Signature",
            Self::Arc(_) => "ARC-Message-Signature",
        }
    }
}

/// What a signature is to say, and with which key.
#[derive(Clone, Debug)]
pub struct SigningRequest<'a> {
    /// The private key.
    pub key: &'a SigningKey,
    /// `d=`, as A-labels.
    pub domain: &'a str,
    /// `s=`, as A-labels.
    pub selector: &'a str,
    /// `i=`, in dkim-quoted-printable; left out where `None`.
    pub auid: Option<&'a str>,
    /// The header half of `c=`.
    pub header_canonicalization: Canonicalization,
    /// The body half of `c=`.
    pub body_canonicalization: Canonicalization,
    /// The names of the fields to be signed, each as often as it is there.
    pub fields: &'a [String],
    /// The names to be listed once more than they are there, so that none can be added.
    pub oversigned: &'a [String],
    /// SHA-256 of the canonicalized body.
    pub body_hash: &'a [u8; 32],
    /// `t=`, in Unix seconds.
    pub now: u64,
    /// How long the signature is good; `x=` is left out where `None`.
    pub expire_secs: Option<u64>,
}

/// Why a message cannot be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignError {
    /// `d=`, `s=`, `i=` or `h=` would not be valid.
    #[error("{0}= of the signature would not be valid")]
    Value(&'static str),
    /// There is no From field, and it is not oversigned.
    #[error("no From field to sign")]
    FromNotSigned,
    /// The message repeats the fields to be signed too often.
    #[error("more than {SIGNED_FIELDS_MAX} header fields to sign")]
    FieldsTooMany,
    /// The key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl SigningRequest<'_> {
    /// The value of the DKIM-Signature field, to stand after `DKIM-Signature:` and one space; its
    /// folds are CRLF and a tab.
    pub fn sign(&self, headers: &HeaderBlock) -> Result<String, SignError> {
        self.sign_as(Form::Dkim, headers)
    }

    /// The value of an ARC-Message-Signature field with that instance and no AUID (RFC 8617
    /// §4.1.2).
    pub fn sign_arc(&self, instance: u8, headers: &HeaderBlock) -> Result<String, SignError> {
        self.sign_as(Form::Arc(instance), headers)
    }

    fn sign_as(&self, form: Form, headers: &HeaderBlock) -> Result<String, SignError> {
        self.check_names()?;
        let signed = self.signed_fields(headers);
        // "The From header field MUST be signed" (§5.4).
        if !signed.iter().any(|name| name == "from") {
            return Err(SignError::FromNotSigned);
        }
        if signed.len() > SIGNED_FIELDS_MAX {
            return Err(SignError::FieldsTooMany);
        }
        let mut value = self.unsigned_value(form, &signed);
        // The space after the colon is part of the field's value (§3.4.1).
        let spaced = format!(" {}", value.text);
        let end = spaced.len();
        let own = SignatureField {
            field: Field { name: form.field_name().as_bytes(), value: spaced.as_bytes() },
            signature_range: end..end,
            index: None,
        };
        let input = hash_input(headers, &signed, &own, self.header_canonicalization);
        value.breakable(&base64::encode(&self.key.sign(&input)?));
        Ok(value.text)
    }

    fn check_names(&self) -> Result<(), SignError> {
        let same = |read: Option<String>, given: &str| {
            read.is_some_and(|read| read.eq_ignore_ascii_case(given))
        };
        if !same(name::domain(self.domain.as_bytes()), self.domain) {
            return Err(SignError::Value("d"));
        }
        let named = name::key_name(self.selector, self.domain).is_some();
        if !named || !same(name::selector(self.selector.as_bytes()), self.selector) {
            return Err(SignError::Value("s"));
        }
        let auid = self.auid.is_none_or(|auid| is_auid(auid, &self.domain.to_ascii_lowercase()));
        auid.then_some(()).ok_or(SignError::Value("i"))?;
        let fields = self.fields.iter().chain(self.oversigned);
        let named = fields.into_iter().all(|name| is_field_name(name));
        named.then_some(()).ok_or(SignError::Value("h"))
    }

    /// `h=`: each instance that is there (§5.4.2), and one more of those that are oversigned.
    fn signed_fields(&self, headers: &HeaderBlock) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.fields.iter().chain(self.oversigned) {
            let name = name.to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let oversigned = |name: &str| self.oversigned.iter().any(|o| o.eq_ignore_ascii_case(name));
        names
            .into_iter()
            .flat_map(|name| {
                let count = headers.named(&name).count() + usize::from(oversigned(&name));
                std::iter::repeat_n(name, count)
            })
            .collect()
    }

    fn unsigned_value(&self, form: Form, signed: &[String]) -> Folded {
        let header = self.header_canonicalization.as_str();
        let body = self.body_canonicalization.as_str();
        let start = match form {
            Form::Dkim => "v=1;".to_owned(),
            Form::Arc(instance) => format!("i={instance};"),
        };
        let mut value = Folded::new(form.field_name(), &start);
        value.word(&format!("a={};", self.key.algorithm().as_str()));
        value.word(&format!("c={header}/{body};"));
        value.word(&format!("d={};", self.domain));
        value.word(&format!("s={};", self.selector));
        if let (Form::Dkim, Some(auid)) = (form, self.auid) {
            value.word(&format!("i={auid};"));
        }
        value.word(&format!("t={};", self.now));
        if let Some(secs) = self.expire_secs {
            value.word(&format!("x={};", self.now.saturating_add(secs.max(1))));
        }
        value.list("h=", signed);
        value.word(&format!("bh={};", base64::encode(self.body_hash)));
        value.signature_tag();
        value
    }
}
