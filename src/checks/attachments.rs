//! Attachments that are not wanted, and mail whose structure hides what it holds.
//!
//! What readers may differ about is looked at in all readings: a name is denied where any reading of
//! it is. What begins past `attachments.body_bytes_max` is not seen.

use super::{Finding, finding};
use crate::config::{AttachmentMode, Attachments};
use crate::message::header::HeaderBlock;
use crate::message::mime::{Ambiguity, Attachment, Limit, Member, Mime};
use crate::text;
use crate::verdict::Action;

/// Names and words in one reason.
const SHOWN_MAX: usize = 5;

/// Whether there may be something in the body: in a text alone there is nothing.
pub(crate) fn wants_body(config: &Attachments, headers: &HeaderBlock) -> bool {
    let mut types = headers.named("Content-Type");
    let is_text =
        types.next().is_none_or(|field| is_plain_text(field.value)) && types.next().is_none();
    config.is_on() && !(is_text && headers.named("Content-Disposition").next().is_none())
}

fn is_plain_text(value: &[u8]) -> bool {
    let value = value.trim_ascii().to_ascii_lowercase();
    let is_text = value.starts_with(b"text/plain") || value.starts_with(b"text/html");
    is_text && memchr::memmem::find(&value, b"name").is_none()
}

/// What is wrong with the attachments of a message.
pub(crate) fn findings(config: &Attachments, mime: &Mime<'_>) -> Vec<Finding> {
    if !config.is_on() {
        return Vec::new();
    }
    let attachments = mime.attachments();
    let denied = attachments.iter().flat_map(|attachment| denied(config, attachment));
    let encrypted = attachments.iter().filter(|attachment| attachment.is_encrypted);
    let encrypted = encrypted.map(name);
    let ambiguities = mime.structural_ambiguities();
    let ambiguities = ambiguities.iter().filter(|found| config.ambiguities.contains(found));
    let limits = mime.structural_limits();
    let limits = limits.iter().filter(|limit| **limit != Limit::BodyCut);
    let of = |action, tag, what: &str, found: Vec<String>| found_of(action, tag, what, &found);
    [
        of(config.action, "denied-attachment", "attachment not allowed: ", denied.collect()),
        of(
            config.encrypted,
            "encrypted-attachment",
            "attachment with a password: ",
            encrypted.collect(),
        ),
        of(
            config.ambiguous,
            "ambiguous-mime",
            "structure that readers differ about: ",
            ambiguities.map(Ambiguity::to_string).collect(),
        ),
        of(
            config.over_limit,
            "mime-limit",
            "not looked into to the end: ",
            limits.map(Limit::to_string).collect(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn found_of(action: Action, tag: &'static str, what: &str, found: &[String]) -> Option<Finding> {
    let first = found.first()?;
    let others = found.iter().skip(1).take(SHOWN_MAX - 1).map(String::as_str);
    let mut list = others.fold(first.clone(), |list, other| list + ", " + other);
    if found.len() > SHOWN_MAX {
        list.extend([" and ", &(found.len() - SHOWN_MAX).to_string(), " more"]);
    }
    Some(finding(action, tag, "5.7.1", format!("{what}{list}")))
}

/// What of an attachment the lists deny.
fn denied(config: &Attachments, attachment: &Attachment) -> Vec<String> {
    let types = attachment.types.iter().map(String::as_str).chain(attachment.true_type);
    let mut found: Vec<String> = match config.mode {
        AttachmentMode::Deny => {
            let by_name = attachment.names.iter().filter(|name| is_listed(config, name));
            let by_type = types.filter(|kind| config.types.contains(*kind));
            by_name.map(text::visible).chain(by_type.map(text::visible)).collect()
        }
        AttachmentMode::Allow => {
            let by_name = attachment.names.iter().filter(|name| !is_listed(config, name));
            let by_type = attachment.true_type.filter(|kind| !config.types.contains(*kind));
            by_name.map(text::visible).chain(by_type.map(text::visible)).collect()
        }
    };
    if config.members {
        let members = attachment.members.iter().filter(|member| is_denied(config, member));
        found.extend(
            members
                .map(|member| format!("{} in {}", text::visible(&member.path), name(attachment))),
        );
    }
    found.dedup();
    found
}

fn is_denied(config: &Attachments, member: &Member) -> bool {
    let is_listed = is_listed(config, &member.path);
    match config.mode {
        AttachmentMode::Deny => {
            is_listed || member.true_type.is_some_and(|kind| config.types.contains(kind))
        }
        AttachmentMode::Allow => !is_listed,
    }
}

fn is_listed(config: &Attachments, name: &str) -> bool {
    crate::message::mime::extension(name)
        .is_some_and(|extension| config.extensions.contains(&extension))
}

fn name(attachment: &Attachment) -> String {
    let name = attachment.names.first().or(attachment.types.first());
    text::visible(name.map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn tags(
        headers: &[(&str, &str)],
        body: &str,
        config: &Attachments,
    ) -> Vec<(&'static str, String)> {
        let mut block = HeaderBlock::default();
        for (name, value) in headers {
            block.push(name.as_bytes(), value.as_bytes());
        }
        let mime = Mime::parse(&block, body.as_bytes(), false, &config.limits);
        findings(config, &mime).into_iter().map(|finding| (finding.tag, finding.cause)).collect()
    }

    #[test]
    fn what_runs_is_denied_in_every_reading_of_its_name() {
        let config = Config::default().attachments;
        for (value, is_denied) in [
            (" application/octet-stream; name=\"a.exe\"", true),
            (" application/octet-stream; name=a.txt; name*=''a.exe", true),
            (" application/octet-stream; name=\"=?utf-8?q?a=2Eexe?=\"", true),
            (" application/octet-stream; name=\"a.exe .\"", true),
            (" application/x-msdownload", true),
            (" application/pdf; name=\"exe.pdf\"", false),
        ] {
            let found = tags(&[("Content-Type", value)], "text", &config);
            assert_eq!(
                found.iter().any(|(tag, _)| *tag == "denied-attachment"),
                is_denied,
                "{value}"
            );
        }
        let program = "TVqQAAMAAAAEAAAA//8AALgAAAAAAAAA";
        let headers =
            [("Content-Type", " image/png; name=a.png"), ("Content-Transfer-Encoding", " base64")];
        let cause = "attachment not allowed: application/vnd.microsoft.portable-executable";
        assert_eq!(tags(&headers, program, &config), [("denied-attachment", cause.to_owned())]);
    }

    #[test]
    fn what_is_not_named_is_denied_in_an_allow_list() {
        let mut config = Config::default().attachments;
        config.mode = AttachmentMode::Allow;
        config.extensions = ["pdf".to_owned()].into();
        config.types = ["application/pdf".to_owned()].into();
        let pdf = " application/pdf; name=a.pdf";
        assert_eq!(tags(&[("Content-Type", pdf)], "%PDF-1.7", &config), []);
        let text = " application/pdf; name=a";
        assert_eq!(tags(&[("Content-Type", text)], "%PDF-1.7", &config).len(), 1);
        assert_eq!(tags(&[("Content-Type", pdf)], "\u{89}PNG\r\n\u{1a}\n", &config), []);
        assert_eq!(tags(&[("Content-Type", pdf)], "GIF89a rest", &config).len(), 1);
    }

    #[test]
    fn two_boundaries_are_ambiguous() {
        let config = Config::default().attachments;
        let value = " multipart/mixed; boundary=a; boundary=b";
        let body =
            "--a\r\n\r\nx\r\n--a--\r\n--b\r\nContent-Type: x/y; name=b.exe\r\n\r\nx\r\n--b--\r\n";
        let found: Vec<&str> = tags(&[("Content-Type", value)], body, &config)
            .into_iter()
            .map(|(tag, _)| tag)
            .collect();
        assert_eq!(found, ["denied-attachment", "ambiguous-mime"]);
    }

    #[test]
    fn plain_text_is_not_kept() {
        let config = Config::default().attachments;
        for (value, wants) in [
            (" text/plain; charset=utf-8", false),
            (" text/plain; name=x", true),
            (" multipart/mixed; boundary=x", true),
            (" ; text/plain", true),
        ] {
            let mut block = HeaderBlock::default();
            assert!(!wants_body(&config, &block));
            block.push(b"Content-Type", value.as_bytes());
            assert_eq!(wants_body(&config, &block), wants, "{value}");
        }
    }
}
