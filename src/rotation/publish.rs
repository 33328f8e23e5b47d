//! Brings the records of a domain's keys into DNS, where `[publish]` says how.

use std::path::PathBuf;

use tokio::time::Instant;

use super::{LOOK, Rotation, blocking};
use crate::dns::key_record::KeyRecord;
use crate::dns::update::{Action, Published, Publisher, UpdateError};
use crate::dns::{KeyFileError, TsigKey, Wanted};
use crate::keys::{DomainName, StoreError};

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The key that signs updates.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The same, though the file is right.
    #[error("{}: the key cannot sign updates; make another: tsig-keygen", .0.display())]
    Key(PathBuf),
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
        let (Some(server), Some(key_file)) = (self.publish.server, self.publish.key_file.clone())
        else {
            return Ok(Vec::new());
        };
        let (rotation, name) = (self.clone(), domain.clone());
        let read = move || Ok((TsigKey::read(&key_file)?, rotation.wanted(&name)?, key_file));
        let (key, wanted, key_file) = blocking(read).await.map_err(|error: PublishError| error)?;
        let ttl_secs = self.publish.ttl_secs;
        let publisher = Publisher::new(server, &key, ttl_secs, self.authority.clone());
        let publisher = publisher.ok_or(PublishError::Key(key_file))?;
        let mut published = publisher.publish(&wanted, now, Instant::now() + LOOK).await?;
        published.retain(|published| published.action != Action::Unchanged);
        Ok(published)
    }

    fn wanted(&self, domain: &DomainName) -> Result<Vec<Wanted>, StoreError> {
        let (records, _) = KeyRecord::of_domain(&self.store, domain, self.publish.dkim_strict)?;
        Ok(records.iter().map(KeyRecord::wanted).collect())
    }
}
