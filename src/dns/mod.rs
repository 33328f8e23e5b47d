//! DNS: the one door to the resolver.

mod failures;
mod name;
pub mod records;
pub mod resolver;

pub use resolver::{Dns, LookupError, Mx, Resolver, ResolverError};
