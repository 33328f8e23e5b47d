//! SIGTERM and SIGINT: the first asks to end in order, the second to end at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Takes over both signals, inside a tokio runtime. The first future resolves when one of them
/// comes, the second when one comes again.
pub fn asked_to_end() -> io::Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let futures = (first.clone().cancelled_owned(), second.clone().cancelled_owned());
    tokio::spawn(async move {
        for asked in [first, second] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            asked.cancel();
        }
    });
    Ok(futures)
}
