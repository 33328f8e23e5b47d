//! `[clamav]`: virus scanning.

use std::path::PathBuf;
use std::time::Duration;

use super::Endpoint;
use crate::message::origin::Origin;
use crate::verdict::Action;

/// `[clamav]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clamav {
    /// The clamds; none: nothing is scanned.
    pub servers: Vec<Endpoint>,
    /// Which of several is asked.
    pub balance: Balance,
    /// How many scans are under way at once.
    pub scans_max: usize,
    /// Larger messages are not sent whole.
    pub scan_bytes_max: u64,
    /// How much of a message is kept for the next server.
    pub replay_bytes_max: usize,
    /// What is done about a result.
    pub treatment: ScanTreatment,
    /// Patterns of signatures that tell of spam.
    pub tag_signatures: Vec<String>,
    /// Patterns of signatures that are not acted on.
    pub ignore_signatures: Vec<String>,
    /// How long clamd may take from the end of the message.
    pub timeout: Duration,
    /// The configuration of a clamd on this host.
    pub clamd_conf: PathBuf,
    /// An older database is warned of.
    pub database_age_max: Option<Duration>,
    /// `[[clamav.origin]]`: other treatments for some origins.
    pub origins: Vec<ScanTreatmentOf>,
}

impl Clamav {
    /// What is done about the mail of an origin.
    pub fn treatment_of(&self, origin: Origin) -> ScanTreatment {
        let of_it = |entry: &&ScanTreatmentOf| entry.origins.contains(&origin);
        self.origins.iter().rev().filter(of_it).fold(self.treatment, |others, entry| {
            ScanTreatment {
                on_infected: entry.on_infected.unwrap_or(others.on_infected),
                on_failure: entry.on_failure.unwrap_or(others.on_failure),
                on_oversize: entry.on_oversize.unwrap_or(others.on_oversize),
                on_encrypted: entry.on_encrypted.unwrap_or(others.on_encrypted),
                on_limits: entry.on_limits.unwrap_or(others.on_limits),
            }
        })
    }
}

/// Which of several clamds is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Balance {
    /// The first that is in service.
    Order,
    /// The one with the fewest scans under way.
    Load,
}

/// What is done about a scan's result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScanTreatment {
    /// With an infected message.
    pub on_infected: Action,
    /// Where the scan failed: `Off` (accept, marked unscanned), `Tempfail`, ...
    pub on_failure: Action,
    /// With a message too large to scan.
    pub on_oversize: OnOversize,
    /// With what clamd could not read for its encryption: `Off` (marked unscanned), ...
    pub on_encrypted: Action,
    /// The same for clamd's own limits.
    pub on_limits: Action,
}

/// What is done with a message too large to scan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OnOversize {
    /// With the message: `Off` (accept, marked unscanned), ...
    pub action: Action,
    /// Whether as much of it as clamd takes is scanned.
    pub scans_prefix: bool,
}

/// One `[[clamav.origin]]`: what it sets, for the origins that it names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of `ScanTreatment`")]
pub struct ScanTreatmentOf {
    /// Where the messages come from.
    pub origins: Vec<Origin>,
    pub on_infected: Option<Action>,
    pub on_failure: Option<Action>,
    pub on_oversize: Option<OnOversize>,
    pub on_encrypted: Option<Action>,
    pub on_limits: Option<Action>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_first_entry_that_sets_a_key_counts() {
        let entry = |origins: &[Origin], on_infected, on_failure| ScanTreatmentOf {
            origins: origins.to_vec(),
            on_infected,
            on_failure,
            ..ScanTreatmentOf::default()
        };
        let mut clamav = Config::default().clamav;
        clamav.origins = vec![
            entry(&[Origin::Local], None, Some(Action::Tempfail)),
            entry(&[Origin::Local, Origin::Relay], Some(Action::Tag), Some(Action::Reject)),
        ];
        let of = |origin| {
            let ScanTreatment { on_infected, on_failure, .. } = clamav.treatment_of(origin);
            (on_infected, on_failure)
        };
        assert_eq!(of(Origin::Local), (Action::Tag, Action::Tempfail));
        assert_eq!(of(Origin::Relay), (Action::Tag, Action::Reject));
        assert_eq!(of(Origin::Inbound), (Action::Reject, Action::Off));
    }
}
