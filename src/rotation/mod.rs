//! Keys that rotate by themselves: looks at DNS, lets the lifecycle decide, writes it down.
//!
//! `look` asks what the name servers show of a domain's keys, `step` takes a domain as far as it can
//! go now, `publish` brings the records into DNS where that is set up, `drift` tells what became of
//! records, `status` tells an operator where each key stands. `serve` does all but the last by
//! itself, the command line all but `drift`.
//!
//! Failure: DNS that does not answer changes nothing; a store that cannot be written stays as it
//! was. Both are tried again at the next look.

pub mod drift;
pub mod look;
pub mod publish;
pub mod status;

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::config;
use crate::dns::update::Published;
use crate::dns::{Authority, LookupError};
use crate::keys::{DomainName, Event, Policy, Stamp, Store, StoreError};
use look::Look;
use publish::PublishError;

/// The time for all look-ups of one domain.
pub const LOOK: Duration = Duration::from_secs(30);

/// What rotating needs.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The key store.
    pub store: Store,
    /// How keys live.
    pub policy: Policy,
    /// What is published, and where updates go.
    pub publish: config::Publish,
    /// The way to the name servers.
    pub authority: Authority,
    /// Whether the resolver is asked instead of them.
    pub via_resolver: bool,
}

/// What a step found and did.
#[derive(Debug)]
pub struct Step {
    /// What DNS showed of each key.
    pub looks: Vec<Look>,
    /// What happened.
    pub events: Vec<Event>,
    /// What was published, where that is set up.
    pub published: Result<Vec<Published>, PublishError>,
    /// The store as this step left it; none on a machine that only reads.
    pub stamp: Option<Stamp>,
}

/// Why a domain could not be taken further.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name servers of the domain could not be found.
    #[error("{domain}: its name servers cannot be found: {error}")]
    Dns {
        /// The domain.
        domain: DomainName,
        /// Why.
        error: LookupError,
    },
}

impl StepError {
    /// Whether another order, and no other state of the system, would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_usage())
    }
}

impl Rotation {
    /// Looks at a domain's records, does what is due, and publishes what is not shown. Where another
    /// machine is the primary, nothing is written.
    pub async fn step(&self, domain: &DomainName, now: u64) -> Result<Step, StepError> {
        let (looks, now) = self.seen(domain, now).await?;
        let (rotation, name) = (self.clone(), domain.clone());
        let advance = move || {
            let Rotation { store, policy, .. } = &rotation;
            let events = store.advance(&name, policy, now)?;
            // Before anything else takes its time: what somebody changes from now on shows.
            Ok::<_, StepError>((events, policy.primary.then(|| store.stamp(&name))))
        };
        let (events, stamp) = blocking(advance).await?;
        let is_shown = events.is_empty() && looks.iter().all(Look::is_right_where_reachable);
        let published = if is_shown || !self.policy.primary {
            Ok(Vec::new())
        } else {
            self.publish(domain, now).await
        };
        Ok(Step { looks, events, published, stamp })
    }

    /// Looks at a domain's records and writes down what they show.
    pub async fn observe(&self, domain: &DomainName, now: u64) -> Result<Vec<Look>, StepError> {
        Ok(self.seen(domain, now).await?.0)
    }

    /// The same, and the time then: a server that answers late shows nothing before.
    async fn seen(&self, domain: &DomainName, now: u64) -> Result<(Vec<Look>, u64), StepError> {
        let start = Instant::now();
        let looks = self.look(domain).await?;
        let now = now.saturating_add(start.elapsed().as_secs());
        let seen = looks.iter().map(|look| (look.selector.clone(), look.observation(now)));
        let seen: Vec<_> = seen.collect();
        if self.policy.primary && !seen.is_empty() {
            let (store, domain) = (self.store.clone(), domain.clone());
            blocking(move || store.observe(&domain, &seen)).await?;
        }
        Ok((looks, now))
    }
}

/// Does what waits for the disk, or for a key to be made, where that holds up no message. Not for all
/// domains at once: each would take a thread, and threads that were once begun hardly ever end.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static TURNS: Semaphore = Semaphore::const_new(2);
    // It is never closed.
    let _turn = TURNS.acquire().await;
    match tokio::task::spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The process ends, and nobody waits for this any more.
        Err(Err(_)) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_blocks_takes_two_threads_at_most() {
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        let work = || {
            let others = AT_WORK.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            AT_WORK.fetch_sub(1, Ordering::SeqCst);
            others
        };
        let tasks: JoinSet<usize> = (0..20).map(|_| blocking(work)).collect();
        let others = tasks.join_all().await;
        assert_eq!(others.len(), 20);
        assert!(others.iter().all(|others| *others < 2), "{others:?}");
    }
}
