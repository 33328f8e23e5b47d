//! From one TOML value to one typed value: small readers, put together in `resolve`.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::error::{Complaint, quoted};
use super::nearest::nearest;

/// A value with its place in the text, in octets.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// A complaint and the octet offset of what it is about.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) at: usize,
    pub(crate) complaint: Complaint,
}

/// What a reader makes of a value.
pub(crate) type Read<T> = Result<T, Vec<Located>>;

/// The values that a word of a config file stands for.
pub(crate) type Words<T> = [(&'static str, T)];

fn located<T>(value: &Value<'_>, result: Result<T, Complaint>) -> Read<T> {
    result.map_err(|complaint| vec![Located { at: value.span().start, complaint }])
}

pub(crate) fn wrong_type<T>(value: &Value<'_>, wanted: &str) -> Read<T> {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    let hint = match (wanted, value.get_ref()) {
        ("a string", DeValue::Integer(_) | DeValue::Boolean(_)) => Some("put it in double quotes"),
        ("an array", DeValue::String(_)) => Some("put it in brackets"),
        _ => None,
    };
    let message = format!("wants {wanted}, found {found}");
    located(value, Err(Complaint { message, hint: hint.map(str::to_owned) }))
}

/// A string that `parse` takes.
pub(crate) fn text<T>(
    parse: impl Fn(&str) -> Result<T, Complaint>,
) -> impl Fn(&Value<'_>) -> Read<T> {
    move |value| match value.get_ref() {
        DeValue::String(text) => located(value, parse(text)),
        _ => wrong_type(value, "a string"),
    }
}

/// An array whose every entry `read` takes; the faults of all entries come together.
pub(crate) fn list<T>(read: impl Fn(&Value<'_>) -> Read<T>) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        let DeValue::Array(entries) = value.get_ref() else {
            return wrong_type(value, "an array");
        };
        let mut faults = Vec::new();
        let keep = |entry| read(entry).map_err(|more| faults.extend(more)).ok();
        let values: Vec<T> = entries.iter().filter_map(keep).collect();
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }
}

/// A list with at least one entry.
pub(crate) fn some<T>(
    read: impl Fn(&Value<'_>) -> Read<Vec<T>>,
) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        let entries = read(value)?;
        let empty = || Err(Complaint::new("is empty").hint("name at least one"));
        located(value, if entries.is_empty() { empty() } else { Ok(entries) })
    }
}

/// A list in which no entry stands twice, but for those that may.
pub(super) fn distinct<T: Eq + Hash>(
    read: impl Fn(&Value<'_>) -> Read<Vec<T>>,
    may_repeat: impl Fn(&T) -> bool,
) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        let values = read(value)?;
        let DeValue::Array(entries) = value.get_ref() else { return Ok(values) };
        let mut seen = HashSet::new();
        let again = values.iter().map(|one| !may_repeat(one) && !seen.insert(one));
        let again: Vec<bool> = again.collect();
        let entries = entries.iter().zip(again).filter(|(_, is_again)| *is_again);
        let fault = |(entry, _): (&Value<'_>, bool)| {
            let complaint = Complaint::new("is there twice").hint("take one of the two away");
            Located { at: entry.span().start, complaint }
        };
        let faults: Vec<Located> = entries.map(fault).collect();
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }
}

/// A whole number of the range.
pub(crate) fn integer(range: RangeInclusive<u64>) -> impl Fn(&Value<'_>) -> Read<u64> {
    move |value| {
        let DeValue::Integer(integer) = value.get_ref() else {
            return wrong_type(value, "an integer");
        };
        let outside = || {
            let (least, most) = (range.start(), range.end());
            Complaint::new(format!("{} is outside {least} to {most}", clipped(integer)))
        };
        located(value, number(integer).filter(|n| range.contains(n)).ok_or_else(outside))
    }
}

/// One of some whole numbers.
pub(super) fn one_of(numbers: &'static [u64]) -> impl Fn(&Value<'_>) -> Read<u64> {
    move |value| {
        let DeValue::Integer(integer) = value.get_ref() else {
            return wrong_type(value, "an integer");
        };
        let all: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let other = || {
            let complaint = Complaint::new(format!("{} is not possible", clipped(integer)));
            complaint.hint(format!("one of: {}", all.join(", ")))
        };
        located(value, number(integer).filter(|n| numbers.contains(n)).ok_or_else(other))
    }
}

fn number(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number as written, cut to a readable length.
fn clipped(integer: &DeInteger<'_>) -> String {
    integer.to_string().chars().take(24).collect()
}

/// `true` or `false`.
pub(crate) fn flag(value: &Value<'_>) -> Read<bool> {
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(*flag),
        _ => wrong_type(value, "true or false"),
    }
}

/// One of some words.
pub(crate) fn word<T: Copy>(words: &Words<T>) -> impl Fn(&Value<'_>) -> Read<T> {
    text(move |given| {
        let found = words.iter().find(|(word, _)| *word == given);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| unknown_word(given, words))
    })
}

fn unknown_word<T>(given: &str, words: &Words<T>) -> Complaint {
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let complaint = Complaint::new(format!("unknown value {}", quoted(given)));
    match nearest(given, all.iter().copied()) {
        Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
        None => complaint.hint(format!("one of: {}", all.join(", "))),
    }
}

/// A file mode: an octal string, or an integer in TOML's octal.
pub(super) fn mode(value: &Value<'_>) -> Read<u32> {
    let bits = match value.get_ref() {
        DeValue::String(digits) => octal(digits),
        DeValue::Integer(integer) if integer.radix() == 8 => octal(integer.as_str()),
        DeValue::Integer(integer) => {
            Err(Complaint::new(format!("{} is decimal", clipped(integer)))
                .hint("write the octal mode in double quotes, such as \"0660\""))
        }
        _ => return wrong_type(value, "a string"),
    };
    located(value, bits)
}

fn octal(digits: &str) -> Result<u32, Complaint> {
    let complaint = |what| Complaint::new(format!("mode {} {what}", quoted(digits)));
    let is_octal = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let bits = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal);
    match bits.ok_or_else(|| complaint("is not octal").hint("such as \"0660\""))? {
        bits if bits > 0o777 => Err(complaint("is more than 0777")),
        bits if bits & 0o600 != 0o600 => {
            Err(complaint("keeps its owner out").hint("add 0600 to it"))
        }
        bits => Ok(bits),
    }
}
