//! What is kept of a message for the log: its envelope, the time of each stage, and its story.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Subject;
use crate::auth::Authentication;
use crate::auth::explain::{Whole, explain};
use crate::auth::lookups::Lookups;
use crate::telemetry::story;
use crate::verdict::{Story, Times, Trail};

/// What came of a stage, and how long that took.
pub(super) async fn timed<T>(stage: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let outcome = stage.await;
    (outcome, begun.elapsed())
}

impl Subject {
    /// Remembers how long the stages took that end side by side.
    pub(super) fn took(&mut self, authenticate: Duration, scan: Duration, rules: Duration) {
        let body = self.opened.elapsed().saturating_sub(authenticate.max(scan).max(rules));
        self.trail.times = Times { body, authenticate, rules, scan, ..Times::default() };
    }

    /// Keeps what the story of this message needs, where it is told.
    pub(super) fn follow(&mut self, lookups: &Lookups) {
        let Self { runtime, envelope, author, .. } = self;
        if story::is_told(&runtime.config.telemetry, envelope, author.domain()) {
            let traces = lookups.traces().cloned().unwrap_or_default();
            self.explained = Some((traces, None));
        }
    }

    /// Adds why each method said what it said.
    pub(super) async fn explain(&mut self, auth: &Authentication) {
        let Some((traces, body)) = self.explained.take() else { return };
        let message = Whole {
            headers: &self.headers,
            body: body.as_deref(),
            shows_content: body.is_some() || story::tells_content(),
            now: self.now,
            trusted_sealers: &self.runtime.config.arc.trusted_sealers,
        };
        // What `check` may ask would hold mail up.
        let dns = body.as_ref().map(|_| self.runtime.resolver.until(self.deadline));
        let sentences = explain(auth, message, &traces, dns.as_ref()).await;
        if body.is_some() {
            self.reasons.extend(sentences);
        } else {
            let is_chosen = story::is_chosen(
                &self.runtime.config.telemetry,
                &self.envelope,
                self.author.domain(),
            );
            self.trail.story = Some(Story { is_chosen, explained: sentences });
        }
    }

    /// What the log is to tell beside the verdict.
    pub(super) fn trail(&mut self) -> Trail {
        let id = self.headers.named("Message-ID").next();
        let id = id.map(|field| String::from_utf8_lossy(field.value.trim_ascii()).into_owned());
        Trail {
            envelope: Arc::unwrap_or_clone(std::mem::take(&mut self.envelope)),
            author: self.author.domain().map(str::to_owned),
            message_id: id,
            octets: self.trail.octets + self.headers.octets().len() as u64,
            ..std::mem::take(&mut self.trail)
        }
    }
}
