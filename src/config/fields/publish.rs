//! The keys of `[publish]`.

use super::{Field, key, unset};

pub(super) const PUBLISH: &[Field] = &[
    unset(
        "server",
        r#""192.0.2.53""#,
        "The primary of our zones, as \"ADDRESS\" or \"ADDRESS:PORT\", which takes dynamic updates\n\
         (RFC 2136). Wants key_file. Not set: records are published by hand.",
    ),
    unset(
        "key_file",
        r#""update.key""#,
        "The TSIG key that signs the updates, hmac-sha256, in a file as tsig-keygen writes it, with\n\
         mode 0600. Relative to this file's directory; without a file, to the current directory.",
    ),
    key(
        "ttl_secs",
        "3600",
        "The time to live of published records, in seconds, from 60 to 86400. A key that is\n\
         withdrawn is seen for so long in caches.",
    ),
    key(
        "dkim_strict",
        "false",
        "Whether key records say t=s: no signature may then name a subdomain in i=.",
    ),
    unset(
        "dmarc_record",
        r#""v=DMARC1; p=quarantine; rua=mailto:dmarc-reports@example.org""#,
        "The DMARC record of each of our domains. Not set: mailseal leaves it alone.",
    ),
    unset(
        "spf_record",
        r#""v=spf1 mx -all""#,
        "The SPF record of each of our domains. Not set: mailseal leaves it alone.",
    ),
    unset(
        "tls_rpt_record",
        r#""v=TLSRPTv1; rua=mailto:tls-reports@example.org""#,
        "The record for reports on TLS (RFC 8460) of each of our domains. Not set: mailseal leaves\n\
         it alone.",
    ),
];
