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
//! | signatures by the thousand, behind bad ones, at slow names, of other domains, replayed | `signatures::*` |
//! | key records, walks, aliases, silence and lies in DNS | `dns::*` |
//! | SPF trees at the limits, `+all` | `spf::*`, cases 130 to 132 |
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/message.rs"]
mod message;
#[path = "../support/mod.rs"]
mod support;

mod dns;
mod forged;
mod from;
mod injection;
mod scanner;
mod signatures;
mod smuggling;
mod spf;
mod world;
