//! What is to be done to a name's TXT records, and the message that does it (RFC 2136 §2). Pure but for
//! the message's id.

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Action, Published};
use crate::dns::name;
use crate::dns::records::strings;
use crate::dns::wanted::Wanted;

/// One name's set of TXT records as the server has it, and as it is to be.
pub(super) struct Change {
    pub(super) wanted: Wanted,
    owner: Name,
    pub(super) zone: Name,
    found: Vec<Record>,
    remove: Vec<Record>,
    add: Option<Record>,
}

impl Change {
    /// What becomes of the records found: those of the kind that say something else go.
    pub(super) fn new(
        wanted: Wanted,
        owner: Name,
        zone: Name,
        found: Vec<Record>,
        ttl_secs: u32,
    ) -> Self {
        let is_ours = |record: &Record| octets(record).is_some_and(|text| wanted.is_ours(&text));
        // Records of one set share their time to live (RFC 2181 §5.2); strangers' stays.
        let strangers = found.iter().find(|record| !is_ours(record));
        let ttl_secs = strangers.map_or(ttl_secs, |record| record.ttl);
        let text = wanted.text.as_deref().map(str::as_bytes);
        let is_right =
            |record: &Record| octets(record).as_deref() == text && record.ttl == ttl_secs;
        let ours = || found.iter().filter(|record| is_ours(record));
        let is_there = ours().any(is_right);
        let remove = ours().filter(|record| !(is_there && is_right(record))).cloned().collect();
        let add = text.filter(|_| !is_there).map(|text| {
            let data = TXT::from_bytes(strings(text).collect());
            Record::from_rdata(owner.clone(), ttl_secs, RData::TXT(data))
        });
        Self { wanted, owner, zone, found, remove, add }
    }

    pub(super) fn action(&self) -> Action {
        match (&self.add, self.remove.is_empty()) {
            (None, true) => Action::Unchanged,
            (None, false) => Action::Removed,
            (Some(_), true) => Action::Added,
            (Some(_), false) => Action::Replaced,
        }
    }

    pub(super) fn published(&self) -> Published {
        Published {
            name: self.wanted.name.clone(),
            owner: name::format(&self.owner).unwrap_or_default(),
            action: self.action(),
        }
    }

    /// The set as it was seen (RFC 2136 §2.4.2), or that there was none (§2.4.3).
    fn prerequisites(&self) -> Vec<Record> {
        if self.found.is_empty() {
            return vec![of_class(Record::update0(self.owner.clone(), 0, RecordType::TXT))];
        }
        let without_ttl = |record: &Record| {
            let mut record = record.clone();
            record.ttl = 0;
            record
        };
        self.found.iter().map(without_ttl).collect()
    }
}

/// RFC 2136 §2.4.3, §2.5.4: class NONE and no time to live.
fn of_class(mut record: Record) -> Record {
    record.dns_class = DNSClass::NONE;
    record.ttl = 0;
    record
}

/// The update of one zone, not yet signed.
pub(super) fn message(zone: &Name, changes: &[Change]) -> Result<Message, String> {
    let mut id = [0; 2];
    SystemRandom::new().fill(&mut id).map_err(|_| "no random numbers".to_owned())?;
    let mut message = Message::new(u16::from_be_bytes(id), MessageType::Query, OpCode::Update);
    message.add_query(Query::query(zone.clone(), RecordType::SOA));
    for change in changes.iter().filter(|change| change.action() != Action::Unchanged) {
        message.add_answers(change.prerequisites());
        message.add_authorities(change.remove.iter().cloned().map(of_class));
        message.add_authorities(change.add.clone());
    }
    Ok(message)
}

/// The text of a TXT record.
pub(super) fn octets(record: &Record) -> Option<Vec<u8>> {
    match &record.data {
        RData::TXT(txt) => Some(txt.txt_data.concat()),
        _ => None,
    }
}
