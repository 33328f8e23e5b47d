//! What an example says of its message besides the text: envelope, origin, results.

use std::net::IpAddr;

use toml::de::{DeTable, DeValue};

use super::facts::Facts;
use super::reader::Reader;
use super::results::{Method, Results};
use super::when::{ORIGINS, RESULTS};
use crate::config::error::{Complaint, quoted};
use crate::config::value::{Read, Value, integer, list, text, word};
use crate::message::envelope::{Envelope, bare_path};
use crate::message::header::HeaderBlock;
use crate::message::origin::Origin;
use crate::scan::{ScanResult, Unscanned};

/// The fields of an example that is a table.
pub(super) const FIELDS: &[&str] = &[
    "message",
    "client",
    "client_name",
    "helo",
    "mail_from",
    "recipients",
    "auth_user",
    "tls",
    "origin",
    "spf",
    "dkim",
    "dmarc",
    "arc",
    "iprev",
    "scan",
    "virus",
    "size",
];

const SCANS: &[(&str, Option<Unscanned>)] = &[
    ("clean", None),
    ("failed", Some(Unscanned::Failed)),
    ("oversize", Some(Unscanned::Oversize)),
    ("prefix", Some(Unscanned::Prefix)),
    ("encrypted", Some(Unscanned::Encrypted)),
    ("limits", Some(Unscanned::Limits)),
    ("spam", Some(Unscanned::Spam)),
    ("ignored", Some(Unscanned::Ignored)),
];

/// Facts that an example gives.
#[derive(Debug, Default)]
pub(super) struct Known(Option<Box<Given>>);

#[derive(Debug)]
struct Given {
    envelope: Envelope,
    origin: Origin,
    results: Results,
    scan: Option<ScanResult>,
    size_bytes: Option<u64>,
}

impl Known {
    pub(super) fn facts<'a>(&'a self, headers: &'a HeaderBlock, body: &'a [u8]) -> Facts<'a> {
        let facts = Facts::of(headers, body);
        match &self.0 {
            None => facts,
            Some(given) => Facts {
                size_bytes: given.size_bytes.unwrap_or(facts.size_bytes),
                envelope: &given.envelope,
                origin: given.origin,
                results: &given.results,
                scan: given.scan.as_ref(),
                ..facts
            },
        }
    }

    /// Reads what a table says.
    pub(super) fn read(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Self {
        let origin = reader.optional(table, "origin", &word(ORIGINS));
        Self(Some(Box::new(Given {
            envelope: envelope(reader, table),
            origin: origin.unwrap_or(Origin::Inbound),
            results: results(reader, table),
            scan: scan(reader, table),
            size_bytes: reader.optional(table, "size", &integer(0..=u64::MAX >> 1)),
        })))
    }
}

fn string(value: &Value<'_>) -> Read<String> {
    text(|text| Ok(text.to_owned()))(value)
}

fn path(value: &Value<'_>) -> Read<String> {
    text(|text| Ok(bare_path(text).to_owned()))(value)
}

fn addr(text: &str) -> Result<IpAddr, Complaint> {
    text.parse().map_err(|_| Complaint::new(format!("{} is no IP address", quoted(text))))
}

fn envelope(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Envelope {
    let mut envelope = Envelope::default();
    envelope.client.addr = reader.optional(table, "client", &text(addr));
    envelope.client.name = reader.optional(table, "client_name", &string);
    envelope.helo = reader.optional(table, "helo", &string);
    envelope.mail_from = reader.optional(table, "mail_from", &path).unwrap_or_default();
    let recipients = reader.optional(table, "recipients", &list(path));
    envelope.recipients = recipients.unwrap_or_default();
    envelope.auth_user = reader.optional(table, "auth_user", &string);
    envelope.tls = reader.optional(table, "tls", &string);
    envelope
}

fn results(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Results {
    let mut results = Results::default();
    for method in Method::ALL {
        match table.get(method.as_str()).map(|value| (value, value.get_ref())) {
            None => {}
            Some((_, DeValue::Array(several))) => {
                for value in several {
                    result(reader, method, value, &mut results);
                }
            }
            Some((value, _)) => result(reader, method, value, &mut results),
        }
    }
    results
}

/// A word, or `{ result = "pass", domain = "example.org" }`.
fn result(reader: &mut Reader<'_>, method: Method, value: &Value<'_>, results: &mut Results) {
    let DeValue::Table(table) = value.get_ref() else {
        if let Some(result) = reader.keep(word(RESULTS)(value)) {
            results.push(method, result, Vec::new());
        }
        return;
    };
    reader.refuse_unknown_fields(table, &["result", "domain"], "a result");
    let result = reader.required(table, value.span().start, "result", &word(RESULTS));
    let domain = reader.optional(table, "domain", &string);
    if let Some(result) = result {
        results.push(method, result, domain.into_iter().collect());
    }
}

fn scan(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<ScanResult> {
    if table.contains_key("virus") {
        return reader.optional(table, "virus", &string).map(|name| ScanResult::Infected { name });
    }
    Some(match reader.optional(table, "scan", &word(SCANS))? {
        None => ScanResult::Clean,
        Some(cause) => ScanResult::Unscanned { cause, reason: String::new() },
    })
}
