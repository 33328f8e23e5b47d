//! Whether look-ups of one message ended without an answer in time, and whose time it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the look-ups of a message; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Late {
    look_up: Arc<AtomicBool>,
    message: Arc<AtomicBool>,
}

impl Late {
    /// Remembers that a look-up was late, by the message's own deadline or before it.
    pub(super) fn note(&self, is_message_over: bool) {
        let which = if is_message_over { &self.message } else { &self.look_up };
        which.store(true, Ordering::Relaxed);
    }

    /// Whether a look-up took all of the time that one look-up may take.
    pub fn is_look_up(&self) -> bool {
        self.look_up.load(Ordering::Relaxed)
    }

    /// Whether the message's time was over before a look-up had its answer.
    pub fn is_message(&self) -> bool {
        self.message.load(Ordering::Relaxed)
    }
}
