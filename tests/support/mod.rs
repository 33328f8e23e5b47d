//! What the integration tests share. Each test crate uses a part of it.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod case;
pub mod clamd;
pub mod daemon;
pub mod dns;
pub mod http;
pub mod keys;
pub mod live;
pub mod milter;
pub mod named;
pub mod operator;
pub mod postfix;
pub mod process;
pub mod recipes;
pub mod recorder;
pub mod relay;
pub mod sendmail;
pub mod sink;
pub mod smtp;
pub mod suites;
pub mod yaml;
pub mod zone;
