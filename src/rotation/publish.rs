//! Brings the records of a domain's keys into DNS, where `[publish]` says how.

use tokio::time::Instant;

use super::{LOOK, Rotation, blocking};
use crate::dns::key_record::KeyRecord;
use crate::dns::update::{Action, Published, Publisher, UpdateError};
use crate::dns::{KeyFileError, Wanted};
use crate::keys::{DomainName, StoreError};

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The key that signs updates.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The keys whose records they are.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name server.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

impl Rotation {
    /// Makes the primary show the records of a domain's keys; returns what it took. Without a server
    /// in `[publish]` that is nothing.
    pub async fn publish(
        &self,
        domain: &DomainName,
        now: u64,
    ) -> Result<Vec<Published>, PublishError> {
        let (rotation, name) = (self.clone(), domain.clone());
        let read = move || {
            let publisher = Publisher::configured(&rotation.publish, rotation.authority.clone())?;
            Ok::<_, PublishError>(publisher.zip(Some(rotation.wanted(&name)?)))
        };
        let Some((publisher, wanted)) = blocking(read).await? else { return Ok(Vec::new()) };
        let mut done = publisher.publish(&wanted, now, Instant::now() + LOOK).await?;
        done.retain(|published| published.action != Action::Unchanged);
        Ok(done)
    }

    fn wanted(&self, domain: &DomainName) -> Result<Vec<Wanted>, StoreError> {
        let (records, _) = self.records(domain)?;
        Ok(records.iter().map(KeyRecord::wanted).collect())
    }
}
