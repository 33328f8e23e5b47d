//! mailseal: one milter for Postfix and Sendmail that signs outbound mail, verifies inbound mail,
//! applies rules and has messages scanned. This is the map.
//!
//! # Layout
//!
//! | where | what |
//! |---|---|
//! | `main.rs` | parses the arguments, runs the command, prints what went wrong, exits |
//! | `cli.rs` | the command line, types alone |
//! | `cmd/` | a file a subcommand; the only place that prints |
//! | `serve/` | the supervisor: sockets, signals, reload, drain, the key store and its rotation, systemd |
//! | `runtime.rs` | configuration, key ring, rules, resolver and scanner, built once |
//! | `remarks.rs` | what these go on without: told by `config check`, at start, at a reload |
//! | `config/` | `fields` is the list of keys, with their docs; `resolve` gives them types |
//! | `milter/` | listener, threads, callbacks, session, apply: the only place that knows the protocol |
//! | `message/` | envelope, header block, author domain, origin, body, MIME, text: what all stages read |
//! | `pipeline.rs` | the way of one message: the calls of the stages |
//! | `auth/` | iprev, SPF, ARC, DMARC, their look-ups, the results field, and why it says so |
//! | `dkim/` | the leaf that verifying, signing and key records share |
//! | `dns/` | the one door to DNS; what we publish: records, updates, what each server shows |
//! | `rules/` | header and body rules |
//! | `checks/` | the built-in checks |
//! | `replay/` | stored mail, judged again |
//! | `scan/` | the clamds: which is asked, and the talk with it |
//! | `policy.rs` | what is done about a message |
//! | `changes.rs` | the edits for it |
//! | `verdict.rs` | all that is known and decided of one message |
//! | `work.rs` | the threads that work on large messages |
//! | `background.rs` | a runtime that may be let go of inside another |
//! | `sign/` | which keys sign a message, and its ARC seal |
//! | `keys/` | the key store and the life of a key |
//! | `rotation/` | what DNS shows of our keys, and what is done about it |
//! | `file.rs` | the one reader of files |
//! | `result.rs` | RFC 8601's words, shared by all methods |
//! | `text.rs` | foreign text made safe to show |
//! | `doctor/` | what will break between the MTA's configuration and ours |
//! | `import/` | the configurations of the filters that mailseal replaces |
//! | `telemetry/` | the log with its one line a message, metrics and health |
//!
//! # Flow
//!
//! ```text
//! negotiate            what the MTA offers is used: no reply where what is found can wait
//! connect helo mail    Client, reverse path; iprev and SPF are asked for
//! rcpt header*         a Draft, bounded by [limits]
//! eoh                  Inspection::open: origin and role are decided; keys, the DMARC tree walk
//!                      and the scan start side by side
//! body*                Inspection::write: each chunk is digested, scanned, kept for rules and checks
//! eom                  Inspection::finish: the answers are gathered, then rules, policy::decide,
//!                      signatures and changes; milter::apply carries out the Verdict
//! ```
//!
//! An MTA plays header, eoh, body and eom in one burst once it has the whole message. What starts at
//! connect and mail hides behind the client's transfer; what starts at eoh costs one round of DNS.
//!
//! Data goes one way. A stage is a function of the runtime, the message and earlier results: none
//! sees the milter, none changes the message. `mailseal check` builds the same Draft from a file and
//! prints the same Verdict. Memory for a connection is the header block, a kept prefix of the body
//! and one chunk, whatever the size of the message.
//!
//! # Invariants
//!
//! `tests/architecture.rs` checks what can be read from the source:
//!
//! - a library that speaks for us is known in one place: indymilter in `milter/`, hickory in `dns/`,
//!   clamav-client in `scan/`, clap and anyhow in `main.rs`, `cli.rs` and `cmd/`, which alone print;
//! - `policy.rs`, `changes.rs`, `keys/lifecycle.rs`, `dkim/` and the matching of rules are pure: no
//!   I/O, and the time is an argument;
//! - nothing panics on foreign input; a panic all the same is a 451 for that message alone.
//!
//! The others are kept by types and by their own tests:
//!
//! - judging a message cannot fail: trouble is a result (`temperror`, `unscanned`), and policy says
//!   what it means;
//! - every buffer, list and wait has a limit named in the configuration or by a const beside it;
//! - header deletions go from the highest index down, additions after them;
//! - a key is first used after its public half was seen in DNS, or the operator forced it;
//! - nothing from a message, DNS or clamd reaches a header field, a reply or a log line unescaped;
//! - the sender is never mailed: a message is refused in its session, held or tagged.

pub mod auth;
mod background;
pub(crate) mod changes;
pub mod checks;
pub mod config;
pub mod dkim;
pub mod dns;
pub mod doctor;
pub mod file;
pub mod import;
pub mod keys;
pub mod message;
pub(crate) mod milter;
pub mod pipeline;
pub(crate) mod policy;
pub mod remarks;
pub mod replay;
pub mod result;
pub mod rotation;
pub mod rules;
pub mod runtime;
pub mod scan;
pub mod serve;
pub mod sign;
pub mod telemetry;
pub(crate) mod text;
pub mod verdict;
mod work;
