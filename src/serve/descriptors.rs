//! How many files and sockets the process may have open.
//!
//! Failure: where the system grants no more, serving goes on with what there is: connections wait
//! until descriptors come free.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::work::processors;

/// What is open besides connections and their scans: sockets of DNS, files.
const OTHERS: u64 = 128;
/// What the runtime of a thread takes.
const A_THREAD: u64 = 8;

/// Takes as many as the system grants, and says where that is too few.
pub(super) fn raise(connections_max: usize) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let granted = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard);
    // One of the MTA's, one to a clamd.
    let threads = processors() as u64;
    let wanted = 2 * connections_max as u64 + A_THREAD * threads + OTHERS;
    if granted < wanted {
        tracing::warn!(
            granted,
            wanted,
            "too few file descriptors for milter.connections_max: some connections may have to \
             wait; raise LimitNOFILE= (ulimit -n)"
        );
    }
}
