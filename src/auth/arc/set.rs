//! The ARC sets of a message (RFC 8617 §4.2) and the structure of their chain (§5.2 steps 1 to 3).

use super::seal::{MESSAGE_SIGNATURE, RESULTS, SEAL, Seal, SealFault, Status};
use crate::dkim::signature::{Signature, SignatureFault};
use crate::dkim::tags::TagList;
use crate::message::cfws;
use crate::message::header::{Field, HeaderBlock};

/// "Instance tag values can range from 1-50 (inclusive)" (§4.2.1).
pub(crate) const INSTANCE_MAX: u8 = 50;
/// What 50 sets have; of a message with more fields none is read.
const FIELDS_MAX: usize = 3 * INSTANCE_MAX as usize;
/// The most octets that all ARC fields may have together: each seal signs all sets before it, so
/// that the work is this times 50.
const OCTETS_MAX: usize = 256 * 1024;

/// The ARC fields of a message.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The highest instance of any of them; 0 where none can be read.
    pub(crate) highest: u8,
    /// The seal of that instance says that the chain has failed.
    pub(crate) has_failed: bool,
    /// The sets, the oldest first; or why they are no chain.
    pub(crate) sets: Result<Vec<Set>, Fault>,
}

/// One set, by the places of its fields in the header block.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(super) instance: u8,
    pub(super) results: usize,
    pub(super) message: usize,
    /// Only the newest set's must be valid (§5.2 step 4).
    pub(super) signature: Result<Signature, SignatureFault>,
    pub(super) seal_index: usize,
    pub(super) seal: Seal,
}

impl Set {
    /// The places of its fields, in the order in which seals sign them (§5.1.1).
    pub(crate) fn indices(&self) -> [usize; 3] {
        [self.results, self.message, self.seal_index]
    }
}

/// Why fields are no chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("more than {INSTANCE_MAX} ARC sets")]
    TooMany,
    #[error("ARC fields of more than {OCTETS_MAX} octets")]
    TooLong,
    #[error("{0} without a valid instance")]
    Instance(&'static str),
    #[error("ARC set {0} has more than one {1}")]
    Repeated(u8, &'static str),
    #[error("ARC set {0} has no {1}")]
    Missing(u8, &'static str),
    #[error("ARC-Seal {0}: {1}")]
    Seal(u8, SealFault),
    #[error("ARC-Seal {0} says cv={word}", word = .1.as_str())]
    Status(u8, Status),
}

/// The fields of one instance, as they are found.
#[derive(Default)]
struct Slot {
    results: Option<usize>,
    message: Option<(usize, Result<Signature, SignatureFault>)>,
    seal: Option<(usize, Result<Seal, SealFault>)>,
    says_fail: bool,
}

/// Finds the ARC fields; `None` where there is none.
pub(crate) fn gather(headers: &HeaderBlock) -> Option<Gathered> {
    let fields = || {
        let all = headers.iter().enumerate();
        all.filter_map(|(index, field)| name(&field).map(|name| (index, name, field)))
    };
    let unread = |fault| Gathered { highest: INSTANCE_MAX, has_failed: false, sets: Err(fault) };
    match fields().count() {
        0 => return None,
        // §5.2 step 1
        1..=FIELDS_MAX => {}
        _ => return Some(unread(Fault::TooMany)),
    }
    if fields().map(|(_, _, field)| field.value.len()).sum::<usize>() > OCTETS_MAX {
        return Some(unread(Fault::TooLong));
    }
    let mut slots: Vec<Slot> = Vec::new();
    let mut fault = None;
    for (index, name, field) in fields() {
        let put = put(&mut slots, index, name, field.value);
        fault = fault.or(put.err());
    }
    let highest = slots.len() as u8;
    let has_failed = slots.last().is_some_and(|slot| slot.says_fail);
    let sets = fault.map_or_else(|| chain(slots), Err);
    Some(Gathered { highest, has_failed, sets })
}

fn name(field: &Field<'_>) -> Option<&'static str> {
    [RESULTS, MESSAGE_SIGNATURE, SEAL].into_iter().find(|name| field.is(name))
}

/// Puts a field into its instance's slot; of a repeated one the first stays.
fn put(slots: &mut Vec<Slot>, index: usize, name: &'static str, value: &[u8]) -> Result<(), Fault> {
    let tags = if name == RESULTS { None } else { TagList::parse(value).ok() };
    let instance = match &tags {
        Some(tags) => tags.get("i").and_then(tag_instance),
        None if name == RESULTS => results_payload(value).map(|(instance, _)| instance),
        None => None,
    };
    let instance = instance.ok_or(Fault::Instance(name))?;
    if slots.len() < usize::from(instance) {
        slots.resize_with(usize::from(instance), Slot::default);
    }
    let slot = &mut slots[usize::from(instance) - 1];
    let repeated = match &tags {
        None => slot.results.replace(index).is_some(),
        Some(tags) if name == SEAL => {
            slot.says_fail |= Status::from_tags(tags) == Some(Status::Fail);
            slot.seal.replace((index, Seal::from_tags(tags))).is_some()
        }
        Some(tags) => slot.message.replace((index, message_signature(tags))).is_some(),
    };
    if repeated { Err(Fault::Repeated(instance, name)) } else { Ok(()) }
}

/// An ARC-Message-Signature. Sealers of earlier drafts signed the other ARC fields, which §4.1.2
/// forbids them; a signature over a seal, which signs the signature, can't have been made in turn.
fn message_signature(tags: &TagList<'_>) -> Result<Signature, SignatureFault> {
    let signature = Signature::from_arc_tags(tags)?;
    let signs_seal = signature.signed_fields.iter().any(|name| name.eq_ignore_ascii_case(SEAL));
    if signs_seal { Err(SignatureFault::Value("h")) } else { Ok(signature) }
}

/// §5.2 step 3: all sets from 1 on, each whole, each with the status that its place asks for.
fn chain(slots: Vec<Slot>) -> Result<Vec<Set>, Fault> {
    (1..).zip(slots).map(|(instance, slot)| set(instance, slot)).collect()
}

fn set(instance: u8, slot: Slot) -> Result<Set, Fault> {
    let results = slot.results.ok_or(Fault::Missing(instance, RESULTS))?;
    let (message, signature) = slot.message.ok_or(Fault::Missing(instance, MESSAGE_SIGNATURE))?;
    let (seal_index, seal) = slot.seal.ok_or(Fault::Missing(instance, SEAL))?;
    let seal = seal.map_err(|fault| Fault::Seal(instance, fault))?;
    let wanted = if instance == 1 { Status::None } else { Status::Pass };
    if seal.status != wanted {
        return Err(Fault::Status(instance, seal.status));
    }
    Ok(Set { instance, results, message, signature, seal_index, seal })
}

/// The instance and what stands behind it in an ARC-Authentication-Results field (§4.1.1):
/// `i=1; authserv-id; ...`.
pub(super) fn results_payload(value: &[u8]) -> Option<(u8, &[u8])> {
    let rest = after_cfws(value)?.strip_prefix(b"i")?;
    let rest = after_cfws(rest)?.strip_prefix(b"=")?;
    let (instance, rest) = instance(rest)?;
    rest.strip_prefix(b";").map(|payload| (instance, payload))
}

fn tag_instance(value: &[u8]) -> Option<u8> {
    instance(value).filter(|(_, rest)| rest.is_empty()).map(|(instance, _)| instance)
}

/// `[CFWS] instance-value [CFWS]` (§4.2.1), and what follows.
fn instance(text: &[u8]) -> Option<(u8, &[u8])> {
    let text = after_cfws(text)?;
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let instance: u8 = str::from_utf8(digits).ok().filter(|d| d.len() <= 2)?.parse().ok()?;
    (1..=INSTANCE_MAX).contains(&instance).then_some((instance, after_cfws(rest)?))
}

fn after_cfws(text: &[u8]) -> Option<&[u8]> {
    cfws::skip(text).ok().and_then(|length| text.get(length..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_read_by_the_grammar() {
        for (value, instance) in [
            (" i=1; mx.example.org; none", Some(1)),
            ("(a) i (b) = (c) 50 (d) ; mx", Some(50)),
            ("\r\n\ti=7;", Some(7)),
            (" i=0; mx", None),
            (" i=51; mx", None),
            (" i=001; mx", None),
            (" i=1 mx; none", None),
            (" i=; mx", None),
            (" I=1; mx", None),
            (" mx; i=1;", None),
            ("", None),
        ] {
            let read = results_payload(value.as_bytes()).map(|(instance, _)| instance);
            assert_eq!(read, instance, "{value}");
        }
        assert_eq!(tag_instance(b"3 (c)"), Some(3));
        assert_eq!(tag_instance(b"3 3"), None);
    }
}
