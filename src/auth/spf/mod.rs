//! Sender Policy Framework (RFC 7208): may this client send in the name of this domain?
//!
//! [`check`] is the RFC's `check_host()` for one identity of one session (§2.3, §2.4). `domain`
//! reads the identities, `record` finds and parses records, `evaluate` walks them within `limits`,
//! `reverse` finds the client's names, `breadth` tells what passes for anybody, `expand` does macros
//! and `explain` the explanation of a fail.
//!
//! Failure: a server that fails or a deadline that passes is temperror, a record that breaks the
//! grammar or a limit is permerror. Nothing here is ever `Err`.

mod breadth;
mod domain;
mod evaluate;
mod expand;
mod explain;
mod limits;
pub mod record;
mod reverse;

use std::net::IpAddr;

use serde::Serialize;

use crate::dns::Dns;
use crate::result::AuthResult;
use breadth::Breadth;
use domain::Sender;
use evaluate::{Evaluation, Outcome, Trouble};

/// Which name of the envelope was checked (RFC 7208 §2.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The argument of HELO or EHLO.
    Helo,
    /// The reverse path, or `postmaster@` the HELO name where that is null.
    MailFrom,
}

impl Identity {
    /// The identity's name in the text of a verdict.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "helo",
            Self::MailFrom => "mailfrom",
        }
    }
}

/// What SPF said of one identity.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Spf {
    /// Any of none, neutral, pass, fail, softfail, temperror, permerror (RFC 7208 §2.6).
    pub result: AuthResult,
    /// Which identity.
    pub identity: Identity,
    /// The domain whose record was evaluated, in ASCII lower case.
    pub domain: String,
    /// The identity as sent, for `smtp.helo` or `smtp.mailfrom`.
    pub value: String,
    /// Why, where the result does not say it itself: the mechanism that matched, the error.
    pub reason: Option<String>,
    /// The directive that matched, as published, or `default` where none did; foreign text.
    pub mechanism: Option<String>,
    /// What matched would match any client, or at least half of all addresses: `+all` and its
    /// like, however it is written. A pass says nothing then.
    pub any_client: bool,
    /// The domain owner's explanation of a fail (RFC 7208 §6.2), foreign text.
    pub explanation: Option<String>,
}

/// Checks one identity of a session: the client's address, its HELO name, the reverse path without
/// angle brackets (empty for the null one) and our own name, which only explanations show.
pub async fn check(
    dns: &Dns,
    client: IpAddr,
    helo: &str,
    mail_from: &str,
    identity: Identity,
    receiver: &str,
) -> Spf {
    let value = match identity {
        Identity::Helo => helo.to_owned(),
        Identity::MailFrom if mail_from.is_empty() => format!("postmaster@{helo}"),
        Identity::MailFrom => mail_from.to_owned(),
    };
    let mut spf = Spf {
        result: AuthResult::None,
        identity,
        domain: domain::of(&value).to_ascii_lowercase(),
        value,
        reason: None,
        mechanism: None,
        any_client: false,
        explanation: None,
    };
    let Some(sender) = Sender::new(&spf.value, helo) else {
        spf.reason = Some("not a domain name".into());
        return spf;
    };
    spf.domain.clone_from(&sender.domain);
    let mut evaluation = Evaluation::new(dns, client, helo, &sender, receiver);
    let outcome = evaluation.check_host(sender.domain.clone()).await;
    if let Ok(Outcome::Matched(matched)) = &outcome
        && matched.result == AuthResult::Fail
    {
        spf.explanation = explain::fetch(&mut evaluation, matched).await;
    }
    spf.any_client =
        matches!(&outcome, Ok(Outcome::Matched(matched)) if matched.breadth > Breadth::Some);
    spf.mechanism = match &outcome {
        Ok(Outcome::Matched(matched)) => Some(matched.by.clone()),
        // RFC 7208 §9.1's word.
        Ok(Outcome::Default) => Some("default".into()),
        Ok(Outcome::NoRecord) | Err(_) => None,
    };
    (spf.result, spf.reason) = judge(outcome);
    spf
}

fn judge(outcome: Result<Outcome, Trouble>) -> (AuthResult, Option<String>) {
    match outcome {
        Ok(Outcome::NoRecord) => (AuthResult::None, Some("no SPF record".into())),
        // RFC 7208 §4.7: as if the record ended in `?all`.
        Ok(Outcome::Default) => (AuthResult::Neutral, Some("no mechanism matched".into())),
        Ok(Outcome::Matched(matched)) => {
            let passed = matched.result == AuthResult::Pass;
            let others = if passed { matched.breadth.words() } else { "" };
            let reason = format!("{} in the record of {}{others}", matched.by, matched.domain);
            (matched.result, Some(reason))
        }
        Err(Trouble::Temporary(why)) => (AuthResult::Temperror, Some(why)),
        Err(Trouble::Permanent(why)) => (AuthResult::Permerror, Some(why)),
    }
}
