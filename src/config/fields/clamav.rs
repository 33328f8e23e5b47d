//! `[clamav]` and `[[clamav.origin]]`.

use super::{Field, key, unset};

pub(super) const CLAMAV: &[Field] = &[
    key(
        "servers",
        "[]",
        "The clamds: \"unix:/run/clamav/clamd.ctl\", \"inet:127.0.0.1:3310\". One that fails three\n\
         times in a row rests, for a second at first and for 30 at most, until it answers again.",
    ),
    key(
        "balance",
        r#""order""#,
        "Which of several is asked: \"order\", the first that is in service, or \"load\", the one\n\
         with the fewest scans under way.",
    ),
    key(
        "scans_max",
        "64",
        "How many scans are under way at once, from 1 to 65536; below clamd's MaxQueue. A message\n\
         waits 10 seconds at most for its turn, and then counts as one whose scan failed.",
    ),
    key(
        "scan_bytes_max",
        "26214400",
        "Larger messages are not scanned whole; in octets, from 1024 to 4294967295. Where clamd's\n\
         own StreamMaxLength is smaller, which Debian sets to 25M, that counts.",
    ),
    key(
        "replay_bytes_max",
        "524288",
        "How much of a message is kept while it is scanned, in octets, from 0 to 67108864: until\n\
         it is past that, the next server gets it where one fails.",
    ),
    key("on_infected", r#""reject""#, "\"reject\", \"quarantine\", \"discard\" or \"tag\"."),
    key(
        "on_failure",
        r#""accept""#,
        "Where no clamd answers in time: \"accept\" and mark as unscanned, \"tag\", \"tempfail\",\n\
         \"quarantine\" or \"reject\".",
    ),
    key(
        "on_oversize",
        r#""mark""#,
        "What is too large: \"mark\" as unscanned, \"tag\" or \"quarantine\", all three after a scan\n\
         of as much as clamd takes (\"prefix clean\"); \"skip\", which marks it and scans nothing;\n\
         \"tempfail\" or \"reject\".",
    ),
    key(
        "on_encrypted",
        r#""mark""#,
        "What clamd calls Heuristics.Encrypted.*, if AlertEncrypted is on in clamd.conf: \"mark\" as\n\
         unscanned, \"tag\", \"tempfail\", \"quarantine\" or \"reject\".",
    ),
    key(
        "on_limits",
        r#""mark""#,
        "What clamd calls Heuristics.Limits.Exceeded.*, if AlertExceedsMax is on in clamd.conf: as\n\
         on_encrypted.",
    ),
    key(
        "tag_signatures",
        "[]",
        "Signatures that tell of spam and not of a virus: what they find gets the tag\n\
         spam-signature. Names in which * stands for anything, such as \"PUA.*\".",
    ),
    key(
        "ignore_signatures",
        "[]",
        "Signatures that are not acted on. clamd names but one: what one of these finds is marked\n\
         as unscanned and not as clean. Neither list covers what on_encrypted and on_limits do.",
    ),
    key(
        "timeout_secs",
        "20",
        "How long clamd may take from the end of the message, in seconds, from 1 to 300;\n\
         limits.message_secs_max ends it, too.",
    ),
    key(
        "clamd_conf",
        r#""/etc/clamav/clamd.conf""#,
        "Where the configuration of a clamd on this host is, to know its StreamMaxLength and what\n\
         it calls clean. Where it can't be read, StreamMaxLength is learned from clamd's answers.",
    ),
    key(
        "database_days_max",
        "7",
        "A clamd whose database is older than that is warned of; in days, from 0, never, to 3650.",
    ),
];

pub(super) const CLAMAV_ORIGIN: &[Field] = &[
    unset(
        "origins",
        r#"["authenticated", "submission", "local"]"#,
        "Also: \"relay\", \"inbound\".",
    ),
    unset("on_infected", r#""reject""#, "As in [clamav]."),
    unset("on_failure", r#""tempfail""#, "As in [clamav]."),
    unset("on_oversize", r#""mark""#, "As in [clamav]."),
    unset("on_encrypted", r#""mark""#, "As in [clamav]."),
    unset("on_limits", r#""mark""#, "As in [clamav]."),
];
