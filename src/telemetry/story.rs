//! The whole story of a message, a line a step: who sent it, what decided, each look-up and its
//! answer, each result, hit and change. It is what `mailseal check` prints, at the time of the mail.
//!
//! It is told for the clients and domains that the operator names, and for all messages at level
//! debug. Where it is not wanted nothing is kept and nothing is put into words.

use crate::config::Telemetry;
use crate::message::domain::{is_within, normalize};
use crate::message::envelope::{Client, Envelope};
use crate::text;
use crate::verdict::Verdict;

use super::personal;

/// The log's name for it, in `telemetry.filter`.
const TARGET: &str = "mailseal::story";
/// Recipients that are named.
const RECIPIENTS_MAX: usize = 20;

/// Whether the look-ups for a client's messages must be kept: it may be one of those whose story is
/// told.
pub(crate) fn may_be_told(config: &Telemetry, client: &Client) -> bool {
    !config.story_domains.is_empty() || is_client_named(config, client) || is_debug()
}

/// Whether the story of this message is told.
pub(crate) fn is_told(config: &Telemetry, envelope: &Envelope, author: Option<&str>) -> bool {
    is_debug() || is_chosen(config, envelope, author)
}

/// Whether it is one that the operator has named.
pub(crate) fn is_chosen(config: &Telemetry, envelope: &Envelope, author: Option<&str>) -> bool {
    is_client_named(config, &envelope.client)
        || is_domain_named(&config.story_domains, envelope, author)
}

/// Whether what a message says may be told, beside what was found of it.
pub(crate) fn tells_content() -> bool {
    !personal::is_hashed()
}

fn is_debug() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
}

fn is_client_named(config: &Telemetry, client: &Client) -> bool {
    client.addr.is_some_and(|addr| config.story_clients.iter().any(|net| net.contains(&addr)))
}

fn is_domain_named(domains: &[String], envelope: &Envelope, author: Option<&str>) -> bool {
    if domains.is_empty() {
        return false;
    }
    let named = |domain: &str| domains.iter().any(|named| is_within(domain, named));
    let paths = std::iter::once(&envelope.mail_from).chain(&envelope.recipients);
    let of_path = |path: &String| path.rsplit_once('@').and_then(|(_, domain)| normalize(domain));
    author.is_some_and(named) || paths.filter_map(of_path).any(|domain| named(&domain))
}

/// Writes the story, where the verdict has one.
pub(super) fn tell(verdict: &Verdict, known: &[String]) {
    let Some(story) = &verdict.trail.story else { return };
    let queue_id = text::visible(verdict.queue_id.as_deref().unwrap_or("-"));
    let is_chosen = story.is_chosen;
    let tell = |step: &str| {
        let step = personal::sentence(step, known);
        if is_chosen {
            tracing::info!(target: TARGET, %queue_id, "{step}");
        } else {
            tracing::debug!(target: TARGET, %queue_id, "{step}");
        }
    };
    for step in envelope(&verdict.trail.envelope).iter().chain(&story.explained) {
        tell(step);
    }
    let facts = verdict.to_string();
    facts.lines().filter(|line| !line.starts_with("hit ")).for_each(tell);
    for hit in &verdict.hits {
        // It shows what somebody wrote.
        let found = hit.found.as_ref().map(ToString::to_string).unwrap_or_default();
        tell(&format!("hit {hit} {}", personal::content(&found)));
    }
}

/// What the MTA told.
fn envelope(envelope: &Envelope) -> Vec<String> {
    let Envelope { client, helo, mail_from, recipients, auth_user, daemon_name, .. } = envelope;
    let or_dash = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), personal::one);
    let addr = client.addr.map_or("-".to_owned(), |addr| personal::one(&addr.to_string()));
    let mut steps = vec![
        format!("client {addr} name {} helo {}", or_dash(&client.name), or_dash(helo)),
        format!(
            "macros auth_authen or auth_type {} daemon_name {}",
            or_dash(auth_user),
            text::visible(daemon_name.as_deref().unwrap_or("-"))
        ),
        format!("mail from <{}>", personal::one(mail_from)),
    ];
    let named = recipients.iter().take(RECIPIENTS_MAX);
    steps.extend(named.map(|recipient| format!("rcpt to <{}>", personal::one(recipient))));
    let more = recipients.len().saturating_sub(RECIPIENTS_MAX);
    steps.extend((more > 0).then(|| format!("and {more} more recipients")));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_message_is_chosen_by_any_of_its_domains() {
        let mut config = Config::default().telemetry;
        config.story_domains = vec!["example.org".into()];
        let envelope = |mail_from: &str, recipient: &str| Envelope {
            mail_from: mail_from.into(),
            recipients: vec!["x@example.net".into(), recipient.into()],
            ..Envelope::default()
        };
        let told = |mail_from, recipient, author| {
            is_domain_named(&config.story_domains, &envelope(mail_from, recipient), author)
        };
        assert!(told("a@sub.EXAMPLE.org", "b@example.net", None));
        assert!(told("", "b@example.org", None));
        assert!(told("", "b@example.net", Some("example.org")));
        assert!(!told("a@notexample.org", "b@example.net", Some("example.net")));
    }
}
