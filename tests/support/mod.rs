//! What the integration tests share. Each test crate uses a part of it.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod case;
pub mod clamd;
pub mod live;
pub mod dns;
pub mod milter;
pub mod suites;
pub mod yaml;
pub mod zone;
