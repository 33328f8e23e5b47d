//! What the MTAs do with the milter protocol: the facts that mailseal's own session builds on.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::Test;
use crate::mailroom::{Mailroom, OURS, THEIR_CLIENT, THEIR_HOST, THEIRS};
use crate::signatures::header_names;
use crate::support::recorder::{ASKED, FIELD, Session};
use crate::support::sendmail::{PASSWORD, USER};
use crate::support::sink::Delivery;
use crate::support::smtp::Client;

pub(crate) const TESTS: &[Test] = &[
    ("mta::postfix_speaks_milter_as_we_build_on", postfix_speaks_milter_as_we_build_on),
    ("mta::sendmail_speaks_milter_as_we_build_on", sendmail_speaks_milter_as_we_build_on),
    (
        "mta::sendmail_1_speaks_by_its_submission_program",
        sendmail_1_speaks_by_its_submission_program,
    ),
];

const MESSAGE: &str = "From: anna@sender.example\r\nSubject:no space\r\nX-Two:  two spaces\r\n\
    X-Tab:\ttab\r\nX-Fold: a\r\n\tb\r\n c \r\nX-Empty:\r\nX-Before : colon\r\n\
    Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\n\
    Hello.\r\n..\r\n";

/// Names and values with their white space, as both MTAs send [`MESSAGE`].
const FIELDS: &[&str] = &[
    "From\0 anna@sender.example\0",
    "Subject\0no space\0",
    "X-Two\0  two spaces\0",
    "X-Tab\0\ttab\0",
    "X-Fold\0 a\n\tb\n c \0",
    "X-Empty\0\0",
    "X-Before\0 colon\0",
    "Date\0 Fri, 20 Nov 2026 12:00:00 +0000\0",
    "Message-ID\0 <1@sender.example>\0",
];

fn postfix_speaks_milter_as_we_build_on(mailroom: &Mailroom) {
    let to = &format!("recorded@{OURS}");
    let mut client = Client::connect(mailroom.postfix().addr("recorder"), "e2e.test");
    client.pose_as(THEIR_CLIENT, THEIR_HOST, THEIR_HOST);
    client.send(&format!("anna@{THEIRS}"), to, MESSAGE.as_bytes()).expect(250);
    let session = mailroom.recorder.session(to);
    assert_message(&session);
    assert_inserted_at_the_top(&mailroom.sink.delivery(to));

    // XCLIENT begins the session anew, and that aborts the transaction that there is not.
    assert!(session.commands().starts_with("CHAMRTLLLLLLLLLNBE"), "{}", session.commands());
    // The two octets before the address are the client's port.
    let connect = &session.first('C').argument;
    assert!(connect.starts_with(&format!("{THEIR_HOST}\u{0}4")), "{connect:?}");
    assert!(connect.ends_with(&format!("{THEIR_CLIENT}\u{0}")), "{connect:?}");
    let macros = &session.first('C').macros;
    assert_eq!(macros["{daemon_name}"], "mx.example.org");
    assert_eq!(macros["j"], "mx.example.org");
    // A queue id is there from the first accepted recipient on.
    assert!(!session.first('M').macros.contains_key("i"));
    for command in ['T', 'L', 'N', 'B', 'E'] {
        assert!(session.first(command).macros.contains_key("i"), "no i at {command}");
    }
}

fn sendmail_speaks_milter_as_we_build_on(mailroom: &Mailroom) {
    let to = &format!("sm-recorded@{OURS}");
    let sendmail = mailroom.sendmail();
    let stranger = Ipv4Addr::new(127, 0, 0, 9).into();
    let mut client = Client::connect_from(stranger, sendmail.addr, "stranger.example");
    client.authenticate(USER, PASSWORD);
    client.send(&format!("anna@{THEIRS}"), to, MESSAGE.as_bytes()).expect(250);
    let session = mailroom.recorder.session(to);
    assert_message(&session);
    assert_inserted_at_the_top(&mailroom.sink.delivery(to));

    assert!(session.commands().starts_with("CHMRTLLLLLLLLLNBE"), "{}", session.commands());
    assert_eq!(session.first('C').macros["{daemon_name}"], "MTA");
    // Each macro is sent at its stage alone; the queue id comes with the reverse path.
    let macros = &session.first('M').macros;
    assert!(macros.contains_key("i"));
    assert_eq!((&*macros["{auth_type}"], &*macros["{auth_authen}"]), ("PLAIN", USER));
    assert_eq!(session.first('N').macros, BTreeMap::new());
    assert!(!session.first('E').macros.contains_key("i"));
}

/// `sendmail(1)` hands its mail to the daemon by SMTP, so that the milter sees a local client.
fn sendmail_1_speaks_by_its_submission_program(mailroom: &Mailroom) {
    let (to, from) = ("sm-recorded-1@example.net", format!("root@{OURS}"));
    mailroom.sendmail().sendmail(&from, to, &format!("From: {from}\nTo: {to}\n\nHello.\n"));
    mailroom.sink.delivery(to);
    let session = mailroom.recorder.session(to);
    assert!(session.first('C').argument.ends_with("127.0.0.1\0"));
    let macros = &session.first('M').macros;
    // It vouches for the author without having authenticated itself.
    assert_eq!(macros.get("{auth_author}"), Some(&from));
    assert!(!macros.contains_key("{auth_authen}") && !macros.contains_key("{auth_type}"));
    // Date and Message-ID are there: the submission program added them.
    let names: Vec<&str> =
        session.all('L').map(|event| event.argument.split('\0').next().unwrap()).collect();
    assert!(names.contains(&"Date") && names.contains(&"Message-Id"), "{names:?}");
}

/// The recorder was silent wherever it asked to be, and got the octets that were sent.
fn assert_message(session: &Session) {
    assert_eq!(session.flags & ASKED, ASKED, "offered: {:#x}", session.flags);
    assert_eq!(session.actions, 0x1ff, "offered: {:#x}", session.actions);
    let fields: Vec<&str> = session.all('L').map(|event| event.argument.as_str()).collect();
    assert_eq!(fields, FIELDS);
    assert_eq!(session.first('B').argument, "Hello.\r\n..\r\n");
}

/// A field inserted at index 0 stands above the Received field that the MTA itself adds.
fn assert_inserted_at_the_top(delivery: &Delivery) {
    let names = header_names(delivery);
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    assert!(at(FIELD) < at("Received"), "{}", delivery.header());
    assert!(delivery.header().contains("X-Recorder: yes\r\n"));
}
