//! Examples for imported rules: made of the patterns, and kept only where they come out right.

use super::draft::Draft;
use super::sample::samples;
use crate::message::header::HeaderBlock;
use crate::rules::example::Example;
use crate::rules::known::Known;
use crate::rules::lines::Kind;
use crate::rules::table::{LineCondition, Table};

/// What most patterns miss.
const MISSES: &[&str] = &[
    "Subject: hello",
    "\nhello",
    "From: Ann <ann@example.org>",
    "X-Other: 17",
    "Content-Type: text/plain",
    "\n",
];

/// A message that goes to this rule and to no rule above it, and one that the rule misses.
pub(super) fn examples(
    draft: &Draft,
    number: usize,
    table: &Table,
) -> (Option<String>, Option<String>) {
    let texts = texts(&draft.rule.when);
    let messages = texts
        .iter()
        .flat_map(|text| lines(text))
        .flat_map(|line| draft.rule.kinds.iter().flat_map(move |kind| messages(*kind, &line)));
    let messages: Vec<String> = messages.collect();
    let hit = messages.iter().find(|message| {
        let (headers, body) = message_of(message);
        let taken = table.taken(&headers, &body, &|_| false);
        taken.iter().any(|taken| taken.rule == number)
    });
    // Where a rule wants what a pattern does not match, what another pattern matches is missed.
    let misses = MISSES.iter().map(|text| (*text).to_owned()).chain(messages.iter().cloned());
    let miss = misses.into_iter().find(|message| {
        let (headers, body) = message_of(message);
        !draft.rule.takes_some(&headers, &body)
    });
    (hit.cloned(), miss)
}

fn message_of(text: &str) -> (HeaderBlock, Vec<u8>) {
    Example { is_hit: true, text: text.to_owned(), at: 0, known: Known::default() }.message()
}

/// Texts that may meet a condition: what each of its patterns matches, and these together.
fn texts(when: &LineCondition) -> Vec<String> {
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    gather(when, false, &mut wanted, &mut refused);
    let mut texts = vec!["Subject: hello".to_owned(), "hello".to_owned()];
    for own in wanted.iter().rev() {
        texts.extend(own.iter().cloned());
    }
    // An `if` is most often the start of what is inside it, or its field.
    if let Some((own, guards)) = wanted.split_last() {
        for guard in guards {
            for (first, second) in guard.iter().zip(own.iter().cycle()) {
                texts.extend([
                    format!("{first}{second}"),
                    format!("{first} {second}"),
                    format!("{second} {first}"),
                ]);
            }
        }
        let all: Vec<&str> =
            wanted.iter().filter_map(|samples| samples.first()).map(String::as_str).collect();
        texts.extend([all.concat(), all.join(" ")]);
    }
    texts.extend(refused.into_iter().flatten());
    texts
}

fn gather(
    when: &LineCondition,
    is_refused: bool,
    wanted: &mut Vec<Vec<String>>,
    refused: &mut Vec<Vec<String>>,
) {
    match when {
        LineCondition::Line(test) => {
            let samples = test.pattern.hir().map(samples).unwrap_or_default();
            if is_refused { refused.push(samples) } else { wanted.push(samples) }
        }
        LineCondition::All(parts) | LineCondition::Any(parts) => {
            for part in parts {
                gather(part, is_refused, wanted, refused);
            }
        }
        LineCondition::Not(part) => gather(part, !is_refused, wanted, refused),
    }
}

/// Lines with that text in them.
fn lines(text: &str) -> [String; 4] {
    [
        text.to_owned(),
        format!("Subject: {text}"),
        format!("Content-Type: {text}"),
        format!("{text}: hello"),
    ]
}

/// Messages with that line where lines of a kind stand.
fn messages(kind: Kind, line: &str) -> Vec<String> {
    match kind {
        Kind::Header => vec![line.to_owned()],
        Kind::Mime => {
            let part = "Content-Type: multipart/mixed; boundary=b\n\n--b\n";
            vec![line.to_owned(), format!("{part}{line}")]
        }
        Kind::Nested => vec![format!("Content-Type: message/rfc822\n\n{line}")],
        Kind::Body => vec![format!("\n{line}")],
    }
}
