//! The keys of the built-in checks.

use super::{Field, key, unset};

pub(super) const IDENTITY_GATE: &[Field] = &[
    key(
        "action",
        r#""tag""#,
        "On a user who writes as somebody else: \"off\", \"tag\", \"quarantine\" or \"reject\". Whatever\n\
         it is, \"off\" excepted, such mail is not signed.",
    ),
    unset(
        "map",
        r#""/etc/postfix/sender_login""#,
        "Who may write as whom: the text of Postfix's smtpd_sender_login_maps, as postmap(1) reads\n\
         it; \"hash:\" and the like before the path do no harm. Not set: nobody is checked. Read\n\
         again at SIGHUP.",
    ),
    key("sender", "true", "Whether Sender is looked at, besides From."),
    key(
        "reply_to",
        r#""owned""#,
        "Which addresses in Reply-To must be the user's: \"off\" none, \"owned\" those that the map\n\
         gives to somebody, \"all\".",
    ),
    key(
        "unlisted",
        r#""refuse""#,
        "Addresses that the map does not name: \"refuse\" them to everybody, as Postfix's\n\
         reject_sender_login_mismatch does, or \"allow\" them to everybody, as its\n\
         reject_known_sender_login_mismatch does. A user whom the map gives nothing is no exception.",
    ),
    key(
        "recipient_delimiter",
        r#""""#,
        "The characters that separate an address's extension, as Postfix has them: with \"+\" who\n\
         may write as joe@example.org may write as joe+list@example.org, too.",
    ),
    key(
        "bare_domains",
        "[]",
        "The domains in which the map's entries without a domain hold: Postfix's mydestination and\n\
         myorigin.",
    ),
];

pub(super) const OWN_DOMAIN_SPOOF: &[Field] = &[
    key(
        "author",
        r#""tag""#,
        "On mail from outside whose From is of one of our domains, where neither SPF nor DKIM passes\n\
         for it: \"off\", \"tag\", \"quarantine\" or \"reject\". Our own mail that comes back by a list\n\
         can look so.",
    ),
    key(
        "display_name",
        r#""tag""#,
        "On mail from outside whose From shows an address of ours in its display name, and is of\n\
         another: \"off\", \"tag\", \"quarantine\" or \"reject\". Some lists write so.",
    ),
];

pub(super) const BACKSCATTER: &[Field] = &[
    key(
        "delivered_to",
        r#""tag""#,
        "On mail from outside that has a Delivered-To field with its own recipient, so that Postfix\n\
         would accept it and then bounce it as looping: \"off\", \"tag\", \"quarantine\" or \"reject\".\n\
         Where that is not so for each of its recipients, it is tagged at most.",
    ),
    key(
        "report",
        r#""tag""#,
        "On a delivery report from outside that returns no mail of ours, as no signature of a key in\n\
         the store shows: \"off\", \"tag\", \"quarantine\" or \"reject\". Without keys nothing is done.",
    ),
    key(
        "notify_success",
        r#""tag""#,
        "On a client from outside that asks to be told of delivery (NOTIFY=SUCCESS): \"off\", \"tag\",\n\
         \"quarantine\" or \"reject\". Postfix is kept from telling it by smtpd_discard_ehlo_keywords.",
    ),
    key("exempt", "[]", "Recipients whose mail these three leave alone: addresses or domains."),
    key(
        "report_bytes_max",
        "262144",
        "How many octets of a delivery report are looked at, from 4096 to 16777216. What it returns\n\
         beyond them is not judged.",
    ),
];
