//! What was done to a body on its way, told from `bh=` (RFC 6376 §3.7): each change alone, on generated
//! bodies, and none where nothing that is tried explains it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use std::time::{Duration, Instant};

use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::fit::{Fit, fit};
use mailseal::dkim::signature::Signature;
use mailseal::dkim::verify::{Check, begin};
use message::{Message, NOW, Signer, base64, sample};
use proptest::prelude::*;

/// A signature of the body.
fn signature(body: &[u8], c: Canonicalization) -> Signature {
    let message = Message { body: body.to_vec(), ..sample() };
    let tags = format!("c=relaxed/{};bh={}", c.as_str(), base64(&message.body_hash(c)));
    let signed = Signer::ed25519().sign(&message, &tags);
    let mut checks = begin(&signed.headers, NOW).checks;
    let Check::Pending(pending) = checks.remove(0) else { panic!("{tags}") };
    pending.signature().clone()
}

fn found(signed: &[u8], c: Canonicalization, arrived: &[u8]) -> Option<Fit> {
    fit(&signature(signed, c), arrived)
}

const BODY: &[u8] = b"Hello,\r\n\r\n  shall we meet?\r\nFrom Paris,\r\n.Joe\r\n";

#[test]
fn each_change_is_told() {
    for c in [Simple, Relaxed] {
        for (arrived, expected) in [
            (
                &b"Hello,\r\n\r\n  shall we meet?\r\nFrom Paris,\r\n.Joe\r\n-- \r\na list\r\n"[..],
                Some(Fit::WithoutFooter(2)),
            ),
            (
                b"Hello,\r\n\r\n  shall we meet?\r\nFrom Paris,\r\n.Joe\r\n\r\n\r\nad",
                Some(Fit::WithoutFooter(1)),
            ),
            (
                b"[EXTERNAL]\r\n\r\nHello,\r\n\r\n  shall we meet?\r\nFrom Paris,\r\n.Joe\r\n",
                Some(Fit::WithoutBanner(2)),
            ),
            (b"Hello,\n\n  shall we meet?\nFrom Paris,\n.Joe\n", Some(Fit::WithCrlf)),
            (
                b"Hello,\r\n\r\n  shall we meet?\r\n>From Paris,\r\n.Joe\r\n",
                Some(Fit::WithFromLines),
            ),
            (
                b"Hello,\r\n\r\n  shall we meet?\r\nFrom Paris,\r\n..Joe\r\n",
                Some(Fit::WithoutStuffing),
            ),
            (b"Hello,\r\n\r\n  shall we eat?\r\nFrom Paris,\r\n.Joe\r\n", None),
            (b"", None),
        ] {
            assert_eq!(
                found(BODY, c, arrived),
                expected,
                "{c:?} {:?}",
                String::from_utf8_lossy(arrived)
            );
        }
        assert_eq!(found(b"", c, BODY), Some(Fit::Empty));
    }
    // White space that a relaxed signature would have let pass.
    assert_eq!(found(b"a b\r\n", Simple, b"a  b \r\n"), Some(Fit::As(Relaxed)));
    // A signer that says relaxed and hashes simple.
    let wrong = Signature { body_canonicalization: Relaxed, ..signature(b"a  b\r\n", Simple) };
    assert_eq!(fit(&wrong, b"a  b\r\n"), Some(Fit::As(Simple)));
    // What `l=` leaves unsigned cannot be the cause.
    let part = Signature { length: Some(3), ..signature(BODY, Simple) };
    assert_eq!(fit(&part, &[BODY, b"more\r\n"].concat()), None);
}

/// One pass: a body of a million lines, and one of a single line of 16 MB.
#[test]
fn large_bodies_take_linear_time() {
    let signature = signature(BODY, Relaxed);
    for body in [b"a\r\n".repeat(1_000_000), b"\r\n".repeat(1_000_000), vec![b'a'; 16 << 20]] {
        let start = Instant::now();
        assert_eq!(fit(&signature, &body), None);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

proptest! {
    #[test]
    fn footers_of_any_body(body in "([ -~\t]{0,20}\r\n){0,20}", footer in "([!-~]{1,20}\r\n){1,20}") {
        for c in [Simple, Relaxed] {
            let arrived = format!("{body}{footer}");
            let lines = footer.matches('\n').count();
            let fit = found(body.as_bytes(), c, arrived.as_bytes());
            let is_empty = body.trim().is_empty();
            prop_assert!(fit == Some(Fit::WithoutFooter(lines)) || is_empty, "{:?}", fit);
        }
    }
}
