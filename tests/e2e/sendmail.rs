//! With Sendmail as the MTA: it shapes header spacing, macros and what may be signed.

use std::net::{IpAddr, Ipv4Addr};

use crate::Test;
use crate::mailroom::{Mailroom, OURS, THEIRS};
use crate::messages::{long_header, message, their_message};
use crate::signatures::{assert_folded, assert_signed_by_us, header_names};
use crate::support::recorder;
use crate::support::sendmail::{PASSWORD, USER};
use crate::support::smtp::Client;

pub(crate) const TESTS: &[Test] = &[
    (
        "sendmail::results_are_true_and_forged_ones_are_gone",
        results_are_true_and_forged_ones_are_gone,
    ),
    (
        "sendmail::mail_of_an_authenticated_client_is_signed",
        mail_of_an_authenticated_client_is_signed,
    ),
    ("sendmail::mail_by_sendmail_is_signed", mail_by_sendmail_is_signed),
    ("sendmail::long_header_lines_are_folded", long_header_lines_are_folded),
    ("sendmail::the_recipe_files_what_is_tagged", the_recipe_files_what_is_tagged),
];

/// A client that is not in `trusted_networks`.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

fn results_are_true_and_forged_ones_are_gone(mailroom: &Mailroom) {
    let to = &format!("sm-results@{OURS}");
    let forged = "Authentication-Results: mx.example.org; dkim=pass header.d=bank.example\r\n\
                  Authentication-Results: other.example; spf=neutral\r\n\
                  Authentication-Results: mx.example.org; spf=fail\r\n\
                  X-Virus-Status: Clean (forged)\r\nX-Mailseal-Tag: forged\r\n";
    let more = "X-Tab:\ttab\r\nX-None:none\r\nX-Two:  two\r\nX-Fold: a\r\n\tb\r\n  c\r\n";
    let mut signed = their_message(mailroom, more, "Hello.\r\n.. and dots\r\n.\r\n");
    signed.splice(0..0, forged.bytes());
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    client.send("x@stranger.example", to, &signed).expect(250);

    let delivery = mailroom.sink.delivery(to);
    let names = header_names(&delivery);
    // The recorder comes first and inserts at the top; we insert above it.
    assert_eq!(names[0], "Authentication-Results", "{}", delivery.header());
    assert!(
        names.iter().position(|name| name == recorder::FIELD)
            < names.iter().position(|name| name == "Received")
    );
    let results = delivery.values("Authentication-Results");
    assert_eq!(results.len(), 2, "{}", delivery.header());
    for part in
        ["mx.example.org; ", "dkim=pass", &format!("header.d={THEIRS}"), "dmarc=pass", "spf=none"]
    {
        assert!(results[0].contains(part), "no {part}: {}", results[0]);
    }
    assert_eq!(results[1], "other.example; spf=neutral");
    assert_eq!(delivery.values("X-Virus-Status"), ["Clean"]);
    assert_eq!(delivery.values("X-Mailseal-Tag"), [""; 0]);
    // Exactly one space after the colon of what we wrote.
    assert!(delivery.header().starts_with("Authentication-Results: mx.example.org;"));
}

fn mail_of_an_authenticated_client_is_signed(mailroom: &Mailroom) {
    let (to, from) = ("sm-authenticated@example.net", &format!("joe@{OURS}"));
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    client.authenticate(USER, PASSWORD);
    // No Date and no Message-ID: Sendmail adds them after the milter has signed.
    let message =
        format!("From: Joe  <{from}>\r\nTo: {to}\r\nSubject:\ta\r\n\tfold \r\n\r\nHello.\r\n");
    client.send(from, to, message.as_bytes()).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert_eq!(delivery.values("Message-Id").len(), 1);
    assert_signed_by_us(mailroom, &delivery);
}

fn mail_by_sendmail_is_signed(mailroom: &Mailroom) {
    let (to, from) = ("sm-sendmail-1@example.net", &format!("root@{OURS}"));
    let message =
        format!("From: Root <{from}>\nTo: {to}\nSubject: a  job of cron's\n\n.\n.dot\n\nok \n\n");
    mailroom.sendmail().sendmail(from, to, &message);
    assert_signed_by_us(mailroom, &mailroom.sink.delivery(to));
}

fn long_header_lines_are_folded(mailroom: &Mailroom) {
    let (to, from) = ("sm-long-header@example.net", &format!("joe@{OURS}"));
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    client.authenticate(USER, PASSWORD);
    client.send(from, to, &message(from, &long_header(), "Hello.\r\n")).expect(250);
    assert_folded(mailroom, &mailroom.sink.delivery(to));
}

/// procmail as the local mailer, by the recipe of `docs/tags.md`.
fn the_recipe_files_what_is_tagged(mailroom: &Mailroom) {
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    for (tag, subject) in [("webcam-extortion", "X-Note: tagged"), ("none", "X-Note: plain")] {
        let more = format!("X-Recipe: {tag}\r\n{subject}\r\n");
        let message = their_message(mailroom, &more, "Hello.\r\n");
        client.send("x@stranger.example", "nobody@mx.example.org", &message).expect(250);
    }
    let folder = |name| mailroom.sendmail().folder(name, 1);
    let (junk, inbox) = (folder("Junk"), folder("Inbox"));
    assert!(junk.contains("X-Mailseal-Tag: webcam-extortion"), "{junk}\n{inbox}");
    assert!(junk.contains("X-Note: tagged") && !junk.contains("X-Note: plain"), "{junk}");
    assert!(inbox.contains("X-Note: plain") && !inbox.contains("X-Note: tagged"), "{inbox}");
}
