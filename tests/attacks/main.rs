//! Attacks on what mailseal is trusted for, each with an absolute bound on what it may cost.
//!
//! | advisory or attack | test |
//! |---|---|
//! | CVE-2022-48521: forged results survive their neighbours' deletion | `forged::cve_2022_48521` |
//! | forged results, tags and SPF fields in any spelling | `forged::*`, case 157, `rfc8601` |
//! | OpenDMARC #441: many results in one field | `forged::opendmarc_441` |
//! | OpenDKIM #433, rspamd 4.1.3: tags, names and comments without end | `signatures::opendkim_433`, `dkim_hostile` |
//! | CVE-2019-16378, CVE-2021-34555: several From | `from::*`, cases 140 to 154, `dmarc_from` |
//! | CVE-2019-20790: HELO taken for MAIL FROM | `spf::cve_2019_20790`, case 155 |
//! | CVE-2020-12272, mail-auth 0.9.1: injection into results | `injection::*`, cases 61 and 123 |
//! | OpenDMARC #274, #275: IPv6 addresses | `spf::opendmarc_274_and_275` |
//! | CVE-2021-20314: SPF macros | `spf::cve_2021_20314`, `rfc7208` |
//! | CVE-2023-51764: bare CR and LF | `smuggling::*`, case 57 |
//! | `l=` and appended content | `signatures::appended_to_a_signed_prefix`, case 14 |
//! | VU#268267: weak keys | `signatures::vu_268267`, `dkim_hostile` |
//! | CVE-2010-1132, CVE-2007-4560: a shell | `scanner::cve_2010_1132_and_cve_2007_4560` |
//! | CVE-2024-20328: what the scanner says | `scanner::cve_2024_20328`, case 45, `scan` |
//! | rspamd's regular expressions | `rules::hostile_bodies_take_linear_time` |
//! | OpenDMARC #31, #183, #186, #222, #241: broken ARC ends the filter | `arc::opendmarc_31_183_186_222_and_241`, `rfc8617` with the suite |
//! | ARC with i=1 cv=pass, with 60 sets, in any spelling | `arc::forged_sets`, `arc::any_spelling`, `rfc8617::sixty_sets` |
//! | signatures by the thousand, behind bad ones, at slow names, of other domains, replayed | `signatures::*` |
//! | key records, walks, aliases, silence and lies in DNS | `dns::*` |
//! | rspamd 4.1.4, 4.1.5: an administration socket | `serve::metrics_and_health_are_told_over_http`: it takes no input |
//! | SPF trees at the limits, `+all` in any words | `spf::*`, cases 130 to 132 and 200 to 202 |
//!
//! Not here, for what they attack is not there: CVE-2020-12460 and report bombs (no report is read),
//! CVE-2024-28054 and CVE-2026-26312 (no MIME part is told from another).
//!
//! # Bounds
//!
//! Each test has its own `LIMIT` with what makes it up, in wall time (on a busy machine), in queries
//! that reach the server and in octets written into the message; and none may make the process larger
//! than `world::MEMORY_BYTES_MAX`. What bounds it in the source:
//!
//! | attack | time, queries, octets | bounded by |
//! |---|---|---|
//! | any look-up | `dns.timeout_secs`, and with all others `limits.message_secs_max` | `dns::resolver`, `auth::lookups` |
//! | signatures | 10 s, 10 keys, 16,000 | `dkim::verify::SIGNATURES_MAX`, `dkim::signature::SIGNED_FIELDS_MAX` |
//! | key records | 5 s, one key each | `dkim::record::RECORD_BYTES_MAX`, `key_check::KEY_RECORDS_MAX` |
//! | SPF | 5 s, 122 an identity | `spf::limits`: 10 terms, 2 voids, 10 exchangers, 10 names |
//! | DMARC | 5 s, 8 names a walk, 32 walks | `dmarc::walk::LABELS_MAX`, `alignment::IDENTIFIERS_MAX` |
//! | ARC | 5 s, 51 keys, 2,000 | `arc::set`: 50 sets, 256 KiB; `validate::OLDER_MAX` |
//! | From | 5 s, no query of its own, 1,000 | one pass over `limits.header_bytes_max` |
//! | forged fields | 5 s, none, 1,000 | one pass; an edit each, `limits.header_fields_max` |
//! | injected text | 5 s, 8, 10,000 | `results::pvalue::VALUE_OCTETS_MAX`, `text::SHOWN_MAX` |
//! | smuggled line ends | 5 s, a key, 1,000 | one pass |
//! | clamd's replies | 5 s, none, 1,000 | `scan::reply` |
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/message.rs"]
mod message;
#[path = "../support/mod.rs"]
mod support;

mod arc;
mod dns;
mod forged;
mod from;
mod injection;
mod scanner;
mod signatures;
mod smuggling;
mod spf;
mod world;
