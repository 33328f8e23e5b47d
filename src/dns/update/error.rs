//! Why nothing was published, each with its remedy.

use std::net::SocketAddr;

/// Why nothing was published.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// It does not answer.
    #[error("name server {server}: {cause}; is it the primary, and is its port open?")]
    Unreachable {
        /// The server.
        server: SocketAddr,
        /// What happened.
        cause: String,
    },
    /// The zone is another's.
    #[error("name server {server}: it has no zone with {name}; set publish.server to its primary")]
    NotAuthoritative {
        /// The server.
        server: SocketAddr,
        /// The name.
        name: String,
    },
    /// It says no.
    #[error(
        "name server {server}: {code} to the update of {zone}; allow the key to change TXT there"
    )]
    Refused {
        /// The server.
        server: SocketAddr,
        /// The zone.
        zone: String,
        /// Its response code.
        code: String,
    },
    /// It does not take the signature.
    #[error("name server {server}: {reason}")]
    Key {
        /// The server.
        server: SocketAddr,
        /// Why, and the remedy.
        reason: &'static str,
    },
    /// The answer is not signed by the key.
    #[error("name server {0}: its answer is not signed by the key, so that it may be anybody's")]
    Unsigned(SocketAddr),
    /// Another publisher was quicker each time.
    #[error("name server {0}: the records changed while they were updated; try again")]
    Clash(SocketAddr),
    /// A name that cannot be.
    #[error("{0}: no such name can be published")]
    Name(String),
    /// The message cannot be made.
    #[error("the update cannot be written: {0}")]
    Message(String),
}
