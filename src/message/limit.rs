//! The limits that a message can come up against, by the keys that name them.

use std::fmt;

use serde::{Serialize, Serializer};

/// A limit of the configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Limit {
    /// Octets of the header block.
    HeaderBytes,
    /// Header fields.
    HeaderFields,
    /// Recipients.
    Recipients,
    /// Messages under way at once.
    Transactions,
    /// What all messages under way hold.
    Memory,
    /// The time of all of a message's work.
    MessageTime,
    /// What the rules see of a body.
    KeptBody,
    /// The time of a look-up.
    DnsTime,
    /// The time that a scan may take once the message is there.
    ScanTime,
    /// Connections at once.
    Connections,
}

impl Limit {
    /// The key of the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::HeaderBytes => "limits.header_bytes_max",
            Self::HeaderFields => "limits.header_fields_max",
            Self::Recipients => "limits.recipients_max",
            Self::Transactions => "limits.transactions_max",
            Self::Memory => "limits.memory_bytes_max",
            Self::MessageTime => "limits.message_secs_max",
            Self::KeptBody => "rules.body_bytes_max",
            Self::DnsTime => "dns.timeout_secs",
            Self::ScanTime => "clamav.timeout_secs",
            Self::Connections => "milter.connections_max",
        }
    }

    /// Whether it is the daemon's burden, so that the same message may be taken later.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Transactions | Self::Memory)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// As its key.
impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}
