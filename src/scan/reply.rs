//! What clamd answers to INSTREAM (clamd(8), "COMMANDS"), taken as hostile input.

use super::{ScanResult, Unscanned};
use crate::text::visible_start;

/// The longest answer that is read; clamd's own are one line.
pub(super) const REPLY_BYTES_MAX: usize = 4096;

/// How the answer to a stream begins that is larger than clamd takes.
pub(super) const SIZE_LIMIT_EXCEEDED: &[u8] = b"INSTREAM size limit exceeded";

/// Longer signature names are cut.
const NAME_BYTES_MAX: usize = 128;

/// How much of an answer that makes no sense is shown.
const EXCERPT_BYTES_MAX: usize = 60;

/// Reads one whole answer, its terminator included: NUL, since our command starts with `z`.
///
/// An answer without its terminator was cut short and counts as no answer, so that no beginning of
/// a longer line is ever taken for the verdict.
pub fn parse_reply(reply: &[u8]) -> ScanResult {
    let Some(line) = reply.strip_suffix(b"\0") else { return cut_short(reply) };
    match line.strip_prefix(b"stream: ") {
        Some(b"OK") => return ScanResult::Clean,
        Some(found) => {
            if let Some(name) = found.strip_suffix(b" FOUND").filter(|name| !name.is_empty()) {
                return ScanResult::Infected { name: visible_start(name, NAME_BYTES_MAX) };
            }
        }
        None if line.starts_with(SIZE_LIMIT_EXCEEDED) => {
            let reason = "larger than clamd's StreamMaxLength";
            return ScanResult::unscanned(Unscanned::Oversize, reason);
        }
        None => {}
    }
    ScanResult::failed(format!("answered {}", visible_start(line, EXCERPT_BYTES_MAX)))
}

fn cut_short(reply: &[u8]) -> ScanResult {
    if reply.is_empty() {
        return ScanResult::failed("closed the connection without an answer");
    }
    let excerpt = visible_start(reply, EXCERPT_BYTES_MAX);
    ScanResult::failed(format!("closed the connection amid its answer {excerpt}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(reply: &[u8]) -> (Unscanned, String) {
        match parse_reply(reply) {
            ScanResult::Unscanned { cause, reason } => (cause, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clamds_own_answers_are_read() {
        assert_eq!(parse_reply(b"stream: OK\0"), ScanResult::Clean);
        let eicar = ScanResult::Infected { name: "Eicar-Test-Signature".into() };
        assert_eq!(parse_reply(b"stream: Eicar-Test-Signature FOUND\0"), eicar);
        let (cause, reason) = reason(b"INSTREAM size limit exceeded. ERROR\0");
        assert_eq!(
            (cause, reason.as_str()),
            (Unscanned::Oversize, "larger than clamd's StreamMaxLength")
        );
    }

    #[test]
    fn anything_else_is_a_failure() {
        let faults: [&[u8]; 10] = [
            b"",
            b"\0",
            b"stream: OK",
            b"stream: OK\n",
            b"stream: OK \0",
            b"stream: OK\0stream: OK\0",
            b"stream:  FOUND\0",
            b"stream: Can't allocate memory ERROR\0",
            b"UNKNOWN COMMAND\0",
            b"OK\0",
        ];
        for fault in faults {
            assert_eq!(reason(fault).0, Unscanned::Failed, "{}", fault.escape_ascii());
        }
    }

    #[test]
    fn a_name_cannot_inject_a_header_field() {
        let ScanResult::Infected { name } =
            parse_reply(b"stream: X\r\nBcc: a@example.org\0(;\")\\ FOUND\0")
        else {
            panic!("not infected")
        };
        assert_eq!(name, "X??Bcc: a@example.org??????");
    }

    #[test]
    fn a_megabyte_is_cut() {
        let mut reply = b"stream: ".to_vec();
        reply.resize(1 << 20, b'x');
        reply.extend_from_slice(b" FOUND\0");
        let ScanResult::Infected { name } = parse_reply(&reply) else { panic!("not infected") };
        assert_eq!(name.len(), NAME_BYTES_MAX + 3);
        assert!(reason(&vec![b'x'; 1 << 20]).1.len() < 120);
    }

    proptest! {
        #[test]
        fn no_answer_but_one_is_clean(reply: Vec<u8>) {
            prop_assert_ne!(parse_reply(&reply), ScanResult::Clean);
        }

        #[test]
        fn what_clamd_said_comes_out_visible_start(octets: Vec<u8>, found: bool) {
            let tail: &[u8] = if found { b" FOUND\0" } else { b"\0" };
            let text = match parse_reply(&[b"stream: ", octets.as_slice(), tail].concat()) {
                ScanResult::Clean => String::new(),
                ScanResult::Infected { name } => name,
                ScanResult::Unscanned { reason, .. } => reason,
            };
            prop_assert!(text.bytes().all(|b| matches!(b, b' '..=b'~')), "{:?}", text);
            prop_assert!(!text.contains([';', '"', '(', ')', '\\']), "{:?}", text);
        }
    }
}
