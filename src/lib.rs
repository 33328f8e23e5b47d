//! mailseal: a milter that signs outbound mail, verifies inbound mail, applies rules and scans.

pub mod auth;
pub mod changes;
pub mod config;
pub mod dkim;
pub mod dns;
pub mod keys;
pub mod message;
pub mod milter;
pub mod pipeline;
pub mod policy;
pub mod result;
pub mod rules;
pub mod runtime;
pub mod scan;
pub mod serve;
pub mod sign;
pub mod telemetry;
pub(crate) mod text;
pub mod verdict;
