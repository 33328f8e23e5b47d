//! The messages that the tests send, with CRLF line ends.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::mailroom::{Mailroom, THEIR_SELECTOR, THEIRS};
use crate::support::clamd::EICAR;
use crate::verifiers::dkimpy_sign;

/// A plain message; `more` is further header fields, each with its CRLF.
pub(crate) fn message(from: &str, more: &str, body: &str) -> Vec<u8> {
    let message_id = from.replace('@', ".at.");
    format!(
        "From: {from}\r\nTo: someone@example.net\r\nSubject: A  test\r\n\
         Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@{message_id}>\r\n{more}\r\n{body}"
    )
    .into_bytes()
}

/// A message of the correspondent, signed by dkimpy.
pub(crate) fn their_message(mailroom: &Mailroom, more: &str, body: &str) -> Vec<u8> {
    let from = format!("anna@{THEIRS}");
    dkimpy_sign(&message(&from, more, body), THEIR_SELECTOR, THEIRS, &mailroom.their_key)
}

/// Text of that many octets, in lines.
pub(crate) fn text(octets: usize) -> String {
    const LINE: &str = "The quick brown fox jumps over the lazy dog; pack my box with jugs.\r\n";
    LINE.repeat(octets / LINE.len() + 1)
}

/// A message with the EICAR test file in its body.
pub(crate) fn infected(from: &str) -> Vec<u8> {
    message(from, "", &format!("{EICAR}\r\n"))
}

/// A message with the EICAR test file in a part in base64.
pub(crate) fn infected_in_base64(from: &str) -> Vec<u8> {
    let mime = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n";
    let part = format!(
        "--b1\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n--b1\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         {}\r\n--b1--\r\n",
        BASE64_STANDARD.encode(EICAR)
    );
    message(from, mime, &part)
}

/// Two fields of one name, of which the second is a line of some 1,400 octets.
pub(crate) fn long_header() -> String {
    let ids: Vec<String> =
        (0..40).map(|id| format!("<{id:03}.0123456789@mail.example.net>")).collect();
    format!("X-Thread: short\r\nx-thread: {}\r\nReferences: {}\r\n", ids.join(" "), ids.join(" "))
}
