//! A few seconds' memory of look-ups that failed (RFC 2308 §7).
//!
//! hickory remembers answers and the denials that carry an SOA. Everything else is asked again by
//! each message, which a burst of mail turns into a burst of queries to a server in trouble.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use tokio::time::Instant;

use super::LookupError;

/// RFC 2308 §7.1 allows five minutes; a mended server should be seen sooner.
const MEMORY: Duration = Duration::from_secs(5);
/// How many failures are remembered at once.
const ENTRIES_MAX: usize = 4096;

type Question = (Name, RecordType);

/// The failures of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Failures {
    entries: Mutex<HashMap<Question, (Instant, LookupError)>>,
}

impl Failures {
    /// What this question came to, if it failed within the last seconds.
    pub(super) fn recall(&self, question: &Question) -> Option<LookupError> {
        let mut entries = self.lock();
        let (until, error) = entries.get(question)?;
        if *until > Instant::now() {
            return Some(error.clone());
        }
        entries.remove(question);
        None
    }

    /// Remembers a failure. A full memory forgets what is past, then everything: it spares
    /// queries, and nothing depends on it.
    pub(super) fn remember(&self, question: Question, error: LookupError) {
        let now = Instant::now();
        let mut entries = self.lock();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, (until, _)| *until > now);
        }
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(question, (now + MEMORY, error));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Question, (Instant, LookupError)>> {
        // Every state of the map is a good one, so a panic elsewhere cannot have spoilt it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(label: &str) -> Question {
        (Name::from_labels([label.as_bytes()]).unwrap(), RecordType::TXT)
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_forgotten() {
        let failures = Failures::default();
        failures.remember(question("a"), LookupError::Empty);
        assert_eq!(failures.recall(&question("a")), Some(LookupError::Empty));
        assert_eq!(failures.recall(&question("b")), None);
        tokio::time::advance(MEMORY).await;
        assert_eq!(failures.recall(&question("a")), None);
        assert!(failures.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded() {
        let failures = Failures::default();
        for n in 0..3 * ENTRIES_MAX {
            failures.remember(question(&n.to_string()), LookupError::Empty);
            assert!(failures.lock().len() <= ENTRIES_MAX);
        }
    }
}
