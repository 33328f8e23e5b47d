//! SPF records: which TXT record it is, and its terms (RFC 7208 §4.5, §4.6, §12).
//!
//! viaspf-record parses mechanisms and macros. It is handed one term at a time: of a whole record
//! it would read an unknown modifier such as `accredit=x` as the mechanism `a` and a syntax error.

use viaspf_record::{
    Directive, DomainSpec, MacroExpand, MacroKind, MacroString, MacroStringSegment, Mechanism,
    SpfRecord, Term,
};

/// A record without a syntax error.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record {
    /// In their order; none after the first `all`, which always matches.
    pub(super) directives: Vec<Directive>,
    /// `redirect=` (RFC 7208 §6.1).
    pub(super) redirect: Option<DomainSpec>,
    /// `exp=` (RFC 7208 §6.2).
    pub(super) explanation: Option<DomainSpec>,
}

/// The SPF record among a name's TXT records.
///
/// # Errors
/// What is wrong where there are several (RFC 7208 §4.5), or where it has a syntax error anywhere
/// (§4.6): permerror.
pub fn select(texts: &[Vec<u8>]) -> Result<Option<Record>, String> {
    let mut records = texts.iter().filter(|text| is_spf(text));
    match (records.next(), records.next()) {
        (None, _) => Ok(None),
        (Some(text), None) => parse(text).map(Some),
        (Some(_), Some(_)) => Err("several SPF records".into()),
    }
}

/// RFC 7208 §4.5: `v=spf1` and then a space or the end, in any case (§12's ABNF).
fn is_spf(text: &[u8]) -> bool {
    text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case(b"v=spf1"))
        && matches!(text.get(6), None | Some(b' '))
}

fn parse(text: &[u8]) -> Result<Record, String> {
    // RFC 7208 §3.1: records are ASCII.
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii());
    let terms = text.and_then(|text| text.get(6..)).ok_or("an SPF record that is not ASCII")?;
    let mut record = Record::default();
    for term in terms.split(' ').filter(|term| !term.is_empty()) {
        record
            .add(term)
            .ok_or_else(|| format!("syntax error in the SPF record at {}", cut(term)))?;
    }
    Ok(record)
}

/// As much of a foreign word as a sentence should have.
pub(super) fn cut(word: &str) -> String {
    word.chars().take(80).collect()
}

impl Record {
    /// `None` where the term has a syntax error.
    fn add(&mut self, term: &str) -> Option<()> {
        match modifier(term) {
            Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                set_once(&mut self.redirect, domain_spec(value)?)
            }
            Some((name, value)) if name.eq_ignore_ascii_case("exp") => {
                set_once(&mut self.explanation, domain_spec(value)?)
            }
            // RFC 7208 §6: unknown modifiers are ignored, once their syntax holds.
            Some((_, value)) => value.parse::<MacroString>().ok().map(drop),
            None => {
                self.directives.push(directive(term)?);
                Some(())
            }
        }
    }
}

/// RFC 7208 §6: `redirect` and `exp` at most once each.
fn set_once(place: &mut Option<DomainSpec>, spec: DomainSpec) -> Option<()> {
    place.replace(spec).is_none().then_some(())
}

/// `name=value`, where the name is one: `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )`.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    is_name.then_some((name, value))
}

fn domain_spec(value: &str) -> Option<DomainSpec> {
    let spec = DomainSpec::new(value.parse::<MacroString>().ok()?).ok()?;
    is_expandable(&spec).then_some(spec)
}

fn directive(term: &str) -> Option<Directive> {
    let mut terms = format!("v=spf1 {term}").parse::<SpfRecord>().ok()?.terms.into_iter();
    match (terms.next(), terms.next()) {
        (Some(Term::Directive(directive)), None) => {
            spec_of(&directive.mechanism).is_none_or(is_expandable).then_some(directive)
        }
        _ => None,
    }
}

pub(super) fn spec_of(mechanism: &Mechanism) -> Option<&DomainSpec> {
    match mechanism {
        Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => None,
        Mechanism::Include(include) => Some(&include.domain_spec),
        Mechanism::Exists(exists) => Some(&exists.domain_spec),
        Mechanism::A(a) => a.domain_spec.as_ref(),
        Mechanism::Mx(mx) => mx.domain_spec.as_ref(),
        Mechanism::Ptr(ptr) => ptr.domain_spec.as_ref(),
    }
}

/// RFC 7208 §7.2: the macro letters c, r and t are for explanations alone.
fn is_expandable(spec: &DomainSpec) -> bool {
    !has_macro(spec.as_ref(), |kind| {
        matches!(kind, MacroKind::PrettyIp | MacroKind::Receiver | MacroKind::Timestamp)
    })
}

/// Whether any of the macros is of this kind.
pub(super) fn has_macro(text: &MacroString, is_kind: impl Fn(MacroKind) -> bool) -> bool {
    text.segments.iter().any(|segment| match segment {
        MacroStringSegment::MacroExpand(MacroExpand::Macro(found)) => is_kind(found.kind()),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<Record>, String> {
        select(&[text.as_bytes().to_vec()])
    }

    #[test]
    fn records_among_others() {
        let texts = [b"v=spf10 -all".to_vec(), b"\xff".to_vec(), b"V=Spf1".to_vec(), vec![]];
        assert_eq!(select(&texts), Ok(Some(Record::default())));
        assert_eq!(select(&texts[..2]), Ok(None));
        assert!(select(&[b"v=spf1 -all".to_vec(), b"v=spf1".to_vec()]).is_err());
    }

    #[test]
    fn unknown_modifiers_are_no_mechanisms() {
        let record = read("v=spf1 accredit=x all.of=%{c}it mx-1=a ptr_= ip4.x=y -all").unwrap();
        assert_eq!(record.unwrap().directives.len(), 1);
    }

    #[test]
    fn syntax_errors() {
        for text in [
            "v=spf1 \u{fc}all",
            "v=spf1 -all\r\n",
            "v=spf1 a:%{d256}.example.org",
            "v=spf1 a:%{d0}.example.org",
            "v=spf1 ip4:192.0.2.1/33",
            "v=spf1 ip6:::/129",
            "v=spf1 --all",
            "v=spf1 exists:%{c}.example.org",
            "v=spf1 include",
            "v=spf1 redirect=a.b redirect=a.b",
            "v=spf1 exp=%{t}",
            "v=spf1 x=%",
            "v=spf1 a/24/64",
            "v=spf1 a:",
            "v=spf1 =x",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn long_records_take_linear_time() {
        for term in ["a ", "x=", "a:a.", "a-", "%{d99r}.", "ip6:1:", "exists:%{", "-.-.", "   "] {
            let text = format!("v=spf1 {}", term.repeat(65_536 / term.len()));
            let start = std::time::Instant::now();
            drop(read(&text));
            assert!(start.elapsed().as_secs() < 2, "{term:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~]{0,80}") {
            drop(read(&format!("v=spf1 {text}")));
        }

        #[test]
        fn any_address_is_read(text in "[0-9a-fx:./]{0,50}") {
            drop(read(&format!("v=spf1 ip6:{text} ip4:{text}")));
        }

        #[test]
        fn any_octets_are_read(text: Vec<u8>) {
            drop(select(&[[b"v=spf1 ".as_slice(), &text].concat()]));
        }
    }
}
