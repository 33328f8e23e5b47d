//! What all connections hold together: how many there are, how many messages are under way, and how
//! much memory these have filled. A message that would go past a limit is not taken in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::OwnedSemaphorePermit;

use crate::config::Limits;
use crate::message::limit::Limit;

/// What a message takes besides what it is counted for: the buffers of its connection, its look-ups,
/// and what is made at its end.
const MESSAGE_BYTES: usize = 128 * 1024;

/// The counts of a daemon; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Occupancy(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A connection, counted until dropped.
pub(super) struct Connected {
    occupancy: Occupancy,
    connections_max: usize,
    _permit: OwnedSemaphorePermit,
}

/// A message that was taken in, and what it holds, counted until dropped.
pub(super) struct Place {
    occupancy: Occupancy,
    bytes: usize,
}

impl Occupancy {
    /// Open connections.
    pub(super) fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// The octets that they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Counts a connection, which keeps its permit for one of `connections_max`.
    pub(super) fn connect(
        &self,
        permit: OwnedSemaphorePermit,
        connections_max: usize,
    ) -> Connected {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        Connected { occupancy: self.clone(), connections_max, _permit: permit }
    }

    /// Takes a message in, or says which limit keeps it out.
    pub(super) fn admit(&self, limits: &Limits) -> Result<Place, Limit> {
        let place = Place { occupancy: self.clone(), bytes: MESSAGE_BYTES };
        let bytes = self.0.bytes.fetch_add(MESSAGE_BYTES, Ordering::Relaxed) + MESSAGE_BYTES;
        // Dropping the place takes back both.
        if self.0.messages.fetch_add(1, Ordering::Relaxed) >= limits.transactions_max {
            Err(Limit::Transactions)
        } else if bytes > limits.memory_bytes_max {
            Err(Limit::Memory)
        } else {
            Ok(place)
        }
    }
}

impl Connected {
    /// Whether there are as many connections as there may be: more wait.
    pub(super) fn is_last(&self) -> bool {
        self.occupancy.connections() >= self.connections_max
    }

    /// Whether most of the places are taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.occupancy.connections() > self.connections_max / 2
    }
}

impl Place {
    /// Takes note of what the message holds by now; `false` where all of them hold too much.
    pub(super) fn hold(&mut self, bytes: usize, limits: &Limits) -> bool {
        let (before, now) = (self.bytes, MESSAGE_BYTES + bytes);
        self.bytes = now;
        let held = &self.occupancy.0.bytes;
        if now <= before {
            held.fetch_sub(before - now, Ordering::Relaxed);
            return true;
        }
        let grown = now - before;
        held.fetch_add(grown, Ordering::Relaxed) + grown <= limits.memory_bytes_max
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.occupancy.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.occupancy.0.messages.fetch_sub(1, Ordering::Relaxed);
        self.occupancy.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn held(occupancy: &Occupancy) -> (usize, usize) {
        (occupancy.0.messages.load(Ordering::Relaxed), occupancy.bytes())
    }

    fn limits(transactions_max: usize, messages_in_memory: usize) -> Limits {
        let memory_bytes_max = messages_in_memory * MESSAGE_BYTES;
        Limits { transactions_max, memory_bytes_max, ..Config::default().limits }
    }

    #[test]
    fn what_is_over_a_limit_is_not_taken_in_and_not_counted() {
        let occupancy = Occupancy::default();
        let first = occupancy.admit(&limits(2, 2)).ok().unwrap();
        let second = occupancy.admit(&limits(2, 2)).ok().unwrap();
        assert_eq!(occupancy.admit(&limits(2, 9)).err(), Some(Limit::Transactions));
        assert_eq!(occupancy.admit(&limits(9, 2)).err(), Some(Limit::Memory));
        assert_eq!(held(&occupancy), (2, 2 * MESSAGE_BYTES));
        drop(first);
        let third = occupancy.admit(&limits(2, 2)).ok();
        assert!(third.is_some());
        drop((second, third));
        assert_eq!(held(&occupancy), (0, 0));
    }

    #[test]
    fn what_a_message_holds_counts_until_it_is_given_back() {
        let (occupancy, limits) = (Occupancy::default(), limits(9, 2));
        let mut place = occupancy.admit(&limits).ok().unwrap();
        assert!(place.hold(MESSAGE_BYTES, &limits));
        assert!(!place.hold(MESSAGE_BYTES + 1, &limits));
        assert_eq!(occupancy.admit(&limits).err(), Some(Limit::Memory));
        assert!(place.hold(0, &limits));
        assert_eq!(occupancy.bytes(), MESSAGE_BYTES);
        drop(place);
        assert_eq!(occupancy.bytes(), 0);
    }
}
