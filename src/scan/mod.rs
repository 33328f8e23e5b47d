//! Virus scanning by clamd: the message is streamed while it arrives.
//!
//! | where | what |
//! |---|---|
//! | `scanner` | what a message is fed to, and waits for |
//! | `task` | the scan of one message: from server to server until one has an answer |
//! | `source` | the message as it is read there: what is kept of it, and where it is cut |
//! | `pool`, `server`, `breaker` | which server is asked, and which rests |
//! | `conversation` | one connection to a clamd |
//! | `reply`, `signature` | what clamd answers, and which names mean something else than a virus |
//! | `limit`, `clamd_conf` | how much clamd takes |
//! | `load` | how busy the scanner is |
//! | `watch`, `version` | whether the servers answer, and how old their databases are |
//!
//! Failure: whatever clamd or the network does ends as a [`ScanResult`] that says so. A message is
//! `Clean` only where clamd said so after it had all of it.

mod breaker;
mod clamd_conf;
mod conversation;
mod limit;
mod load;
mod pool;
mod reply;
mod result;
mod scanner;
mod server;
mod signature;
mod source;
mod task;
mod version;
mod watch;

pub use load::Load;
pub use reply::parse_reply;
pub use result::{ScanResult, ScanTimes, Scanned, Unscanned};
pub use scanner::{Scan, Scanner};
pub use version::Version;
pub use watch::Condition;
