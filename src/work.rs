//! The threads that work on large messages: a pattern that a sender's text slows down costs that
//! message its time, and no other.
//!
//! There are as many as the machine runs at once. More would be at each other's cost, and the C
//! library keeps freed memory apart for each thread.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::Builder;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::background::BackgroundRuntime;

/// The most octets of a message that are matched where it is: some 0.1 ms with many rules, and some
/// 30 ms where it was written to be slow.
const INLINE_MAX: usize = 32 * 1024;

/// How many threads the machine lets us run at once.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The threads, which start when they are first needed.
#[derive(Debug)]
pub(crate) struct WorkThreads(BackgroundRuntime);

impl WorkThreads {
    pub(crate) fn build() -> io::Result<Self> {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(processors()).thread_name("work").build()?;
        Ok(Self(runtime.into()))
    }

    /// Does work that takes so many octets of a message; `None` where it did not end in time.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        octets: usize,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if octets <= INLINE_MAX {
            return Some(work());
        }
        // Where nobody waits for it any more before its turn has come, it is not begun.
        let task = AbortOnDropHandle::new(self.0.spawn_blocking(work));
        match timeout_at(deadline, task).await {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => std::panic::resume_unwind(error.try_into_panic().ok()?),
            Err(_) => None,
        }
    }
}
