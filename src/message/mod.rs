//! What all stages read: the envelope, the header block, and what was kept of the body.

pub mod address;
pub mod body;
pub(crate) mod cfws;
pub mod domain;
pub mod envelope;
pub mod header;
pub mod origin;
