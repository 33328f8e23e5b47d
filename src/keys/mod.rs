//! The keys that sign, and where they live.
//!
//! `<store>/<domain>/<selector>.pem` holds a private key (PKCS#8, mode 0600) and
//! `<store>/<domain>/state.toml` says what each key of the domain is for.
//!
//! | where | what |
//! |---|---|
//! | `domain` | names of domains and selectors |
//! | `state`, `sighting` | what is known of each key, and what DNS showed of its record |
//! | `lifecycle`, `readiness` | what is due, when a key may sign, and the next state: pure |
//! | `order`, `refusal`, `policy` | what the operator orders, and how keys are to live: pure |
//! | `advice`, `event` | what comes next and what happened, in sentences: pure |
//! | `plan`, `mend` | a change as a list of file steps, and what an interrupted one left: pure |
//! | `steps`, `file` | the loop that takes the steps, and files that nobody else may touch |
//! | `key`, `ring`, `live` | a key that signs, what signing asks, and a running daemon's ring |
//! | `store`, `layout`, `change` | the store as it is read, and its changes under a lock |
//!
//! Failure: what is wrong with one key or domain is a `StoreError` that names the path and the
//! remedy, and leaves the others alone. Private keys are never printed, logged or passed on.

pub mod advice;
mod change;
pub mod domain;
mod error;
pub mod event;
mod file;
pub mod import;
mod key;
mod layout;
pub mod lifecycle;
mod live;
pub mod mend;
pub mod order;
pub mod plan;
pub mod policy;
pub mod readiness;
mod refusal;
mod ring;
mod selectors;
pub mod sighting;
pub mod state;
pub mod steps;
mod store;

pub use domain::{DomainName, Selector};
pub use error::StoreError;
pub use event::Event;
pub(crate) use file::read_private;
pub use file::readable_by_owner;
pub use key::Key;
pub use live::{LiveRing, Refreshed};
pub use order::Order;
pub use policy::Policy;
pub use ring::KeyRing;
pub use store::{Stamp, Store};
