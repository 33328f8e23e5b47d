//! The keys of `[policy]`.

use super::{Field, key, unset};

pub(super) const POLICY: &[Field] = &[
    key(
        "dmarc",
        r#""tag""#,
        "The strictest treatment that a DMARC failure gets where the author domain asks for it:\n\
         \"off\", \"tag\", \"quarantine\" or \"reject\". RFC 9989 forbids rejecting for p=reject\n\
         alone; \"quarantine\" treats p=reject as quarantine, \"reject\" goes beyond the RFC and\n\
         loses mail of mailing lists. Quarantine is the MTA's hold queue: somebody must look.",
    ),
    key("spf_fail", r#""tag""#, "On SPF fail: \"off\", \"tag\", \"quarantine\" or \"reject\"."),
    key(
        "spf_any",
        r#""off""#,
        "On an SPF pass that half of all addresses or more would have, as \"+all\" gives it however\n\
         it is written, where no DKIM signature vouches for the author domain: \"off\", \"tag\",\n\
         \"quarantine\" or \"reject\".",
    ),
    key(
        "spf_any_domains",
        "[]",
        "The sender domains, with those below them, that spf_any is for. Empty: all.",
    ),
    key(
        "require_dkim",
        r#""tag""#,
        "On mail of verify.require_dkim without the signature that it needs: \"off\", \"tag\",\n\
         \"quarantine\" or \"reject\".",
    ),
    key(
        "iprev_fail",
        r#""off""#,
        "On a client whose address has no name, or none that leads back to it: \"off\", \"tag\",\n\
         \"quarantine\" or \"reject\".",
    ),
    key(
        "malformed_from",
        r#""tag""#,
        "On a From field with no, several or unreadable author domains: \"off\", \"tag\",\n\
         \"quarantine\" or \"reject\".",
    ),
    key(
        "temperror",
        r#""accept""#,
        "Where DNS trouble leaves a result open: \"accept\", or \"tempfail\" to let the client\n\
         come again.",
    ),
    key(
        "reject_local",
        "false",
        "Whether mail of local origin may be rejected. The MTA would bounce what sendmail(1)\n\
         handed in to its sender, so otherwise such mail is held instead.",
    ),
];

pub(super) const POLICY_EXEMPT: &[Field] = &[
    unset("networks", r#"["192.0.2.0/24"]"#, "Clients."),
    unset("lists", r#"["announce.example.org"]"#, "List-Ids; anybody can write one and so escape."),
    unset(
        "sealers",
        r#"["lists.example.net"]"#,
        "The newest ARC sealers (d=) of chains that pass.",
    ),
    unset(
        "recipients",
        r#"["abuse@example.org"]"#,
        "Recipients: addresses or domains, and none beside them.",
    ),
    unset("domains", r#"["example.net"]"#, "Author domains."),
];
