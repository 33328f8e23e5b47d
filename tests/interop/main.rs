//! Interoperation with those whom mailseal's mail meets: OpenDKIM, dkimpy, rspamd and `OpenDMARC`,
//! as Debian packages them. They run beside the test on loopback with files of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dkim;
mod dkimpy;
mod dmarc;
mod exceptions;
mod generate;
mod keys;
#[path = "../support/message.rs"]
mod message;
mod mta;
mod opendkim;
mod opendmarc;
mod peers;
mod rspamd;
#[path = "../support/mod.rs"]
mod support;
