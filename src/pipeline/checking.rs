//! What the built-in checks are asked.

use super::{Found, Subject};
use crate::checks::identity_gate::{self, Mismatch};
use crate::checks::own_domains::OwnDomains;
use crate::checks::{self, Facts};

impl Subject {
    /// What an authenticated user may not write.
    pub(super) fn identity_mismatch(&self) -> Option<Mismatch> {
        let Self { runtime, envelope, headers, author, .. } = self;
        let logins = runtime.logins.as_ref()?;
        let user = envelope.auth_user.as_deref()?;
        let gate = &runtime.config.identity_gate;
        identity_gate::check(gate, logins, user, headers, author).err()
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
            returned: found.read.as_ref().and_then(|read| read.returned),
            mismatch: self.mismatch.as_ref(),
        });
        findings.extend(found.read.iter().flat_map(|read| &read.attached).cloned());
        findings
    }
}
