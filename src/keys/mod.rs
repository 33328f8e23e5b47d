//! The keys that sign.

pub mod domain;
