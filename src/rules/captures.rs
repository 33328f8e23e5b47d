//! What a pattern's groups matched, in the texts that a rule writes: `$1`, `${1}`, `${name}`, and
//! `$$` for a dollar.
//!
//! What the sender wrote is made safe where it is put in: nothing of it ends a line or a field.

use regex_automata::meta::Regex;

use super::pattern::Pattern;
use crate::config::error::{Complaint, quoted};
use crate::message::encoded_word;
use crate::text;

/// The most of one group that is written, in octets.
const CAPTURE_OCTETS_MAX: usize = 200;
/// Patterns have fewer groups.
const GROUP_DIGITS_MAX: usize = 3;

/// The groups that the patterns of a rule have.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    /// The highest number.
    pub(super) count: usize,
    /// The names of those that have one.
    pub(super) names: Vec<String>,
}

impl Groups {
    /// Adds those of a pattern.
    pub(super) fn add(&mut self, pattern: &Pattern) {
        let (count, names) = pattern.groups();
        self.count = self.count.max(count);
        self.names.extend(names);
    }
}

/// What the groups of a pattern matched, the whole match first; nothing where no pattern did.
#[derive(Clone, Debug, Default)]
pub(super) struct Captures {
    /// Octets of the message.
    pub(super) groups: Vec<Option<Vec<u8>>>,
    /// The groups' names.
    pub(super) names: Vec<Option<String>>,
}

impl Captures {
    /// Those of the first match; none where there is none.
    pub(super) fn of(regex: &Regex, octets: &[u8]) -> Self {
        let mut found = regex.create_captures();
        regex.captures(octets, &mut found);
        let octets = |span: regex_automata::Span| octets.get(span.range()).map(<[u8]>::to_vec);
        Self {
            groups: found.iter().map(|span| span.and_then(octets)).collect(),
            names: names(regex),
        }
    }

    fn numbered(&self, group: usize) -> &[u8] {
        self.groups.get(group).and_then(Option::as_deref).unwrap_or_default()
    }

    fn named(&self, name: &str) -> &[u8] {
        let group = self.names.iter().position(|other| other.as_deref() == Some(name));
        group.map_or(b"", |group| self.numbered(group))
    }
}

fn names(regex: &Regex) -> Vec<Option<String>> {
    let names = regex.group_info().all_names();
    names.map(|(_, _, name)| name.map(str::to_owned)).collect()
}

/// A text of a rule, with places for groups.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Group(usize),
    Named(String),
}

impl Template {
    /// Reads a text. A dollar before anything but a digit, a brace or a dollar is a dollar.
    pub(super) fn parse(text: &str) -> Result<Self, Complaint> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            let (part, after) = part(after)?;
            parts.extend([Part::Text(before.to_owned()), part]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Whether any group has a place in it.
    pub(super) fn has_groups(&self) -> bool {
        self.0.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// Refuses a group that no pattern has.
    pub(super) fn check(&self, groups: &Groups) -> Result<(), Complaint> {
        let missing = self.0.iter().find_map(|part| match part {
            Part::Group(number) if *number > groups.count => Some(format!("${number}")),
            Part::Named(name) if !groups.names.contains(name) => Some(format!("${{{name}}}")),
            _ => None,
        });
        missing.map_or(Ok(()), |group| {
            Err(Complaint::new(format!("{} is no group of the pattern", quoted(&group)))
                .hint("put what it stands for in round brackets; a dollar is written $$"))
        })
    }

    /// The text for a reply: one line of printable ASCII.
    pub(super) fn reply(&self, captures: &Captures) -> String {
        self.filled(captures, &|octets| text::visible_start(octets, CAPTURE_OCTETS_MAX))
    }

    /// The text for a header field: one line, what is not ASCII as encoded words.
    pub(super) fn value(&self, captures: &Captures) -> String {
        self.filled(captures, &header_text)
    }

    fn filled(&self, captures: &Captures, written: &impl Fn(&[u8]) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(number) => written(captures.numbered(*number)),
            Part::Named(name) => written(captures.named(name)),
        };
        self.0.iter().map(part).collect()
    }
}

/// What stands after a dollar, and what follows it.
fn part(after: &str) -> Result<(Part, &str), Complaint> {
    if let Some(after) = after.strip_prefix('$') {
        return Ok((Part::Text("$".to_owned()), after));
    }
    let Some(braced) = after.strip_prefix('{') else {
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = after.split_at(digits);
        let part = if digits == 0 { Part::Text("$".to_owned()) } else { group(number)? };
        return Ok((part, after));
    };
    let Some((name, after)) = braced.split_once('}') else {
        return Err(Complaint::new("\"${\" without its \"}\"").hint("a dollar is written $$"));
    };
    Ok((group(name)?, after))
}

fn group(name: &str) -> Result<Part, Complaint> {
    let is_word = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match name.parse() {
        Ok(number) if name.len() <= GROUP_DIGITS_MAX => Ok(Part::Group(number)),
        Err(_) if !name.is_empty() && is_word(name) => Ok(Part::Named(name.to_owned())),
        _ => Err(Complaint::new(format!("{} is no group", quoted(name)))
            .hint("its number or name; a dollar is written $$")),
    }
}

/// The sender's text on one line. It stands in a field that the rule's author chose, so that quotes
/// and brackets in it are text; the fields whose syntax others rely on no rule writes.
fn header_text(octets: &[u8]) -> String {
    let mut end = octets.len().min(CAPTURE_OCTETS_MAX);
    // A character is kept whole.
    while end > 0 && end < octets.len() && octets.get(end).is_some_and(|o| (0x80..0xc0).contains(o))
    {
        end -= 1;
    }
    let octets = octets.get(..end).unwrap_or_default();
    let unfolded = octets.iter().filter(|octet| !matches!(octet, b'\r' | b'\n'));
    let line: Vec<u8> =
        unfolded.map(|&octet| if octet.is_ascii_control() { b' ' } else { octet }).collect();
    if line.is_ascii() {
        return line.into_iter().map(char::from).collect();
    }
    encoded_word::encode(&line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::pattern::Pattern;

    fn captures(pattern: &str, octets: &[u8]) -> Captures {
        Captures::of(Pattern::compile(pattern).unwrap().regex().unwrap(), octets)
    }

    fn value(template: &str, captures: &Captures) -> String {
        Template::parse(template).unwrap().value(captures)
    }

    #[test]
    fn groups_have_numbers_and_names() {
        let found = captures("(?<word>[a-z]+) ([0-9]+)(x)?", b"an invoice 17 of");
        assert_eq!(value("<$1|${2}0|$0|${word}|$3>", &found), "<invoice|170|invoice 17|invoice|>");
        assert_eq!(value("$$1 costs $, 5$", &found), "$1 costs $, 5$");
        assert_eq!(value("a $1 b", &Captures::default()), "a  b");
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let fault = |text: &str| Template::parse(text).expect_err("refused").to_string();
        assert!(fault("${1").contains("without"));
        assert!(fault("${a b}").contains("is no group"));
        assert!(fault("$99999").contains("is no group"));
        let groups = Groups { count: 1, names: vec!["word".into()] };
        let check = |text: &str| Template::parse(text).unwrap().check(&groups);
        assert_eq!(check("$0 $1 ${word} $$2"), Ok(()));
        assert!(check("$2").is_err() && check("${other}").is_err());
    }

    #[test]
    fn what_the_sender_wrote_stays_on_its_line() {
        let found = captures("(?s)(.*)", b"a\r\n b\0\x07\r\nX-Evil: %s; \"(");
        assert_eq!(value("$1", &found), "a b  X-Evil: %s; \"(");
        let reply = Template::parse("no $1").unwrap().reply(&found);
        assert_eq!(reply, "no a?? b????X-Evil: %s? ??");
        let eight_bit = captures("(?s)(.*)", "Grüße".as_bytes());
        assert_eq!(value("$1", &eight_bit), "=?utf-8?q?Gr=C3=BC=C3=9Fe?=");
    }

    proptest! {
        #[test]
        fn whatever_is_captured_is_one_short_line(octets: Vec<u8>) {
            let found = captures("(?s)(.*)", &octets);
            let template = Template::parse("$1").unwrap();
            for text in [template.value(&found), template.reply(&found)] {
                prop_assert!(text.bytes().all(|b| matches!(b, b' '..=b'~')), "{:?}", text);
                prop_assert!(text.len() <= 5 * CAPTURE_OCTETS_MAX);
            }
        }
    }
}
