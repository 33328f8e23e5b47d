//! What rules do, as Postfix and Sendmail carry it out.

use std::net::{IpAddr, Ipv4Addr};

use crate::Test;
use crate::mailroom::{Mailroom, OURS, THEIR_CLIENT, THEIR_HOST, THEIRS};
use crate::messages::message;
use crate::signatures::{assert_signed_by_us, header_names};
use crate::support::sink::Delivery;
use crate::support::smtp::Client;
use crate::support::{postfix, sendmail};

pub(crate) const TESTS: &[Test] = &[
    ("actions::postfix_edits_before_we_sign", postfix_edits_before_we_sign),
    ("actions::postfix_changes_recipients", postfix_changes_recipients),
    ("actions::postfix_holds_and_discards", postfix_holds_and_discards),
    ("actions::sendmail_edits_before_we_sign", sendmail_edits_before_we_sign),
    ("actions::sendmail_changes_recipients", sendmail_changes_recipients),
];

/// A client that is not in `trusted_networks`.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

fn acted_on(from: &str, action: &str) -> Vec<u8> {
    let more = format!(
        "X-Remove: keep\r\nX-Action: {action}\r\nX-Remove: me\r\nX-Remove: keep, too\r\n\
         Reply-To: joe@example.org\r\n"
    );
    message(from, &more, "Hello.\r\n")
}

fn at_postfix(mailroom: &Mailroom) -> Client {
    let mut client = Client::connect(mailroom.postfix().addr("tag"), "e2e.test");
    client.pose_as(THEIR_CLIENT, THEIR_HOST, THEIR_HOST);
    client
}

fn postfix_edits_before_we_sign(mailroom: &Mailroom) {
    let (to, from) = ("edited@example.net", &format!("joe@{OURS}"));
    let mut client = Client::connect(mailroom.postfix().addr("submission"), "[192.0.2.99]");
    client.authenticate(postfix::USER, postfix::PASSWORD);
    client.send(from, to, &acted_on(from, "edit word")).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert_edited(mailroom, &delivery);
    // Above what the MTA itself puts on top.
    let names = header_names(&delivery);
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    assert!(at("X-Prepended") < at("Received") && at("Received") < at("From"), "{names:?}");
}

fn sendmail_edits_before_we_sign(mailroom: &Mailroom) {
    let (to, from) = ("sm-edited@example.net", &format!("joe@{OURS}"));
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    client.authenticate(sendmail::USER, sendmail::PASSWORD);
    client.send(from, to, &acted_on(from, "edit word")).expect(250);
    assert_edited(mailroom, &mailroom.sink.delivery(to));
}

fn assert_edited(mailroom: &Mailroom, delivery: &Delivery) {
    let header = delivery.header();
    let values = |name: &str| delivery.values(name);
    assert_eq!(values("Subject").len(), 1, "{header}");
    assert!(values("Subject")[0].starts_with("[EDITED] A"), "{header}");
    assert_eq!(values("X-Added"), ["word"], "{header}");
    assert_eq!(values("X-Prepended"), ["word"], "{header}");
    assert_eq!(values("Reply-To"), ["list@example.org"], "{header}");
    assert_eq!(values("X-Remove"), ["keep", "keep, too"], "{header}");
    assert_eq!(values("X-Mailseal-Tag"), [""; 0], "{header}");
    assert_signed_by_us(mailroom, delivery);
}

fn postfix_changes_recipients(mailroom: &Mailroom) {
    let from = &format!("anna@{THEIRS}");
    let mut client = at_postfix(mailroom);
    let to = &format!("not-redirected@{OURS}");
    client.send(from, to, &acted_on(from, "redirect")).expect(250);
    let delivery = mailroom.sink.delivery(&format!("redirected@{OURS}"));
    assert_eq!(delivery.recipients.len(), 1, "{:?}", delivery.recipients);
    assert!(!mailroom.sink.has(to));

    // Taken off and put on again, it might be lost.
    let one = &format!("one@{OURS}");
    client.send(from, one, &acted_on(from, "redirect to one")).expect(250);
    mailroom.sink.delivery(one);

    let to = &format!("not-alone@{OURS}");
    client.send(from, to, &acted_on(from, "copy")).expect(250);
    mailroom.sink.delivery(to);
    let copy = mailroom.sink.delivery(&format!("copied@{OURS}"));
    assert!(!copy.header().contains("copied@"), "{}", copy.header());
}

fn sendmail_changes_recipients(mailroom: &Mailroom) {
    let from = &format!("anna@{THEIRS}");
    let mut client = Client::connect_from(STRANGER, mailroom.sendmail().addr, "stranger.example");
    let to = &format!("sm-not-redirected@{OURS}");
    client.send(from, to, &acted_on(from, "sm-redirect")).expect(250);
    mailroom.sink.delivery(&format!("sm-redirected@{OURS}"));
    assert!(!mailroom.sink.has(to));

    let to = &format!("sm-not-alone@{OURS}");
    client.send(from, to, &acted_on(from, "sm-copy")).expect(250);
    mailroom.sink.delivery(to);
    mailroom.sink.delivery(&format!("sm-copied@{OURS}"));
}

fn postfix_holds_and_discards(mailroom: &Mailroom) {
    let from = &format!("anna@{THEIRS}");
    let mut client = at_postfix(mailroom);
    let gone = &format!("discarded@{OURS}");
    client.send(from, gone, &acted_on(from, "discard")).expect(250);

    let held = &format!("held-by-rule@{OURS}");
    client.send(from, held, &acted_on(from, "quarantine")).expect(250);
    let queued = mailroom.postfix().queued(held).expect("it is in the queue");
    assert_eq!(queued.queue, "hold");
    assert!(!mailroom.sink.has(held));
    mailroom.postfix().release(&queued.id);
    let delivery = mailroom.sink.delivery(held);
    assert!(delivery.values("Subject")[0].starts_with("[HELD] "), "{}", delivery.header());
    assert_eq!(delivery.values("X-Mailseal-Tag"), ["hold-me-back"]);
    assert!(!mailroom.sink.has(gone) && mailroom.postfix().queued(gone).is_none());
}
