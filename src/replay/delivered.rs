//! A delivered message as it was when it came: its envelope is in the fields that delivery put on
//! top of it, and these are taken away again.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Identity, Limits};
use crate::message::Draft;
use crate::message::envelope::{Client, Envelope, bare_path};
use crate::message::file;
use crate::message::header::HeaderBlock;
use crate::message::received;

/// The fields that delivery adds, above all Received fields.
const ADDED: [&str; 5] =
    ["Return-Path", "Delivered-To", "X-Original-To", "X-Envelope-From", "X-Envelope-To"];

/// What the command line says of all envelopes, in the place of what a message tells.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The client's address.
    pub client_addr: Option<IpAddr>,
    /// Its name.
    pub client_name: Option<String>,
    /// What it said at HELO.
    pub helo: Option<String>,
    /// The reverse path.
    pub mail_from: Option<String>,
    /// The recipients; none: the message's.
    pub recipients: Vec<String>,
    /// The user.
    pub auth_user: Option<String>,
    /// The MTA's listener.
    pub daemon_name: Option<String>,
}

/// The message with its envelope, and its body.
pub fn draft(
    octets: &[u8],
    overrides: &Overrides,
    identity: &Identity,
    limits: &Limits,
) -> (Draft, Vec<u8>) {
    let (mut draft, body) = file::parse(octets, Envelope::default(), limits);
    let (added, headers) = split(&draft.headers);
    let mut envelope = envelope(&added, &headers, overrides, identity);
    let recipients = std::mem::take(&mut envelope.recipients);
    draft.envelope = envelope;
    draft.headers = headers;
    for recipient in recipients {
        draft.add_recipient(recipient, limits);
    }
    (draft, body)
}

/// What delivery put on top, and the rest.
fn split(headers: &HeaderBlock) -> (HeaderBlock, HeaderBlock) {
    let (mut added, mut rest) = (HeaderBlock::default(), HeaderBlock::default());
    let mut is_on_top = true;
    for field in headers.iter() {
        is_on_top &= !field.is("Received");
        let is_added = is_on_top && ADDED.iter().any(|name| field.is(name));
        let to = if is_added { &mut added } else { &mut rest };
        to.push(field.name, field.value);
    }
    (added, rest)
}

fn envelope(
    added: &HeaderBlock,
    headers: &HeaderBlock,
    overrides: &Overrides,
    identity: &Identity,
) -> Envelope {
    let told = |names: &[&str]| names.iter().find_map(|name| path(added, name));
    let (addr, helo) = client(headers, identity);
    let recipient = told(&["X-Envelope-To", "X-Original-To", "Delivered-To"]);
    Envelope {
        client: Client {
            addr: overrides.client_addr.map(|addr| addr.to_canonical()).or(addr),
            name: overrides.client_name.clone().filter(|name| name != "unknown"),
        },
        helo: overrides.helo.clone().or(helo),
        mail_from: overrides
            .mail_from
            .clone()
            .or_else(|| told(&["X-Envelope-From", "Return-Path"]))
            .unwrap_or_default(),
        recipients: match overrides.recipients.as_slice() {
            [] => recipient.into_iter().collect(),
            named => named.to_vec(),
        },
        auth_user: overrides.auth_user.clone(),
        daemon_name: overrides.daemon_name.clone(),
        ..Envelope::default()
    }
}

/// Who handed it to us, hosts of ours passed over; where there are only such, the last of them.
fn client(headers: &HeaderBlock, identity: &Identity) -> (Option<IpAddr>, Option<String>) {
    let ours: Vec<IpNet> =
        identity.trusted_relays.iter().chain(&identity.trusted_networks).copied().collect();
    let from = received::client(headers, &ours).or_else(|| received::client(headers, &[]));
    from.map(|from| (from.addr, from.helo)).unzip()
}

fn path(headers: &HeaderBlock, name: &str) -> Option<String> {
    let field = headers.named(name).next()?;
    let text = str::from_utf8(field.value).ok()?.trim();
    Some(bare_path(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const MESSAGE: &str = "Return-Path: <joe@example.net>\nX-Original-To: ann@example.org\n\
        Delivered-To: ann.inner@example.org\n\
        Received: from localhost (localhost [127.0.0.1]) by mx with ESMTP\n\
        Received: from h.example (mx.example [192.0.2.7]) by mx with ESMTP\n\
        Delivered-To: list@example.com\nFrom: joe@example.net\n\nHello\n";

    fn of(text: &str, overrides: &Overrides) -> Draft {
        let Config { identity, limits, .. } = Config::default();
        draft(text.as_bytes(), overrides, &identity, &limits).0
    }

    #[test]
    fn the_envelope_is_in_what_delivery_added() {
        let Draft { envelope, headers, .. } = of(MESSAGE, &Overrides::default());
        assert_eq!(envelope.client.addr, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(envelope.helo.as_deref(), Some("h.example"));
        assert_eq!(envelope.mail_from, "joe@example.net");
        assert_eq!(envelope.recipients, ["ann@example.org"]);
        // It would be taken for one that loops.
        let delivered: Vec<_> = headers.named("Delivered-To").map(|field| field.value).collect();
        assert_eq!(delivered, [b" list@example.com"]);
        assert_eq!(headers.named("Return-Path").count(), 0);
    }

    #[test]
    fn what_is_said_for_all_goes_before() {
        let overrides = Overrides {
            client_addr: Some("::ffff:198.51.100.1".parse().unwrap()),
            mail_from: Some(String::new()),
            recipients: vec!["bob@example.org".into()],
            auth_user: Some("joe".into()),
            ..Overrides::default()
        };
        let Envelope { client, mail_from, recipients, auth_user, .. } =
            of(MESSAGE, &overrides).envelope;
        assert_eq!(client.addr, Some("198.51.100.1".parse().unwrap()));
        assert_eq!((mail_from.as_str(), auth_user.as_deref()), ("", Some("joe")));
        assert_eq!(recipients, ["bob@example.org"]);
        let bare = of("From: joe@example.net\n\n", &Overrides::default()).envelope;
        assert_eq!((bare.client.addr, bare.recipients.len()), (None, 0));
    }
}
