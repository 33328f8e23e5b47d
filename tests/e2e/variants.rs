//! What MTAs do to mail before and after the filter: what survives, and what breaks, as `mailseal doctor`
//! says it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use crate::Test;
use crate::mailroom::{Mailroom, OURS, THEIR_CLIENT, THEIR_HOST, THEIRS};
use crate::messages::{infected, message, their_message};
use crate::signatures::assert_signed_by_us;
use crate::support::process::PATIENCE;
use crate::support::sendmail::{PASSWORD, USER};
use crate::support::sink::{Delivery, Sink};
use crate::support::smtp::Client;
use crate::verifiers::dkimpy_verify;

pub(crate) const TESTS: &[Test] = &[
    ("variants::postfix_rewrites_before_the_filter", postfix_rewrites_before_the_filter),
    ("variants::header_checks_break_what_others_signed", header_checks_break_what_others_signed),
    ("variants::postfix_edits_after_the_filter", postfix_edits_after_the_filter),
    (
        "variants::eight_bit_text_breaks_where_it_is_encoded",
        eight_bit_text_breaks_where_it_is_encoded,
    ),
    ("variants::without_smtputf8_8_bit_headers_pass", without_smtputf8_8_bit_headers_pass),
    ("variants::sendmail_refuses_what_we_refuse", sendmail_refuses_what_we_refuse),
    (
        "variants::one_session_of_sendmail_has_many_messages",
        one_session_of_sendmail_has_many_messages,
    ),
    ("variants::sendmail_bs_is_signed", sendmail_bs_is_signed),
    ("variants::sendmail_masquerades_after_the_filter", sendmail_masquerades_after_the_filter),
    (
        "variants::the_submission_program_masquerades_before",
        the_submission_program_masquerades_before,
    ),
    ("variants::sendmail_holds_what_is_quarantined", sendmail_holds_what_is_quarantined),
];

/// A client of Sendmail's that is not in `trusted_networks`.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

/// Mail of this host that goes in by a service of Postfix's and comes out at a sink.
fn through(mailroom: &Mailroom, sink: &Sink, service: &str, to: &str, message: &[u8]) -> Delivery {
    let mut client = Client::connect(mailroom.postfix().addr(service), "mx.example.org");
    client.send(&format!("joe@{OURS}"), to, message).expect(250);
    sink.delivery(to)
}

/// Whether dkimpy takes every one of our signatures for good.
fn verifies(mailroom: &Mailroom, delivery: &Delivery) -> bool {
    let verified = dkimpy_verify(&delivery.octets, &mailroom.our_records);
    assert_eq!(verified.len(), 2, "{}", delivery.header());
    verified.iter().all(|line| line == &format!("{OURS} pass"))
}

fn postfix_rewrites_before_the_filter(mailroom: &Mailroom) {
    let to = "rewritten@example.net";
    let sent = message(&format!("joe@{OURS}"), "", "Hello.\r\n");
    let delivery = through(mailroom, &mailroom.sink, "rewriting", to, &sent);
    assert_eq!(delivery.values("From"), ["joseph@example.org"]);
    assert_eq!(delivery.values("Subject"), ["replaced"]);
    assert_signed_by_us(mailroom, &delivery);
}

fn header_checks_break_what_others_signed(mailroom: &Mailroom) {
    let to = &format!("checked@{OURS}");
    let mut client = Client::connect(mailroom.postfix().addr("rewriting"), "e2e.test");
    client.pose_as(THEIR_CLIENT, THEIR_HOST, THEIR_HOST);
    let signed = their_message(mailroom, "", "Hello.\r\n");
    client.send(&format!("anna@{THEIRS}"), to, &signed).expect(250);
    let results = &mailroom.sink.delivery(to).values("Authentication-Results")[0];
    assert!(results.contains("dkim=fail") && results.contains("spf=pass"), "{results}");
}

fn postfix_edits_after_the_filter(mailroom: &Mailroom) {
    let long = "words of a line of more than a hundred octets ".repeat(3) + "\r\n";
    let sent = message(&format!("joe@{OURS}"), "", &long);
    let whole = through(mailroom, &mailroom.sink, "tag", "whole@example.net", &sent);
    assert!(verifies(mailroom, &whole), "{}", whole.header());
    for domain in ["narrow.example", "generic.example", "checks.example"] {
        let to = format!("edited@{domain}");
        let edited = through(mailroom, &mailroom.sink, "tag", &to, &sent);
        assert!(!verifies(mailroom, &edited), "{domain}: {}", edited.header());
    }
}

fn eight_bit_text_breaks_where_it_is_encoded(mailroom: &Mailroom) {
    let mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Transfer-Encoding: 8bit\r\n";
    let sent = message(&format!("joe@{OURS}"), mime, "Gr\u{fc}\u{df}e\r\n");
    let whole = through(mailroom, &mailroom.sink, "tag", "eight@example.net", &sent);
    assert!(verifies(mailroom, &whole), "{}", whole.header());
    let encoded = through(mailroom, &mailroom.poor_sink, "tag", "eight@poor.example", &sent);
    assert_eq!(encoded.values("Content-Transfer-Encoding"), ["quoted-printable"]);
    assert!(!verifies(mailroom, &encoded), "{}", encoded.header());
    // The line that doctor gives.
    let as_is = through(mailroom, &mailroom.poor_sink, "tag", "eight@asis.example", &sent);
    assert!(verifies(mailroom, &as_is), "{}", as_is.header());
}

fn without_smtputf8_8_bit_headers_pass(mailroom: &Mailroom) {
    let to = "ascii@example.net";
    let from = format!("joe@{OURS}");
    let sent = message(&from, "X-Greeting: Gr\u{fc}\u{df}e\r\n", "Hello.\r\n");
    let delivery = through(mailroom, &mailroom.sink, "ascii", to, &sent);
    assert_eq!(delivery.values("X-Greeting"), ["Gr\u{fc}\u{df}e"]);
    assert_signed_by_us(mailroom, &delivery);
}

fn sendmail_refuses_what_we_refuse(mailroom: &Mailroom) {
    let from = &format!("anna@{THEIRS}");
    let (virus, rejected) = (&format!("sm-virus@{OURS}"), &format!("sm-rejected@{OURS}"));
    let campaign = message(from, "X-Campaign: reject me\r\n", "Hello.\r\n");
    for (to, message, code, said) in [
        (virus, infected(from), 554, "5.7.1 virus found: Eicar-Test-Signature"),
        (rejected, campaign, 550, "5.7.1 no campaigns here"),
    ] {
        let mut client =
            Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
        let reply = client.send("x@stranger.example", to, &message).expect(code);
        assert!(reply.text.starts_with(said), "{reply}");
        assert!(!mailroom.sink.has(to));
    }
}

fn one_session_of_sendmail_has_many_messages(mailroom: &Mailroom) {
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    let to = |n: u32| format!("sm-many-{n}@{OURS}");
    let good = their_message(mailroom, "", "Buy cheap watches today.\r\n");
    let bad = message(&format!("anna@{THEIRS}"), "X-Campaign: reject me\r\n", "Hello.\r\n");
    for n in 0..6 {
        let (message, code) = if n % 3 == 2 { (&bad, 550) } else { (&good, 250) };
        client.send("x@stranger.example", &to(n), message).expect(code);
    }
    for n in (0..6).filter(|n| n % 3 != 2) {
        let delivery = mailroom.sink.delivery(&to(n));
        assert_eq!(delivery.values("X-Mailseal-Tag"), ["watches"], "{}", delivery.header());
        assert_eq!(delivery.values("Authentication-Results").len(), 1, "{}", delivery.header());
    }
}

fn sendmail_bs_is_signed(mailroom: &Mailroom) {
    let (to, from) = ("sm-bs@example.net", format!("joe@{OURS}"));
    let message = format!("From: {from}\r\nTo: {to}\r\nSubject: by stdin\r\n\r\nHello.\r\n.");
    let [mail, rcpt] = [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>")];
    let said = ["EHLO mx.example.org", &mail, &rcpt, "DATA", &message, "QUIT"];
    let replies = mailroom.sendmail().stdin_smtp(&said);
    assert!(replies[5].starts_with("250 2.0.0 "), "{replies:?}");
    assert_signed_by_us(mailroom, &mailroom.sink.delivery(to));
}

/// The address of the host becomes that of the domain when Sendmail delivers, under our signature.
fn sendmail_masquerades_after_the_filter(mailroom: &Mailroom) {
    let send = |from: &str, to: &str| {
        let sendmail = mailroom.masquerading();
        let mut client = Client::connect_from(STRANGER, sendmail.addr, "stranger.example");
        client.authenticate(USER, PASSWORD);
        client.send(from, to, &message(from, "", "Hello.\r\n")).expect(250);
        mailroom.sink.delivery(to)
    };
    let changed = send("joe@mx.example.org", "sm-masqueraded@example.net");
    assert_eq!(changed.values("From"), ["joe@example.org"]);
    assert!(!verifies(mailroom, &changed), "{}", changed.header());
    let kept = send("joe@example.org", "sm-not-masqueraded@example.net");
    assert_signed_by_us(mailroom, &kept);
}

/// The remedy that doctor gives: `sendmail(1)` has the address in its final form before the filter sees it.
fn the_submission_program_masquerades_before(mailroom: &Mailroom) {
    let (to, from) = ("sm-masqueraded-1@example.net", "joe@mx.example.org");
    let text = format!("From: {from}\nTo: {to}\nSubject: by sendmail(1)\n\nHello.\n");
    mailroom.masquerading().sendmail(from, to, &text);
    let delivery = mailroom.sink.delivery(to);
    assert_eq!(delivery.values("From"), ["joe@example.org"]);
    assert_signed_by_us(mailroom, &delivery);
}

fn sendmail_holds_what_is_quarantined(mailroom: &Mailroom) {
    let (to, sendmail) = (&format!("sm-held@{OURS}"), mailroom.masquerading());
    let mut client = Client::connect_from(STRANGER, sendmail.addr, "stranger.example");
    let spoof = message(&format!("ceo@{THEIRS}"), "", "Pay this at once.\r\n");
    client.send("x@stranger.example", to, &spoof).expect(250);
    let held = wait_for(|| sendmail.held().first().cloned());
    assert!(!mailroom.sink.has(to));
    // As the README says.
    sendmail.queue(&["-qQ", &format!("-qI{held}"), "-Q"]);
    sendmail.queue(&[&format!("-qI{held}")]);
    let results = &mailroom.sink.delivery(to).values("Authentication-Results")[0];
    assert!(results.contains("dmarc=fail"), "{results}");
}

fn wait_for<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < give_up, "it did not come");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
