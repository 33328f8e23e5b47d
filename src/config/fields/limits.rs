//! `[limits]`: what one message may cost, and all of them together.

use super::{Field, key};

pub(super) const LIMITS: &[Field] = &[
    key(
        "header_bytes_max",
        "1048576",
        "Octets of the header block, from 1024 to 16777216. A larger one gets 552 5.3.4.",
    ),
    key("header_fields_max", "5000", "Header fields, from 1 to 100000."),
    key("recipients_max", "1000", "Recipients, from 1 to 100000."),
    key(
        "message_secs_max",
        "30",
        "All of one message's look-ups, scan and rules, in seconds, from 1 to 300. Clients give\n\
         up on a slow answer to the final dot, and deliver twice.",
    ),
    key(
        "transactions_max",
        "1000",
        "How many messages are under way at once, from 1 to 65536; one more gets 451 4.3.2. Idle\n\
         connections, which milter.connections_max counts too, are none.",
    ),
    key(
        "memory_bytes_max",
        "536870912",
        "What all messages under way hold together, in octets, from 16777216 (16 MiB): headers,\n\
         what rules and a second clamd need of bodies, and 128 KiB each for all else. One that\n\
         would go past it gets 451 4.3.2. Keys, rules and the cache of DNS are not counted.",
    ),
    key(
        "drain_secs_max",
        "30",
        "How long messages under way may take to end once the daemon is told to stop, in seconds,\n\
         up to 600. Then they are cut off, and the MTA defers them.",
    ),
];
