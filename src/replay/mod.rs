//! Stored mail, judged again: what a configuration would have done, and where two of them differ.
//!
//! Failure: what cannot be read of a store is one [`Broken`] and does not end the reading of the
//! rest; only a store that is not there at all is an error.

mod delivered;
mod mbox;
mod outcome;
mod store;

pub use delivered::{Overrides, draft};
pub use outcome::{Difference, Outcome, Tally};
pub use store::{Messages, messages};

/// The largest message that is read.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One message of a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Its file, or the mbox and which message of it, from 1.
    pub name: String,
    /// The message.
    pub octets: Vec<u8>,
}

/// What was no message, or could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// As in [`Stored`].
    pub name: String,
    /// Why.
    pub reason: String,
}
