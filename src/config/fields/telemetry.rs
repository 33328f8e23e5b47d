//! `[telemetry]`.

use super::{Field, key, unset};

pub(super) const TELEMETRY: &[Field] = &[
    key(
        "log",
        r#""text""#,
        "The form of log lines: \"text\" for people and \"json\" for machines go to standard error,\n\
         \"journald\" to systemd's journal, each fact as a field of its own. Changes at a restart.",
    ),
    key(
        "level",
        r#""info""#,
        "The lowest level that is logged: \"error\", \"warn\", \"info\", \"debug\" or \"trace\". From\n\
         \"debug\" on, every message has its whole story told.",
    ),
    key(
        "filter",
        "[]",
        "Other levels for parts of mailseal, as \"PART=LEVEL\" such as \"scan=debug\" or\n\
         \"milter=warn\"; docs/monitoring.md names the parts.",
    ),
    key(
        "story_clients",
        "[]",
        "Clients, as networks or addresses, whose messages have their whole story told: each\n\
         look-up and its answer, what decided, what was changed.",
    ),
    key(
        "story_domains",
        "[]",
        "The same for messages of senders or authors of these domains, or for their recipients;\n\
         for this all look-ups of all messages are kept until their verdict.",
    ),
    key(
        "personal_data",
        r#""plain""#,
        "How mail addresses, users, and clients' addresses and names are logged: \"plain\", or\n\
         \"hashed\", so that nobody reads them and equal ones can be recognized.",
    ),
    unset(
        "personal_data_key",
        r#""/etc/mailseal/log.key""#,
        "The file with the key of these hashes, mode 0600, 16 octets at least. Where there is none,\n\
         each start makes a new one, and hashes before and after it cannot be compared.",
    ),
    unset(
        "metrics",
        r#""127.0.0.1:9464""#,
        "The address and port where Prometheus finds /metrics, and a load balancer /healthz and\n\
         /readyz. Whoever reaches it can read counts and the names of rules, signing domains and\n\
         clamds. Changes at a restart.",
    ),
];
