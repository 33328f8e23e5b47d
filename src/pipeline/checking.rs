//! What the built-in checks are asked.

use super::{Found, Subject};
use crate::checks::identity_gate::{self, Mismatch};
use crate::checks::own_domains::OwnDomains;
use crate::checks::{self, Facts, attachments};
use crate::message::mime::Mime;
use crate::runtime::Kept;

/// What the check of attachments found.
#[derive(Default)]
pub(super) struct Attached {
    pub findings: Vec<checks::Finding>,
    /// What it could not see.
    pub reason: Option<String>,
}

impl Subject {
    /// What an authenticated user may not write.
    pub(super) fn identity_mismatch(&self) -> Option<Mismatch> {
        let Self { runtime, envelope, headers, author, .. } = self;
        let logins = runtime.logins.as_ref()?;
        let user = envelope.auth_user.as_deref()?;
        let gate = &runtime.config.identity_gate;
        identity_gate::check(gate, logins, user, headers, author).err()
    }

    /// How much of the body the check of attachments wants.
    pub(super) fn attachments_bytes_max(&self) -> usize {
        let config = &self.runtime.config.attachments;
        let is_wanted = !self.origin.is_ours() && attachments::wants_body(config, &self.headers);
        if is_wanted { config.body_bytes_max } else { 0 }
    }

    /// What is attached, and the beginning of the body that is for rules; `None` where that did not
    /// end in time.
    pub(super) async fn attached(&self, mut body: Kept) -> Option<(Kept, Attached)> {
        let runtime = self.runtime.clone();
        if self.over_limit.is_some() || self.attachments_bytes_max() == 0 {
            return Some((body, Attached::default()));
        }
        let (headers, octets) = (self.headers.clone(), body.octets.len());
        let look = move || {
            let config = &runtime.config;
            let limits = &config.attachments.limits;
            let mime = Mime::parse(&headers, &body.octets, body.is_cut, limits);
            let findings = attachments::findings(&config.attachments, &mime);
            let past = "attachments past attachments.body_bytes_max were not looked at";
            let reason = body.is_cut.then(|| past.to_owned());
            drop(mime);
            let wants_body = runtime.rules.wants_body();
            let for_rules = if wants_body { config.rules.body_bytes_max } else { 0 };
            body.is_cut |= octets > for_rules;
            body.octets.truncate(for_rules);
            (body, Attached { findings, reason })
        };
        self.runtime.work(octets, self.deadline, look).await
    }

    /// What all of them found.
    pub(super) fn checked(&self, found: &Found) -> Vec<checks::Finding> {
        let keys = self.runtime.keys.current();
        let mut findings = checks::findings(&Facts {
            config: &self.runtime.config,
            origin: self.origin,
            envelope: &self.envelope,
            headers: &self.headers,
            auth: &found.auth,
            own: OwnDomains { named: &self.runtime.local_domains, keys: &keys },
            mismatch: self.mismatch.as_ref(),
        });
        findings.extend(found.attached.iter().cloned());
        findings
    }
}
