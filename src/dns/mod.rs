//! DNS: the one door to the resolver, and to the servers of our own zones.
//!
//! `resolver` looks up what others publish. Of what we publish, `key_record` and `policy` say what
//! it is, `records` write it down, `update` publishes it, `authority` asks every server what it
//! shows, `drift` compares, and `lint` reads a domain's records as a stranger does.

mod authority;
mod background;
mod delegation;
pub mod drift;
mod exchange;
mod failures;
pub mod key_record;
mod late;
pub mod lint;
mod name;
mod observation;
pub mod policy;
pub mod records;
mod resolver;
mod servers;
mod trace;
mod tsig_key;
pub mod update;
mod wanted;

pub use authority::Authority;
pub use late::Late;
pub use observation::{Answer, Observation, Shown, Txt};
pub use resolver::{Dns, LookupError, Mx, Resolver};
pub use servers::ResolverError;
pub use trace::Trace;
pub use tsig_key::{KeyFileError, TsigKey};
pub use wanted::{Kind, Wanted};
