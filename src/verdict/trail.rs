//! What the log tells of a message beside its verdict: who sent it, how long each stage took, and its
//! story where somebody wants to read it. No part of the record that `check` prints.

use std::net::IpAddr;
use std::time::Duration;

use crate::message::envelope::Envelope;

/// Names of recipients that are looked for in sentences.
const RECIPIENTS_MAX: usize = 100;

/// What the log tells beside the verdict.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// Who sent it, and to whom.
    pub envelope: Envelope,
    /// The author domain.
    pub author: Option<String>,
    /// The Message-ID field, without white space around it.
    pub message_id: Option<String>,
    /// Octets of header and body.
    pub octets: u64,
    /// How long each stage took.
    pub times: Times,
    /// The story, where it is told.
    pub story: Option<Story>,
}

/// How long each stage took. Those between `body` and `sign` run side by side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// From the end of the header to that of the message.
    pub body: Duration,
    /// From the end of the message until all authentication results were there.
    pub authenticate: Duration,
    /// The same of the rules.
    pub rules: Duration,
    /// The same of the scan.
    pub scan: Duration,
    /// Signing and sealing.
    pub sign: Duration,
}

/// What explains a verdict.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Whether the operator has named the client or a domain; else it is for those who debug.
    pub is_chosen: bool,
    /// Each method's look-ups and what came of them.
    pub explained: Vec<String>,
}

impl Trail {
    /// The names of people and clients that sentences about this message may hold, the longest first.
    pub fn personal(&self) -> Vec<String> {
        let Envelope { client, helo, mail_from, recipients, auth_user, .. } = &self.envelope;
        let mut names: Vec<String> =
            [&client.name, helo, auth_user].into_iter().flatten().cloned().collect();
        names.extend(client.addr.into_iter().flat_map(|addr| [addr.to_string(), reversed(addr)]));
        names.push(mail_from.clone());
        names.extend(recipients.iter().take(RECIPIENTS_MAX).cloned());
        names.retain(|name| !name.is_empty());
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        names
    }
}

/// As reverse look-ups have it (RFC 1035 §3.5, RFC 3596 §2.5).
fn reversed(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let nibbles = format!("{:032x}", u128::from(v6));
            nibbles.chars().rev().map(String::from).collect::<Vec<_>>().join(".")
        }
    }
}
