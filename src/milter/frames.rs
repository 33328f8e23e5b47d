//! Follows the milter frames that a peer sends, to tell an orderly end of a connection from one
//! that breaks off or is garbage. indymilter closes such a connection and says nothing.
//!
//! Two things that indymilter takes are refused here: a second client on one connection (it would
//! be judged by the address of the first), and an end of message that carries body octets (with no
//! reply agreed for body chunks, the MTA would wait for ever). Neither Postfix nor Sendmail does so.

/// The frame size from which indymilter refuses a frame, its kind octet counted.
const FRAME_BYTES_MAX: u32 = 1024 * 1024;

/// The commands of the protocol, as `libmilter/mfdef.h` names them.
const COMMANDS: &[u8] = b"ABCDEHKLMNOQRTU";

/// Where in the stream of frames a peer is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 5],
    header_len: usize,
    payload_left: u32,
    last: u8,
    has_client: bool,
    fault: Option<String>,
}

impl Frames {
    /// Takes note of octets read from the peer.
    pub(super) fn read(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() && self.fault.is_none() {
            if self.payload_left > 0 {
                let skipped = octets.len().min(self.payload_left as usize);
                self.payload_left -= skipped as u32;
                octets = &octets[skipped..];
            } else {
                self.header[self.header_len] = octets[0];
                self.header_len += 1;
                octets = &octets[1..];
                self.check_header();
            }
        }
    }

    fn check_header(&mut self) {
        let [a, b, c, d, kind] = self.header;
        if self.header_len < self.header.len() {
            return;
        }
        self.header_len = 0;
        let len = u32::from_be_bytes([a, b, c, d]);
        if len > FRAME_BYTES_MAX {
            self.fault = Some(format!("a frame of {len} octets"));
        } else if !COMMANDS.contains(&kind) {
            self.fault = Some(format!("unknown command 0x{kind:02x}"));
        } else if kind == b'K' || kind == b'C' && self.has_client {
            self.fault = Some("a second client on one connection".to_owned());
        } else if kind == b'E' && len > 1 {
            self.fault = Some("an end of message that carries body octets".to_owned());
        }
        self.has_client |= kind == b'C';
        // Macros belong to the command that follows.
        if kind != b'D' {
            self.last = kind;
        }
        self.payload_left = len.saturating_sub(1);
    }

    /// Whether the peer broke the protocol, so that nothing more may be taken from it.
    pub(super) fn is_broken(&self) -> bool {
        self.fault.is_some()
    }

    /// Whether a first command is there, whole.
    pub(super) fn has_begun(&self) -> bool {
        self.last != 0 && self.payload_left == 0
    }

    /// Whether the peer is between two messages. True only where it is asked when the next command is
    /// awaited: the last one was answered then.
    pub(super) fn is_idle(&self) -> bool {
        let is_whole = self.header_len == 0 && self.payload_left == 0;
        is_whole && matches!(self.last, 0 | b'O' | b'C' | b'H' | b'A' | b'E' | b'Q')
    }

    /// What is wrong with a connection that ends here; `None` for an orderly end.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(fault) = &self.fault {
            Some(fault.clone())
        } else if self.header_len > 0 || self.payload_left > 0 {
            Some("the connection broke off within a frame".to_owned())
        } else {
            match self.last {
                // An MTA may also just close between messages.
                b'Q' | b'A' | b'E' | 0 => None,
                last => Some(format!("the connection ended after command '{}'", char::from(last))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(chunks: &[&[u8]]) -> Option<String> {
        let mut frames = Frames::default();
        for chunk in chunks {
            frames.read(chunk);
        }
        frames.fault()
    }

    #[test]
    fn orderly_ends() {
        assert_eq!(fault_of(&[]), None);
        assert_eq!(fault_of(&[b"\0\0\0\x01Q"]), None);
        assert_eq!(fault_of(&[b"\0\0", b"\0\x04Bab", b"c\0\0\0\x01A", b"\0\0\0\x01Q"]), None);
    }

    #[test]
    fn abnormal_ends() {
        let faults = [
            (&b"\0\0"[..], "within a frame"),
            (b"\0\0\0\x05Bab", "within a frame"),
            (b"\xff\xff\xff\xffB", "4294967295"),
            (b"\0\0\0\x01z", "0x7a"),
            (b"\0\0\0\x01N", "after command 'N'"),
            (b"GET / HTTP/1.1\r\n", "a frame of"),
            (b"\0\0\0\x01K", "a second client"),
            (b"\0\0\0\x02Cx\0\0\0\x02Cx", "a second client"),
            (b"\0\0\0\x02Ex", "carries body octets"),
        ];
        for (octets, expected) in faults {
            let fault = fault_of(&[octets]).unwrap();
            assert!(fault.contains(expected), "{fault:?} lacks {expected:?}");
        }
    }
}
