//! Keys of other software, brought into the key store.
//!
//! Each source is read into a [`Plan`] first: the keys, what is to be written into the
//! configuration, what becomes different, and what cannot be taken over. Nothing is written until
//! the whole plan is known. Imported keys are pending, like new ones: that their records are in DNS
//! is for `keys activate` to see, and not for the file that they came in to say.
//!
//! Failure: what cannot be read or expressed is refused with its file and line, and the rest is
//! planned all the same. Private keys are never printed.

pub mod conf;
mod export;
mod layout;
mod opendkim;
mod plan;
mod read;
mod rspamd;
pub mod tables;
mod ucl;

pub use export::{ExportError, export};
pub use layout::{key_file, pattern, scan};
pub use opendkim::{OpenDkim, opendkim};
pub use plan::{FoundKey, Place, Plan, PlannedMap, plain};
pub use read::read_text;
pub use rspamd::rspamd;
pub(crate) use tables::lines as directives;
