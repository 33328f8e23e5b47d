//! The one line that says what became of a message and why.

use std::time::Duration;

use super::{personal, story};
use crate::scan::ScanResult;
use crate::text;
use crate::verdict::{Change, Verdict};

/// Writes the line, and the story where it is wanted.
pub fn summary(verdict: &Verdict, elapsed: Duration, observe: bool) {
    let Verdict { auth, trail, .. } = verdict;
    let known = trail.personal();
    let times = &trail.times;
    story::tell(verdict, &known);
    tracing::info!(
        queue_id = %text::visible(verdict.queue_id.as_deref().unwrap_or("-")),
        disposition = %verdict.disposition.as_str(),
        reply = %verdict.reply.as_ref().map_or("-".to_owned(), |reply| said(&reply.to_string(), &known)),
        origin = %verdict.origin.as_str(),
        role = %verdict.role.as_str(),
        client = %trail.envelope.client.addr.map_or("-".to_owned(), |addr| personal::one(&addr.to_string())),
        name = %or_dash(trail.envelope.client.name.as_deref()),
        helo = %or_dash(trail.envelope.helo.as_deref()),
        user = %or_dash(trail.envelope.auth_user.as_deref()),
        sender = %format_args!("<{}>", personal::one(&trail.envelope.mail_from)),
        recipients = trail.envelope.recipients.len(),
        from = %text::visible(trail.author.as_deref().unwrap_or("-")),
        message_id = %trail.message_id.as_deref().map_or("-".to_owned(), |id| personal::content(&text::visible(id))),
        octets = trail.octets,
        iprev = %auth.iprev.as_ref().map_or("-", |iprev| iprev.result.as_str()),
        // The one of HELO may name a client.
        spf = %said(&list(auth.spf.iter().map(|spf| format!("{}({})", spf.result, text::visible(&spf.domain)))), &known),
        dkim = %list(auth.dkim.iter().map(|dkim| format!("{}({})", dkim.result, text::visible(&dkim.domain)))),
        arc = %auth.arc.as_ref().map_or("-", |arc| arc.result.as_str()),
        dmarc = %auth.dmarc.as_ref().map_or("-", |dmarc| dmarc.result.as_str()),
        hits = %list(verdict.hits.iter().map(ToString::to_string)),
        scan = %verdict.scan.as_ref().map_or("-".to_owned(), ScanResult::in_full),
        signed = %list(signatures(&verdict.changes)),
        not_signed = %list(verdict.not_signed.iter().map(|reason| reason.label().to_owned())),
        limits = %list(verdict.limits.iter().map(ToString::to_string)),
        observe,
        ms = ms(elapsed),
        body_ms = ms(times.body),
        auth_ms = ms(times.authenticate),
        rules_ms = ms(times.rules),
        scan_ms = ms(times.scan),
        sign_ms = ms(times.sign),
        reasons = %said(&verdict.reasons.join("; "), &known),
        "message"
    );
}

fn or_dash(name: Option<&str>) -> String {
    name.map_or("-".to_owned(), personal::one)
}

/// Our own sentence, which may name a person or a client.
fn said(sentence: &str, known: &[String]) -> String {
    personal::sentence(sentence, known).into_owned()
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "-".to_owned() } else { items.join(",") }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Selector and domain of each signature that was made.
fn signatures(changes: &[Change]) -> impl Iterator<Item = String> {
    changes.iter().filter_map(|change| match change {
        Change::InsertHeader { name, value } if name == "DKIM-Signature" => {
            let tag = |wanted: &str| {
                let mut tags = value.split(';').filter_map(|tag| tag.trim().split_once('='));
                tags.find(|(tag, _)| *tag == wanted).map_or("-", |(_, value)| value.trim())
            };
            Some(format!("{}({})", tag("s"), tag("d")))
        }
        _ => None,
    })
}
