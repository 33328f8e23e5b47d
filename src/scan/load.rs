//! How busy the scanner is, and which servers it asks: what an operator looks at while it runs.

use super::Scanner;
use crate::config::Endpoint;

/// How things stand at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Load {
    /// The scans that have a turn, `clamav.scans_max` at most.
    pub under_way: usize,
    /// The messages that wait for a turn.
    pub waiting: usize,
    /// Every server, and whether it is in service: one that rests, or is being tried after a rest,
    /// is not.
    pub servers: Vec<(Endpoint, bool)>,
}

impl Scanner {
    /// How busy it is now.
    pub fn load(&self) -> Load {
        let pool = &self.shared.pool;
        let servers = pool.servers().iter();
        Load {
            under_way: pool.under_way(),
            waiting: pool.waiting(),
            servers: servers
                .map(|server| (server.endpoint.clone(), server.is_in_service()))
                .collect(),
        }
    }
}
