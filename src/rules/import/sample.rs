//! Texts that a pattern matches, made from the pattern: what a rule's examples are made of.

use regex_syntax::hir::{Class, Hir, HirKind};

/// No longer text is an example.
const OCTETS_MAX: usize = 400;

/// A few texts that should match, the plainest first. What stands around them, as for `^` and `\b`, is
/// left to whoever tries them.
pub(super) fn samples(pattern: &Hir) -> Vec<String> {
    let mut samples: Vec<String> = Vec::new();
    for repeat in [0, 1, 2] {
        for branch in [0, 1] {
            let mut text = Vec::new();
            write(pattern, repeat, branch, &mut text);
            let Ok(text) = String::from_utf8(text) else { continue };
            if text.len() <= OCTETS_MAX && !samples.contains(&text) {
                samples.push(text);
            }
        }
    }
    samples
}

fn write(hir: &Hir, repeat: u32, branch: usize, out: &mut Vec<u8>) {
    if out.len() > OCTETS_MAX {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.extend(octet(class)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            let times = repetition.min.max(repeat.min(most));
            // One more than an example may have: such a text is none.
            for _ in 0..times.min(OCTETS_MAX as u32 + 1) {
                write(&repetition.sub, repeat, branch, out);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, repeat, branch, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, repeat, branch, out)),
        HirKind::Alternation(parts) => {
            let part = parts.get(branch).or(parts.first());
            if let Some(part) = part {
                write(part, repeat, branch, out);
            }
        }
    }
}

/// The plainest octet of a class: a letter before a digit before a sign before all else. Of two cases of
/// a letter, the small one.
fn octet(class: &Class) -> Option<u8> {
    let has = |octet: u8| match class {
        Class::Bytes(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&octet))
        }
        Class::Unicode(class) => {
            let c = char::from(octet);
            class.iter().any(|range| (range.start()..=range.end()).contains(&c))
        }
    };
    let plain = (b'a'..=b'z').chain(b'A'..=b'Z').chain(b'0'..=b'9').chain(b' '..=b'~');
    plain.chain(0..=0x7f).find(|&octet| has(octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_plain() {
        let hir = |source: &str| {
            regex_syntax::ParserBuilder::new()
                .unicode(false)
                .utf8(false)
                .build()
                .parse(source)
                .unwrap()
        };
        assert_eq!(samples(&hir(r"(?i)^Subject: +a{2}(x|y)?"))[0], "subject: aa");
        assert_eq!(samples(&hir(r"[^a-z0-9]\d\.[\s\S]*")), ["A0.", "A0.a", "A0.aa"]);
        assert_eq!(samples(&hir("ab|cd")), ["ab", "cd"]);
        assert!(samples(&hir("a{1000}")).is_empty());
        assert!(samples(&hir(r"\xff")).is_empty());
    }
}
