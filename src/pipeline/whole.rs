//! A message that is all there, as `mailseal check` has it.

use std::sync::Arc;

use bytes::Bytes;

use super::Inspection;
use crate::auth::explain::Traces;
use crate::auth::lookups::Lookups;
use crate::message::Draft;
use crate::runtime::Runtime;
use crate::verdict::Verdict;

/// How much of a message is handed on at once where all of it is there already.
const CHUNK_BYTES: usize = 65_536;

impl Inspection {
    /// Judges a message that is all there, and explains the results.
    pub async fn whole(runtime: &Arc<Runtime>, draft: Draft, body: Vec<u8>) -> Verdict {
        let traces = Traces::default();
        let mut inspection = Self::of(runtime, draft, Lookups::traced(traces.clone())).await;
        let body = Bytes::from(body);
        inspection.subject.explained = Some((traces, Some(body.clone())));
        Box::pin(inspection.read(body)).await
    }

    /// The same without the explanation, for many messages.
    pub async fn judged(runtime: &Arc<Runtime>, draft: Draft, body: Vec<u8>) -> Verdict {
        let inspection = Self::of(runtime, draft, Lookups::default()).await;
        Box::pin(inspection.read(Bytes::from(body))).await
    }

    async fn of(runtime: &Arc<Runtime>, draft: Draft, mut lookups: Lookups) -> Self {
        if runtime.config.verify.enabled {
            lookups.start_iprev(runtime, &draft.envelope.client);
        }
        Self::open(runtime, draft, lookups).await
    }

    async fn read(mut self, mut body: Bytes) -> Verdict {
        while !body.is_empty() {
            self.write(body.split_to(body.len().min(CHUNK_BYTES))).await;
        }
        self.finish(None).await
    }
}
