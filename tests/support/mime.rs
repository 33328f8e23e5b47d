//! A message as text, split into header block and body.

#![allow(dead_code, reason = "each test crate uses a part")]

use mailseal::message::header::HeaderBlock;

/// Splits at the first empty line; lines that are none of a field are left out.
pub(crate) fn split(message: &[u8]) -> (HeaderBlock, Vec<u8>) {
    let mut headers = HeaderBlock::default();
    let mut field: Vec<u8> = Vec::new();
    let mut at = 0;
    while let Some(length) = message[at..].iter().position(|octet| *octet == b'\n') {
        let line = &message[at..=at + length];
        at += length + 1;
        if line.trim_ascii().is_empty() {
            break;
        }
        if !matches!(line[0], b' ' | b'\t') {
            push(&mut headers, &field);
            field.clear();
        }
        field.extend_from_slice(line);
    }
    push(&mut headers, &field);
    (headers, message[at..].to_vec())
}

fn push(headers: &mut HeaderBlock, field: &[u8]) {
    if let Some(colon) = field.iter().position(|octet| *octet == b':') {
        headers.push(&field[..colon], field[colon + 1..].trim_ascii_end());
    }
}
