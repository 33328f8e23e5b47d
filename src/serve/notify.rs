//! What the service manager hears of us (`sd_notify(3)`): ready, reloading, stopping, alive.
//!
//! Failure: without a service manager nothing is sent. One that does not listen is none of ours to
//! mend, and serving goes on.

use std::time::Duration;

use futures_util::future::try_join_all;
use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

/// How much longer than the drain the whole of stopping may take.
const LEAVING: Duration = Duration::from_secs(10);

/// The sockets are open, and mail is taken.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read again; `ready` follows in any case.
pub(super) fn reloading() {
    let Ok(now) = NotifyState::monotonic_usec_now() else { return };
    tell(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]);
}

/// No more mail is taken; what is under way ends within `drain`.
pub(super) fn stopping(drain: Duration) {
    let usecs = u32::try_from((drain + LEAVING).as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(usecs),
        NotifyState::Status("stopping: messages under way may end"),
    ]);
}

/// Says that we are alive for as long as that is so, twice as often as asked for: each time, every
/// thread that serves, one of our own, and one for what blocks must have had a turn.
pub(super) async fn watchdog(serving: Vec<Handle>) {
    let Some(every) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = interval(every / 2);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let threads = serving.iter().cloned().chain([Handle::current()]);
        let turns = try_join_all(threads.map(|thread| thread.spawn(async {})));
        if turns.await.is_ok() && spawn_blocking(|| ()).await.is_ok() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
