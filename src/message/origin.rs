//! Where a message comes from, and what is done with it for that.

use serde::Serialize;

use super::envelope::{Client, Envelope};
use crate::config::Identity;
use crate::text;

/// Where a message comes from: the first of these that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A host of `trusted_relays`: a backup MX, a border filter, a re-injecting content filter.
    Relay,
    /// The client authenticated itself.
    Authenticated,
    /// Taken by a listener of `originating_daemons`.
    Submission,
    /// A host of `trusted_networks`, or `sendmail(1)`.
    Local,
    /// Anybody else.
    Inbound,
}

impl Origin {
    /// The origin's name in logs, `check` and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Authenticated => "authenticated",
            Self::Submission => "submission",
            Self::Local => "local",
            Self::Inbound => "inbound",
        }
    }

    /// Whether mail of this origin is ours to sign.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Authenticated | Self::Submission | Self::Local)
    }
}

/// What is done with a message for where it comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Signed: it is ours and there is a key.
    Sign,
    /// Its authentication is verified.
    Verify,
    /// Neither: a trusted origin with nothing to sign with, or verification is off.
    Pass,
}

impl Role {
    /// The role's name in logs, `check` and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Pass => "pass",
        }
    }
}

/// An origin and what decided it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decided {
    /// Where the message comes from.
    pub origin: Origin,
    /// Why, as a sentence.
    pub reason: String,
}

/// Decides where a message comes from, by the envelope alone.
pub fn decide(envelope: &Envelope, identity: &Identity) -> Decided {
    let client = &envelope.client;
    let decided = |origin, reason| Decided { origin, reason };
    let addr = client.addr.map_or("of unknown address".to_owned(), |addr| addr.to_string());
    if is_in(client, &identity.trusted_relays) {
        return decided(Origin::Relay, format!("client {addr} is in identity.trusted_relays"));
    }
    if let Some(user) = &envelope.auth_user {
        let user = text::visible(user);
        return decided(Origin::Authenticated, format!("client authenticated as {user}"));
    }
    if let Some(daemon) = &envelope.daemon_name
        && identity.originating_daemons.iter().any(|name| name == daemon)
    {
        let reason = format!("daemon {} is in identity.originating_daemons", text::visible(daemon));
        return decided(Origin::Submission, reason);
    }
    if is_in(client, &identity.trusted_networks) {
        return decided(Origin::Local, format!("client {addr} is in identity.trusted_networks"));
    }
    decided(Origin::Inbound, format!("client {addr} is neither authenticated nor trusted"))
}

/// Whether the client's address alone makes its mail trusted.
pub fn is_trusted_client(client: &Client, identity: &Identity) -> bool {
    is_in(client, &identity.trusted_relays) || is_in(client, &identity.trusted_networks)
}

fn is_in(client: &Client, networks: &[ipnet::IpNet]) -> bool {
    client.addr.is_some_and(|addr| networks.iter().any(|net| net.contains(&addr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            authserv_id: "mx.example.org".into(),
            authserv_ids_ours: vec![],
            local_domains: vec![],
            trusted_networks: vec!["127.0.0.0/8".parse().unwrap()],
            trusted_relays: vec!["127.0.0.9/32".parse().unwrap()],
            originating_daemons: vec!["ORIGINATING".into()],
        }
    }

    #[test]
    fn the_first_that_holds_decides() {
        let mut envelope = Envelope::default();
        let origin = |envelope: &Envelope| decide(envelope, &identity()).origin;
        envelope.client.addr = Some("192.0.2.1".parse().unwrap());
        assert_eq!(origin(&envelope), Origin::Inbound);
        envelope.client.addr = Some("127.0.0.1".parse().unwrap());
        assert_eq!(origin(&envelope), Origin::Local);
        envelope.daemon_name = Some("ORIGINATING".into());
        assert_eq!(origin(&envelope), Origin::Submission);
        envelope.auth_user = Some("joe".into());
        assert_eq!(origin(&envelope), Origin::Authenticated);
        envelope.client.addr = Some("127.0.0.9".parse().unwrap());
        assert_eq!(origin(&envelope), Origin::Relay);
    }

    #[test]
    fn a_client_without_an_address_is_not_trusted() {
        assert_eq!(decide(&Envelope::default(), &identity()).origin, Origin::Inbound);
    }
}
