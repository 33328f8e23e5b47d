//! What the integration tests share. Each test crate uses a part of it.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod dns;
pub mod suites;
pub mod zone;
