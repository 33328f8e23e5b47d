//! What the built-in checks are asked.

use super::{Found, Subject};
use crate::checks::identity_gate::{self, Mismatch};
use crate::checks::own_domains::OwnDomains;
use crate::checks::report::{self, Returned};
use crate::checks::{self, Facts};
use crate::message::origin::Origin;
use crate::verdict::Action;

impl Subject {
    /// What an authenticated user may not write.
    pub(super) fn identity_mismatch(&self) -> Option<Mismatch> {
        let Self { runtime, envelope, headers, author, .. } = self;
        let logins = runtime.logins.as_ref()?;
        let user = envelope.auth_user.as_deref()?;
        let gate = &runtime.config.identity_gate;
        identity_gate::check(gate, logins, user, headers, author).err()
    }

    /// How much of the body is looked at as a delivery report; 0 where it is none.
    pub(super) fn report_bytes_max(&self) -> usize {
        let config = &self.runtime.config.backscatter;
        let matters = self.origin == Origin::Inbound && config.report != Action::Off;
        let is_report = matters && report::is_report(&self.envelope, &self.headers);
        if is_report { config.report_bytes_max } else { 0 }
    }

    /// What a delivery report returns, where it is one and that can be told.
    pub(super) fn returned(&self, kept: &[u8], is_cut: bool) -> Option<Returned> {
        let kept_bytes_max = self.report_bytes_max();
        if kept_bytes_max == 0 || self.over_limit.is_some() {
            return None;
        }
        let is_cut = is_cut || kept.len() > kept_bytes_max;
        let kept = kept.get(..kept_bytes_max).unwrap_or(kept);
        let (keys, limits) = (self.runtime.keys.current(), &self.runtime.config.limits);
        report::returned(&self.headers, kept, is_cut, &keys, limits)
    }

    /// What all of them found.
    pub(super) fn checked(&self, found: &Found) -> Vec<checks::Finding> {
        let keys = self.runtime.keys.current();
        checks::findings(&Facts {
            config: &self.runtime.config,
            origin: self.origin,
            envelope: &self.envelope,
            headers: &self.headers,
            auth: &found.auth,
            own: OwnDomains { named: &self.runtime.local_domains, keys: &keys },
            returned: found.returned,
            mismatch: self.mismatch.as_ref(),
        })
    }
}
