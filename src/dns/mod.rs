//! DNS: the one door to the resolver.

mod failures;
mod name;
pub mod records;
mod resolver;
mod servers;

pub use resolver::{Dns, LookupError, Mx, Resolver};
pub use servers::ResolverError;
