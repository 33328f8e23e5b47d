//! What an MTA does with a message and a filter: it plays the one to the other over the milter
//! protocol, and does to the message what the filter asks for.

use std::path::Path;

use crate::message::Message;
use crate::support::milter::{Edit, LEADING_SPACE, Mail, Mta};

/// What a filter did with a message.
#[derive(Debug)]
pub(crate) struct Played {
    /// `accept`, `reject`, `tempfail`, `discard`, or the filter's own reply.
    pub disposition: String,
    /// The names and values of the fields that it put in.
    pub inserted: Vec<(String, String)>,
}

impl Played {
    /// The values of the fields of that name.
    pub(crate) fn values(&self, wanted: &str) -> Vec<&str> {
        let named = self.inserted.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// Plays the message in a session of its own.
pub(crate) fn play(socket: &Path, message: &Message, mail: &Mail<'_>) -> Played {
    let mut mta = Mta::connect_unix(socket).unwrap();
    let unfolded = |value: &[u8]| {
        let lines: Vec<&[u8]> = value.split(|octet| *octet == b'\r').collect();
        lines.concat()
    };
    let mail = Mail {
        headers: message.headers.iter().map(|f| (f.name.to_vec(), unfolded(f.value))).collect(),
        body: &message.body,
        ..mail.clone()
    };
    let outcome = mta.deliver(&mail).unwrap();
    let blank = if mta.options & LEADING_SPACE == 0 { " " } else { "" };
    let inserted = outcome.edits.into_iter().filter_map(|edit| match edit {
        Edit::Insert(_, name, value) => {
            let value = value.replace("\r\n", "\n").replace('\n', "\r\n");
            Some((name, format!("{blank}{value}")))
        }
        _ => None,
    });
    Played { disposition: outcome.disposition, inserted: inserted.collect() }
}
