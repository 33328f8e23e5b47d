//! The keys of `[rotation]` and `[watch]`.

use super::{Field, key, unset};

pub(super) const ROTATION: &[Field] = &[
    key(
        "primary",
        "true",
        "Whether this machine changes the key store. Where several machines work with copies of one\n\
         store, all but one say false: they only read it.",
    ),
    unset(
        "every_days",
        "180",
        "After how many days of signing a key gets a successor by itself, from 7 to 3650. Not set:\n\
         a rotation begins when you say so (mailseal keys rotate). Once begun it goes on by itself:\n\
         a new key signs when its record is seen at the zone's name servers.",
    ),
    key(
        "overlap_days",
        "7",
        "How long the record of a key that no longer signs stays published, from 1 to 365 days.\n\
         Mail signed with it may still be on its way, or be looked at again.",
    ),
    key(
        "queue_days",
        "5",
        "How long the MTA tries to deliver a message, from 1 to 60 days: Postfix's\n\
         maximal_queue_lifetime, Sendmail's Timeout.queuereturn. No record is withdrawn sooner,\n\
         whatever overlap_days says.",
    ),
    key(
        "revoked_days",
        "30",
        "How long a key is revoked (its record has an empty p=) before its private half is\n\
         destroyed, from 1 to 365 days.",
    ),
    key(
        "distribution_secs",
        "0",
        "How long the other machines take to get a copy of a changed store, from 0 to 604800\n\
         seconds. A new key signs, and an old record goes, that much later.",
    ),
    key(
        "waiver_hours",
        "72",
        "After how many hours a name server that does not answer no longer keeps a new key from\n\
         signing, from 1 to 8760; going on without it is a warning. Where none answers, no key\n\
         begins to sign.",
    ),
    unset(
        "algorithms",
        r#"["rsa", "ed25519"]"#,
        "Of which algorithms a rotation makes keys: \"rsa\", \"ed25519\". Not set: of those that the\n\
         domain signs with. Many verifiers do not know Ed25519 yet: have it beside RSA, not alone.",
    ),
    key(
        "together",
        "true",
        "Whether the keys of all algorithms rotate in step. false: each at its own time.",
    ),
    key("rsa_bits", "2048", "The size of new RSA keys: 2048, 3072 or 4096."),
    key(
        "selectors",
        "\"dated\"",
        "What new selectors look like: \"dated\" as in s2026-11-a, or \"random\", which nobody can ask\n\
         DNS for before the record is there.",
    ),
];

pub(super) const WATCH: &[Field] = &[
    key(
        "pending_secs",
        "60",
        "How often the name servers are asked for the record of a key that is to sign, in seconds,\n\
         from 5 to 1800.",
    ),
    key(
        "every_secs",
        "3600",
        "How often they are asked for the records of all other keys, and DNS for the DMARC and SPF\n\
         records of the domains that sign, in seconds, from 60 to 86400. What is lost or changed\n\
         is a warning and a metric.",
    ),
    key(
        "via_resolver",
        "false",
        "Whether the resolvers of [dns] are asked instead of the name servers, for where port 53 is\n\
         closed. They tell what they remember, so that a key may sign sooner than all see it.",
    ),
    key(
        "on_lost_record",
        r#""warn""#,
        "Where no name server shows the record of a key that signs any more: \"warn\", or \"stop\"\n\
         signing with it until one does. Mail that is signed in vain is treated like unsigned mail.",
    ),
];
