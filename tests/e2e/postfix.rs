//! With Postfix as the MTA.

use crate::Test;
use crate::mailroom::{Mailroom, OBSERVER, OURS, THEIR_CLIENT, THEIR_HOST, THEIRS};
use crate::messages::{infected, infected_in_base64, long_header, message, text, their_message};
use crate::signatures::{assert_folded, assert_signed_by_us, header_names};
use crate::support::postfix::{BOUNCING_DOMAIN, PASSWORD, USER};
use crate::support::sink::Delivery;
use crate::support::smtp::{Client, Reply};

pub(crate) const TESTS: &[Test] = &[
    (
        "postfix::results_are_true_and_forged_ones_are_gone",
        results_are_true_and_forged_ones_are_gone,
    ),
    (
        "postfix::mail_of_an_authenticated_client_is_signed",
        mail_of_an_authenticated_client_is_signed,
    ),
    ("postfix::a_user_who_writes_as_another_is_refused", a_user_who_writes_as_another_is_refused),
    (
        "postfix::a_loop_is_refused_while_the_client_is_there",
        a_loop_is_refused_while_the_client_is_there,
    ),
    ("postfix::long_header_lines_are_folded", long_header_lines_are_folded),
    ("postfix::mail_to_an_originating_daemon_is_signed", mail_to_an_originating_daemon_is_signed),
    ("postfix::mail_by_sendmail_is_signed", mail_by_sendmail_is_signed),
    ("postfix::mail_of_a_stranger_is_not_signed", mail_of_a_stranger_is_not_signed),
    ("postfix::a_virus_is_refused", a_virus_is_refused),
    ("postfix::rules_reject_and_tag", rules_reject_and_tag),
    ("postfix::a_spoof_is_tagged", a_spoof_is_tagged),
    ("postfix::a_spoof_is_held_until_released", a_spoof_is_held_until_released),
    ("postfix::a_spoof_is_refused", a_spoof_is_refused),
    ("postfix::a_dead_clamd_defers_where_so_configured", a_dead_clamd_defers_where_so_configured),
    ("postfix::a_large_message_leaves_the_memory_flat", a_large_message_leaves_the_memory_flat),
    ("postfix::header_checks_hold_by_tag", header_checks_hold_by_tag),
    ("postfix::recipes_act_on_tags", recipes_act_on_tags),
    ("postfix::one_session_has_many_messages", one_session_has_many_messages),
    ("postfix::a_bounce_is_delivered", a_bounce_is_delivered),
    ("postfix::protocol_2_is_spoken_too", protocol_2_is_spoken_too),
    ("postfix::an_observer_changes_nothing", an_observer_changes_nothing),
];

const SPOOFER: &str = "203.0.113.66";

/// Sends a message as the correspondent's host does.
fn send_as_them(mailroom: &Mailroom, service: &str, to: &str, message: &[u8]) -> Reply {
    let mut client = Client::connect(mailroom.postfix().addr(service), "e2e.test");
    client.pose_as(THEIR_CLIENT, THEIR_HOST, THEIR_HOST).send(
        &format!("anna@{THEIRS}"),
        to,
        message,
    )
}

/// Sends a message as a stranger's host, with a reverse path of nobody's.
fn send_as_stranger(mailroom: &Mailroom, service: &str, to: &str, message: &[u8]) -> Reply {
    let mut client = Client::connect(mailroom.postfix().addr(service), "e2e.test");
    client.pose_as(SPOOFER, "[UNAVAILABLE]", "stranger.example").send(
        "x@stranger.example",
        to,
        message,
    )
}

fn spoof() -> Vec<u8> {
    message(&format!("ceo@{THEIRS}"), "", "Pay this at once.\r\n")
}

fn results_are_true_and_forged_ones_are_gone(mailroom: &Mailroom) {
    let to = &format!("results@{OURS}");
    let forged = "Authentication-Results: mx.example.org; dkim=pass header.d=bank.example\r\n\
                  Authentication-Results: MX.example.org 1; spf=fail\r\n\
                  Authentication-Results: other.example; spf=neutral\r\n\
                  X-Virus-Status: Clean (forged)\r\nX-Mailseal-Tag: forged\r\n";
    let mut signed = their_message(mailroom, "", "Hello.\r\n.. and dots\r\n.\r\n \t\r\n\r\n");
    signed.splice(0..0, forged.bytes());
    send_as_them(mailroom, "tag", to, &signed).expect(250);

    let delivery = mailroom.sink.delivery(to);
    let results = delivery.values("Authentication-Results");
    assert_eq!(results.len(), 2, "{}", delivery.header());
    assert_eq!(header_names(&delivery)[0], "Authentication-Results", "{}", delivery.header());
    for part in [
        "mx.example.org; ",
        "iprev=pass",
        "spf=pass",
        "dkim=pass",
        &format!("header.d={THEIRS}"),
        "dmarc=pass",
        &format!("header.from={THEIRS}"),
    ] {
        assert!(results[0].contains(part), "no {part}: {}", results[0]);
    }
    assert_eq!(results[1], "other.example; spf=neutral");
    assert_eq!(delivery.values("X-Virus-Status"), ["Clean"]);
    assert_eq!(delivery.values("X-Mailseal-Tag"), [""; 0]);
    assert_eq!(delivery.values("DKIM-Signature").len(), 1);
}

fn mail_of_an_authenticated_client_is_signed(mailroom: &Mailroom) {
    let to = "authenticated@example.net";
    let from = &format!("joe@{OURS}");
    let mut client = Client::connect(mailroom.postfix().addr("submission"), "[192.0.2.99]");
    client.authenticate(USER, PASSWORD);
    client.send(from, to, &message(from, "", "Hello.\r\n")).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert_signed_by_us(mailroom, &delivery);
    assert_eq!(delivery.values("Authentication-Results"), [""; 0]);
}

fn a_user_who_writes_as_another_is_refused(mailroom: &Mailroom) {
    let (to, joe, ceo) = ("gated@example.net", &format!("joe@{OURS}"), &format!("ceo@{OURS}"));
    let send = |from: &str| {
        let mut client = Client::connect(mailroom.postfix().addr("gated"), "[192.0.2.99]");
        client.authenticate(USER, PASSWORD);
        // The reverse path, which Postfix can check, is Joe's own.
        client.send(joe, to, &message(from, "", "Hello.\r\n"))
    };
    let reply = send(ceo).expect(550);
    assert!(reply.text.starts_with(&format!("5.7.1 From names {ceo}, which is not")), "{reply}");
    assert!(!mailroom.sink.has(to));
    send(joe).expect(250);
    assert_signed_by_us(mailroom, &mailroom.sink.delivery(to));
}

fn a_loop_is_refused_while_the_client_is_there(mailroom: &Mailroom) {
    let to = &format!("loop@{OURS}");
    let looping = their_message(mailroom, &format!("Delivered-To: {to}\r\n"), "Hello.\r\n");
    let reply = send_as_them(mailroom, "reject", to, &looping).expect(550);
    assert!(reply.text.starts_with(&format!("5.4.6 mail for {to} has been")), "{reply}");
    assert!(!mailroom.sink.has(to) && mailroom.postfix().queued(to).is_none());
    // Elsewhere it is tagged.
    send_as_them(mailroom, "tag", to, &looping).expect(250);
    let tags = mailroom.sink.delivery(to).values("X-Mailseal-Tag");
    assert_eq!(tags, ["delivery-loop"]);
}

fn long_header_lines_are_folded(mailroom: &Mailroom) {
    let (to, from) = ("long-header@example.net", &format!("joe@{OURS}"));
    let mut client = Client::connect(mailroom.postfix().addr("submission"), "[192.0.2.99]");
    client.authenticate(USER, PASSWORD);
    client.send(from, to, &message(from, &long_header(), "Hello.\r\n")).expect(250);
    assert_folded(mailroom, &mailroom.sink.delivery(to));
}

fn mail_to_an_originating_daemon_is_signed(mailroom: &Mailroom) {
    let to = &format!("originating@{OURS}");
    let message = message(&format!("joe@{OURS}"), "", "Hello.\r\n");
    send_as_stranger(mailroom, "originating", to, &message).expect(250);
    assert_signed_by_us(mailroom, &mailroom.sink.delivery(to));
}

fn mail_by_sendmail_is_signed(mailroom: &Mailroom) {
    let (to, from) = ("sendmail-1@example.net", &format!("root@{OURS}"));
    // No Date and no Message-ID: Postfix adds them before the milter sees the message.
    let message =
        format!("From: {from}\nTo: {to}\nSubject: a  job of cron's\n\n.\n.dot\n\nok \n\n");
    mailroom.postfix().sendmail(from, to, &message);
    let delivery = mailroom.sink.delivery(to);
    assert_eq!(delivery.values("Message-Id").len(), 1);
    assert_signed_by_us(mailroom, &delivery);
}

fn mail_of_a_stranger_is_not_signed(mailroom: &Mailroom) {
    let to = &format!("unsigned@{OURS}");
    let message = message(&format!("joe@{OURS}"), "", "I am not Joe.\r\n");
    send_as_stranger(mailroom, "tag", to, &message).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert_eq!(delivery.values("DKIM-Signature"), [""; 0]);
    assert_eq!(delivery.values("Authentication-Results").len(), 1);
}

fn a_virus_is_refused(mailroom: &Mailroom) {
    let from = &format!("anna@{THEIRS}");
    for message in [infected(from), infected_in_base64(from)] {
        let to = &format!("virus@{OURS}");
        let reply = send_as_them(mailroom, "tag", to, &message).expect(554);
        assert!(reply.text.starts_with("5.7.1 virus found: Eicar-Test-Signature"), "{reply}");
        assert!(reply.text.contains("queue id "), "{reply}");
        assert!(!mailroom.sink.has(to));
    }
}

fn rules_reject_and_tag(mailroom: &Mailroom) {
    let from = &format!("anna@{THEIRS}");
    let (rejected, tagged) = (&format!("rule-reject@{OURS}"), &format!("rule-tag@{OURS}"));
    let reply = send_as_them(
        mailroom,
        "tag",
        rejected,
        &message(from, "X-Campaign: reject me\r\n", "Hello.\r\n"),
    );
    let reply = reply.expect(550);
    assert!(reply.text.contains("5.7.1 no campaigns here (queue id "), "{reply}");
    assert!(!mailroom.sink.has(rejected));

    let body = "Buy cheap watches today.\r\n";
    send_as_them(mailroom, "tag", tagged, &their_message(mailroom, "", body)).expect(250);
    let delivery = mailroom.sink.delivery(tagged);
    assert_eq!(delivery.values("X-Mailseal-Tag"), ["watches"], "{}", delivery.header());
}

fn a_spoof_is_tagged(mailroom: &Mailroom) {
    let to = &format!("spoof-tag@{OURS}");
    send_as_stranger(mailroom, "tag", to, &spoof()).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert!(
        delivery.values("X-Mailseal-Tag").contains(&"dmarc-fail".into()),
        "{}",
        delivery.header()
    );
    assert_dmarc_fail(&delivery);
}

fn a_spoof_is_held_until_released(mailroom: &Mailroom) {
    let to = &format!("spoof-quarantine@{OURS}");
    send_as_stranger(mailroom, "quarantine", to, &spoof()).expect(250);
    let queued = mailroom.postfix().queued(to).expect("it is in the queue");
    assert_eq!(queued.queue, "hold");
    assert!(!mailroom.sink.has(to));

    mailroom.postfix().release(&queued.id);
    assert_dmarc_fail(&mailroom.sink.delivery(to));
}

fn assert_dmarc_fail(delivery: &Delivery) {
    let results = delivery.values("Authentication-Results");
    assert!(results[0].contains("dmarc=fail"), "{}", delivery.header());
}

fn a_spoof_is_refused(mailroom: &Mailroom) {
    let to = &format!("spoof-reject@{OURS}");
    let reply = send_as_stranger(mailroom, "reject", to, &spoof()).expect(550);
    assert!(reply.text.starts_with(&format!("5.7.26 DMARC of {THEIRS} fails")), "{reply}");
    assert!(!mailroom.sink.has(to) && mailroom.postfix().queued(to).is_none());
    // What passes, passes there, too.
    let passing = &format!("no-spoof@{OURS}");
    send_as_them(mailroom, "reject", passing, &their_message(mailroom, "", "Hello.\r\n"))
        .expect(250);
    mailroom.sink.delivery(passing);
}

fn a_dead_clamd_defers_where_so_configured(mailroom: &Mailroom) {
    let message = their_message(mailroom, "", "Hello.\r\n");
    let (before, after) = (&format!("scanned@{OURS}"), &format!("unscanned@{OURS}"));
    send_as_them(mailroom, "unscanned", before, &message).expect(250);
    assert_eq!(mailroom.sink.delivery(before).values("X-Virus-Status"), ["Clean"]);

    mailroom.mortal_clamd.lock().unwrap().kill();
    let reply = send_as_them(mailroom, "unscanned", after, &message).expect(451);
    assert!(reply.text.starts_with("4.3.0 virus scan failed"), "{reply}");
    assert!(!mailroom.sink.has(after));
    // By default such mail is delivered and marked.
    send_as_them(mailroom, "marked", after, &message).expect(250);
    let status = mailroom.sink.delivery(after).values("X-Virus-Status");
    assert!(status[0].starts_with("Unscanned ("), "{status:?}");
}

fn a_large_message_leaves_the_memory_flat(mailroom: &Mailroom) {
    const OCTETS: usize = 20 << 20;
    let small = &format!("small@{OURS}");
    for _ in 0..3 {
        send_as_them(mailroom, "large", small, &their_message(mailroom, "", "Hello.\r\n"))
            .expect(250);
    }
    let before = mailroom.daemon("large").peak_memory_kib();

    let large = &format!("large@{OURS}");
    send_as_them(mailroom, "large", large, &their_message(mailroom, "", &text(OCTETS))).expect(250);
    let results = mailroom.sink.delivery(large).values("Authentication-Results");
    assert!(results[0].contains("dkim=pass"), "{}", results[0]);
    let after = mailroom.daemon("large").peak_memory_kib();
    // The header block, the kept 1 MiB of the body and the chunks on their way.
    assert!(after < before + (4 << 10), "{before} KiB became {after} KiB");
}

fn header_checks_hold_by_tag(mailroom: &Mailroom) {
    let to = &format!("held-by-tag@{OURS}");
    let message = their_message(mailroom, "X-Hold: please\r\n", "Hello.\r\n");
    send_as_them(mailroom, "tag", to, &message).expect(250);
    let queued = mailroom.postfix().queued(to).expect("it is in the queue");
    assert_eq!(queued.queue, "hold");
    mailroom.postfix().release(&queued.id);
    assert_eq!(mailroom.sink.delivery(to).values("X-Mailseal-Tag"), ["hold-me"]);
}

/// The table of `docs/tags.md`, as it stands there.
fn recipes_act_on_tags(mailroom: &Mailroom) {
    let send = |to: &str, tag: &str| {
        let message = their_message(mailroom, &format!("X-Recipe: {tag}\r\n"), "Hello.\r\n");
        send_as_them(mailroom, "tag", to, &message)
    };
    let to = |tag: &str| format!("{tag}@{OURS}");
    send(&to("recipe-hold"), "forged-bounce").expect(250);
    let held = mailroom.postfix().queued(&to("recipe-hold")).expect("it is in the queue");
    assert_eq!(held.queue, "hold");

    send(&to("recipe-redirect"), "executable-attachment").expect(250);
    let redirected = mailroom.sink.delivery(&to("quarantine"));
    assert_eq!(redirected.values("X-Mailseal-Tag"), ["executable-attachment"]);

    let refused = send(&to("recipe-reject"), "webcam-extortion").expect(550);
    assert!(refused.text.contains("This mail is not taken here"), "{refused}");

    send(&to("recipe-discard"), "advance-fee-fraud").expect(250);
    send(&to("recipe-none"), "none").expect(250);
    mailroom.sink.delivery(&to("recipe-none"));
    for name in ["recipe-redirect", "recipe-reject", "recipe-discard"] {
        assert!(!mailroom.sink.has(&to(name)), "{name}");
        assert!(mailroom.postfix().queued(&to(name)).is_none(), "{name}");
    }
}

fn one_session_has_many_messages(mailroom: &Mailroom) {
    let mut client = Client::connect(mailroom.postfix().addr("tag"), "e2e.test");
    client.pose_as(THEIR_CLIENT, THEIR_HOST, THEIR_HOST);
    let from = &format!("anna@{THEIRS}");
    let to = |n: u32| format!("many-{n}@{OURS}");
    let good = their_message(mailroom, "", "Hello.\r\n");
    let bad = message(from, "X-Campaign: reject me\r\n", "Hello.\r\n");
    for n in 0..10 {
        let (message, code) = if n % 3 == 2 { (&bad, 550) } else { (&good, 250) };
        client.send(from, &to(n), message).expect(code);
    }
    for n in (0..10).filter(|n| n % 3 != 2) {
        let delivery = mailroom.sink.delivery(&to(n));
        assert_eq!(delivery.values("Authentication-Results").len(), 1, "{}", delivery.header());
        assert!(delivery.values("Authentication-Results")[0].contains("dmarc=pass"));
    }
}

/// Postfix hands its own bounces to the milter, too, with a null reverse path.
fn a_bounce_is_delivered(mailroom: &Mailroom) {
    let from = &format!("bounced@{OURS}");
    let to = format!("nobody@{BOUNCING_DOMAIN}");
    mailroom.postfix().sendmail(from, &to, &format!("From: {from}\nTo: {to}\n\nHello.\n"));
    let bounce = mailroom.sink.delivery(from);
    assert_eq!(bounce.mail_from, "");
    assert_eq!(bounce.values("X-Virus-Status"), ["Clean"], "{}", bounce.header());
}

/// Old advice sets `milter_protocol = 2`: no leading spaces, and a reply to every event.
fn protocol_2_is_spoken_too(mailroom: &Mailroom) {
    let to = &format!("protocol-2@{OURS}");
    let message = their_message(mailroom, "X-Fold: a\r\n\tb\r\n", &text(200_000));
    send_as_them(mailroom, "old", to, &message).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert!(delivery.header().starts_with("Authentication-Results: mx.example.org;"));
    let results = &delivery.values("Authentication-Results")[0];
    assert!(results.contains("dkim=pass") && results.contains("dmarc=pass"), "{results}");
}

fn an_observer_changes_nothing(mailroom: &Mailroom) {
    let to = &format!("observed@{OURS}");
    let message = infected(&format!("ceo@{THEIRS}"));
    send_as_stranger(mailroom, OBSERVER, to, &message).expect(250);
    let delivery = mailroom.sink.delivery(to);
    assert_eq!(header_names(&delivery)[0], "Received", "{}", delivery.header());
    assert!(delivery.octets.ends_with(&message), "{}", delivery.header());
    let log = mailroom.daemon(OBSERVER).log();
    assert!(log.contains("reject") && log.contains("Eicar-Test-Signature"), "{log}");
}
