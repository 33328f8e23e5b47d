//! DNS: the one door to the resolver, and to the servers of our own zones.

mod authority;
mod delegation;
pub mod drift;
mod exchange;
mod failures;
mod name;
mod observation;
pub mod records;
mod resolver;
mod servers;

pub use authority::Authority;
pub use observation::{Answer, Observation, Shown, Txt};
pub use resolver::{Dns, LookupError, Mx, Resolver};
pub use servers::ResolverError;
