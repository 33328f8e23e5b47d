//! A message in a file: split into header fields and body as an MTA splits it, and put together
//! again with a verdict's changes.

use super::Draft;
use super::envelope::Envelope;
use super::header::HeaderBlock;
use crate::config::Limits;
use crate::verdict::Change;

/// Reads a message. A file whose first line does not end in CRLF is a Unix text: its lines are given
/// CRLF ends.
pub fn parse(octets: &[u8], envelope: Envelope, limits: &Limits) -> (Draft, Vec<u8>) {
    let first_line = octets.split_inclusive(|octet| *octet == b'\n').next();
    let message = if first_line.is_some_and(|line| line.ends_with(b"\r\n")) {
        octets.to_vec()
    } else {
        with_crlf(octets)
    };
    let mut draft = Draft::new(envelope);
    for recipient in std::mem::take(&mut draft.envelope.recipients) {
        draft.add_recipient(recipient, limits);
    }
    let mut rest = message.as_slice();
    if rest.starts_with(b"From ") && field(rest).is_none() {
        // The separator line of an mbox is no header field; `From :` begins one (RFC 5322 §4.5).
        rest = &rest[line_len(rest)..];
    }
    while let Some((field_len, colon)) = field(rest) {
        let value = rest[colon + 1..field_len].strip_suffix(b"\r\n");
        draft.add_field(&rest[..colon], value.unwrap_or(&rest[colon + 1..field_len]), limits);
        rest = &rest[field_len..];
    }
    // What is no field ends the header, with or without the empty line that should.
    let body = rest.strip_prefix(b"\r\n").unwrap_or(rest).to_vec();
    (draft, body)
}

/// The message as it would leave, CRLF at its line ends.
pub fn emit(headers: &HeaderBlock, body: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut fields: Vec<(&[u8], Vec<u8>)> =
        headers.iter().map(|field| (field.name, field.value.to_vec())).collect();
    for change in changes {
        apply(&mut fields, change);
    }
    let mut message = Vec::new();
    for (name, value) in fields {
        for part in [name, b":", &value, b"\r\n"] {
            message.extend_from_slice(part);
        }
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    message
}

fn apply<'a>(fields: &mut Vec<(&'a [u8], Vec<u8>)>, change: &'a Change) {
    let is =
        |name: &[u8], other: &str| name.trim_ascii_end().eq_ignore_ascii_case(other.as_bytes());
    let spaced = |value: &str| format!(" {value}").into_bytes();
    match change {
        Change::InsertHeader { name, value } => {
            fields.insert(0, (name.as_bytes(), spaced(value)));
        }
        Change::AddHeader { name, value } => fields.push((name.as_bytes(), spaced(value))),
        Change::ReplaceHeader { name, occurrence, value } => {
            let mut named = fields.iter_mut().filter(|(field, _)| is(field, name));
            if let Some((_, old)) = named.nth((*occurrence as usize).saturating_sub(1)) {
                *old = spaced(value);
            }
        }
        Change::DeleteHeader { name, occurrence } => {
            let mut seen = 0;
            fields.retain(|(field, _)| {
                seen += u32::from(is(field, name));
                !(is(field, name) && seen == *occurrence)
            });
        }
        // What happens to the envelope.
        Change::DeleteRecipient { .. }
        | Change::AddRecipient { .. }
        | Change::Quarantine { .. } => {}
    }
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len() + octets.len() / 32);
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        match line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")) {
            Some(line) => {
                text.extend_from_slice(line);
                text.extend_from_slice(b"\r\n");
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}

/// The length of the field at the start of `octets`, folds and CRLF included, and where its colon
/// is; `None` where no field starts there.
fn field(octets: &[u8]) -> Option<(usize, usize)> {
    let mut len = line_len(octets);
    let colon = octets[..len].iter().position(|&octet| octet == b':')?;
    // RFC 5322 §4.5: of white space, only spaces and tabs may stand before the colon.
    let is_wsp = |octet: &u8| matches!(octet, b' ' | b'\t');
    let end = octets[..colon].iter().rposition(|octet| !is_wsp(octet)).map_or(0, |at| at + 1);
    let name = &octets[..end];
    if name.is_empty() || !name.iter().all(|octet| matches!(octet, 33..=126)) {
        return None;
    }
    while matches!(octets.get(len), Some(b' ' | b'\t')) {
        len += line_len(&octets[len..]);
    }
    Some((len, colon))
}

/// The length of the line at the start of `octets`, its CRLF included.
fn line_len(octets: &[u8]) -> usize {
    octets.windows(2).position(|pair| pair == b"\r\n").map_or(octets.len(), |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parsed(octets: &[u8]) -> (Draft, Vec<u8>) {
        parse(octets, Envelope::default(), &Config::default().limits)
    }

    #[test]
    fn fields_keep_their_octets() {
        let (draft, body) = parsed(b"A: 1\r\nB :2\r\n\t3\r\n\r\nbody\r\n");
        let fields: Vec<_> = draft.headers.iter().map(|f| (f.name, f.value)).collect();
        assert_eq!(fields, [(&b"A"[..], &b" 1"[..]), (b"B ", b"2\r\n\t3")]);
        assert_eq!(body, b"body\r\n");
        assert_eq!(emit(&draft.headers, &body, &[]), b"A: 1\r\nB :2\r\n\t3\r\n\r\nbody\r\n");
    }

    #[test]
    fn unix_texts_mboxes_and_broken_headers() {
        assert_eq!(parsed(b"A: 1\n\nx\ny").1, b"x\r\ny");
        assert_eq!(parsed(b"From joe Mon\nA: 1\n\nx").0.headers.len(), 1);
        assert_eq!(parsed(b"From joe Mon 11:47\nFrom : a\n").0.headers.len(), 1);
        assert_eq!(parsed(b"From : a\nA: 1\n").0.headers.len(), 2);
        assert_eq!(parsed(b"A: 1\r\nno field\r\n").1, b"no field\r\n");
        assert_eq!(parsed(b" From: folded first line\r\n").0.headers.len(), 0);
        assert_eq!(parsed(b"A \t: 1\r\nFrom\n: a\r\n").1, b"From\n: a\r\n");
        assert_eq!(parsed(b"From\x0c: a\r\n").0.headers.len(), 0);
        assert_eq!(parsed(b"").1, b"");
        let (draft, body) = parsed(b"A: 1\nB: 2\n\nx\r\ny\n");
        assert_eq!((draft.headers.len(), &body[..]), (2, &b"x\r\ny\r\n"[..]));
    }

    #[test]
    fn deletions_count_by_name() {
        let (draft, body) = parsed(b"A: 1\r\na: 2\r\nA: 3\r\n\r\n");
        let changes = [
            Change::DeleteHeader { name: "A".into(), occurrence: 2 },
            Change::InsertHeader { name: "B".into(), value: "x".into() },
        ];
        assert_eq!(emit(&draft.headers, &body, &changes), b"B: x\r\nA: 1\r\nA: 3\r\n\r\n");
    }
}
