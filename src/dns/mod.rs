//! DNS: the one door to the resolver.

mod failures;
mod name;
pub mod records;
mod resolver;
mod servers;
mod trace;

pub use resolver::{Dns, LookupError, Mx, Resolver};
pub use servers::ResolverError;
pub use trace::Trace;
