//! Files in a text by the form that came before MIME, which some readers still make files of:
//! `begin 644 name`, lines, `end` (POSIX uuencode).

use memchr::memmem;

use super::attachment::Attachment;
use super::{kind, name};
use crate::message::text::guessed;

/// The most files in one text.
const FILES_MAX: usize = 100;

/// The files in a text.
pub(super) fn files(text: &[u8], part: usize, is_cut: bool) -> Vec<Attachment> {
    let starts = memmem::find_iter(text, b"begin ");
    let starts = starts.filter(|start| *start == 0 || text[start - 1] == b'\n');
    starts.filter_map(|start| file(&text[start..], part, is_cut)).take(FILES_MAX).collect()
}

fn file(text: &[u8], part: usize, is_cut: bool) -> Option<Attachment> {
    let mut lines = text.splitn(3, |octet| *octet == b'\n');
    let mut words = lines.next()?.trim_ascii_end().splitn(3, |octet| *octet == b' ');
    let (_, mode, file_name) = (words.next()?, words.next()?, words.next()?);
    let is_mode =
        (3..=4).contains(&mode.len()) && mode.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    let line = lines.next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let length = usize::from(line.first()?.wrapping_sub(b' ') & 0x3f);
    // Old encoders write a blank for zero, and what carries mail may take blanks from a line's end.
    let encoded = length.div_ceil(3) * 4;
    let mut line = line.to_vec();
    line.resize(line.len().max(1 + encoded), b' ');
    let is_line =
        line.trim_ascii_end().len() > 1 && line.iter().all(|octet| matches!(octet, b' '..=b'`'));
    if !is_mode || !is_line || length == 0 {
        return None;
    }
    let file_name = guessed(file_name).into_owned();
    name::extension(&file_name)?;
    Some(Attachment {
        part,
        names: vec![file_name],
        types: vec!["application/octet-stream".to_owned()],
        true_type: kind::of(&decoded(line.get(1..=encoded)?)),
        members: Vec::new(),
        is_archive: false,
        is_encrypted: false,
        is_unread: false,
        is_cut,
        bytes: 0,
    })
}

/// The octets of one line: the beginning of the file.
fn decoded(line: &[u8]) -> Vec<u8> {
    let groups = line.chunks_exact(4).map(|group| {
        group
            .iter()
            .fold(0_u32, |bits, octet| bits << 6 | u32::from(octet.wrapping_sub(b' ') & 0x3f))
    });
    groups.flat_map(|bits| bits.to_be_bytes().into_iter().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_are_found() {
        let text = b"hello\nbegin 644 a.exe\nM35J0``,````$````__\\``+@`````````0```````````````````````````\n`\nend\n";
        let found = files(text, 0, false);
        assert_eq!(found[0].names, ["a.exe"]);
        // The same with blanks for zeros, those at the line's end lost on the way.
        let blanks = b"begin 644 a.exe\r\nM35J0  ,    $    __\\  +@\r\n \r\nend\r\n";
        let found_again = files(blanks, 0, false);
        assert_eq!(found_again[0].names, ["a.exe"]);
        assert_eq!(found_again[0].true_type, found[0].true_type);
        assert!(found[0].true_type.is_some());
        // And with more of them than it had.
        let padded = b"begin 644 a.exe\nM35J0  ,    $    __\\  +@                                                  \n";
        assert_eq!(files(padded, 0, false)[0].true_type, found[0].true_type);
        assert!(files(b"begin 644 words\nof a sentence\n", 0, false).is_empty());
        assert!(files(b"We begin 644 a.exe\nM35J0\n", 0, false).is_empty());
    }
}
