//! The DNS records of a domain's keys, by their state in the store (RFC 6376 §3.6.1).

use super::records::Record;
use super::wanted::{Kind, Wanted};
use crate::dkim::record::dns_text;
use crate::keys::domain::record_name;
use crate::keys::state::{Algorithm, KeyState, rfc3339};
use crate::keys::{DomainName, Selector, Store, StoreError};

/// A key of the store and its record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRecord {
    /// The selector.
    pub selector: Selector,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Where the key is in its life.
    pub state: KeyState,
    /// When it came there, in seconds since 1970.
    pub since: u64,
    /// Where the record stands, without a final dot.
    pub name: String,
    /// The record: with the key while it is published, with an empty `p=` where it is revoked, and
    /// none where it is removed.
    pub text: Option<String>,
}

impl KeyRecord {
    /// The records of a domain's keys in their order, and what is wrong with those left out.
    /// `strict` sets `t=s`.
    pub fn of_domain(
        store: &Store,
        domain: &DomainName,
        strict: bool,
    ) -> Result<(Vec<Self>, Vec<StoreError>), StoreError> {
        let state = store.state(domain)?;
        let (keys, mut problems) = store.keys(domain)?;
        let mut records = Vec::new();
        for entry in state.keys {
            let key_type = entry.algorithm.into();
            let text = match entry.state {
                KeyState::Removed => None,
                KeyState::Revoked => Some(dns_text(key_type, b"", false, false)),
                KeyState::Pending | KeyState::Active | KeyState::Retiring => {
                    // A key without its private half is a problem told by the store.
                    let key = keys.iter().find(|key| *key.selector() == entry.selector);
                    let Some(key) = key else { continue };
                    match key.signing_key() {
                        Ok(key) => Some(dns_text(key_type, &key.public_key(), strict, false)),
                        Err(problem) => {
                            problems.push(problem);
                            continue;
                        }
                    }
                }
            };
            let name = record_name(&entry.selector, domain)?;
            let (selector, algorithm) = (entry.selector, entry.algorithm);
            let (state, since) = (entry.state, entry.since);
            records.push(Self { selector, algorithm, state, since, name, text });
        }
        Ok((records, problems))
    }

    /// What the name is to show.
    pub fn wanted(&self) -> Wanted {
        Wanted { name: self.name.clone(), kind: Kind::Key, text: self.text.clone() }
    }

    /// The record to publish; none of a removed key.
    pub fn record(&self) -> Option<Record> {
        let what = match self.state {
            KeyState::Pending => "does not sign yet",
            KeyState::Active => "signs",
            KeyState::Retiring => "no longer signs; keep it for the mail on its way",
            KeyState::Revoked => "is withdrawn; mail that it signed fails",
            KeyState::Removed => "is gone",
        };
        let note =
            format!("{} is {} since {}: {what}", self.selector, self.state, rfc3339(self.since));
        Some(Record::txt(&self.name, self.text.clone()?, note))
    }
}
