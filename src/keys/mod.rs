//! The keys that sign, and where they live.
//!
//! `<store>/<domain>/<selector>.pem` holds a private key (PKCS#8, mode 0600) and
//! `<store>/<domain>/state.toml` says what each key of the domain is for. `store` reads and writes
//! those files, `lifecycle` decides what becomes of a key, and `ring` is what signing asks.
//!
//! Failure: what is wrong with one key or domain is a `StoreError` that names the path and the
//! remedy, and leaves the others alone. Private keys are never printed, logged or passed on.

pub mod domain;
mod error;
mod file;
pub mod import;
mod key;
mod lifecycle;
mod ring;
pub mod state;
mod store;

pub use domain::{DomainName, Selector};
pub use error::StoreError;
pub use key::Key;
pub use ring::KeyRing;
pub use store::Store;
