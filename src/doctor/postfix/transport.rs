//! What happens to signed mail on its way out, and what strangers are offered on theirs in.

use super::{Attached, Postfix, place};
use crate::doctor::{Facts, Finding, Severity};

/// RFC 5321 §4.5.3.1.6: 1000 octets with CRLF; longer header lines mailseal folds itself.
const LINE_OCTETS: u32 = 998;

pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let mut findings = line_length(postfix);
    findings.extend(eight_bit(postfix, facts));
    findings.extend(incoming_eight_bit(postfix));
    findings.extend(smtputf8(postfix));
    findings.extend(dsn(postfix, facts));
    findings
}

fn line_length(postfix: &Postfix) -> Vec<Finding> {
    let short = postfix.values("smtp_line_length_limit").into_iter().filter_map(|(value, who)| {
        let limit: u32 = value.trim().parse().ok()?;
        if limit == 0 || limit >= LINE_OCTETS {
            return None;
        }
        let says = format!(
            "smtp_line_length_limit = {limit} breaks every longer line of header and body after \
             mailseal has signed it, and the signature with it"
        );
        let at = who.map_or_else(|| "main.cf".to_owned(), place);
        let line = if who.is_some() {
            "-o smtp_line_length_limit=998"
        } else {
            "smtp_line_length_limit = 998"
        };
        Some(Finding::new("line-length", Severity::Error, says).mend(at, [line]))
    });
    short.collect()
}

/// 8-bit text is re-encoded for a host that does not announce 8BITMIME, after we have signed.
fn eight_bit(postfix: &Postfix, facts: &Facts) -> Option<Finding> {
    if postfix.yes("disable_mime_output_conversion") {
        return None;
    }
    let discarded = postfix.main_value("smtp_discard_ehlo_keywords").to_ascii_lowercase();
    let relay = postfix.main_value("relayhost");
    let lacks = |all: &Vec<String>| !all.iter().any(|word| word.eq_ignore_ascii_case("8BITMIME"));
    let (severity, why) = if discarded.contains("8bitmime") {
        (Severity::Error, "smtp_discard_ehlo_keywords hides 8BITMIME from Postfix".to_owned())
    } else if facts.relay_keywords.as_ref().is_some_and(lacks) {
        (Severity::Error, format!("{relay} does not announce 8BITMIME"))
    } else if facts.relay_keywords.is_none() && !relay.is_empty() {
        (Severity::Note, format!("should {relay} not announce 8BITMIME"))
    } else {
        return None;
    };
    let says = format!(
        "{why}: Postfix turns 8-bit text into quoted-printable when it delivers it there, after \
         mailseal has signed it, and the signature breaks; sent as it is, it arrives whole nearly \
         everywhere"
    );
    let line = "disable_mime_output_conversion = yes";
    Some(Finding::new("eight-bit", severity, says).mend("main.cf", [line]))
}

/// Where 8BITMIME is not offered, honest clients re-encode what they had signed.
fn incoming_eight_bit(postfix: &Postfix) -> Vec<Finding> {
    let hidden = postfix.values("smtpd_discard_ehlo_keywords").into_iter().filter_map(|(value, who)| {
        if !value.to_ascii_lowercase().contains("8bitmime") {
            return None;
        }
        let says = "8BITMIME is not offered to clients (smtpd_discard_ehlo_keywords): those that keep \
                    to it re-encode 8-bit mail that they had signed, and it fails DKIM here";
        let words: Vec<&str> = value
            .split([',', ' '])
            .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("8bitmime"))
            .collect();
        let at = who.map_or_else(|| "main.cf".to_owned(), place);
        let line = format!("smtpd_discard_ehlo_keywords = {}", words.join(", "));
        Some(Finding::new("eight-bit-in", Severity::Warning, says).mend(at, [line]))
    });
    hidden.collect()
}

fn smtputf8(postfix: &Postfix) -> Option<Finding> {
    if postfix.yes("smtputf8_enable") {
        return None;
    }
    let says = "smtputf8_enable = no: mail for and from internationalized addresses is refused; header \
                fields with 8-bit text still pass, and are signed and verified as they are";
    let finding = Finding::new("smtputf8", Severity::Note, says);
    Some(finding.mend("main.cf", ["smtputf8_enable = yes"]))
}

/// RFC 3461: whoever may ask for a success report learns which addresses there are, and has us write to
/// whom a forged sender names.
fn dsn(postfix: &Postfix, facts: &Facts) -> Option<Finding> {
    if postfix.main.is_set("smtpd_discard_ehlo_keyword_address_maps") {
        return None;
    }
    let offers = |one: &&Attached| {
        let words = postfix.value(one.service, "smtpd_discard_ehlo_keywords").to_ascii_lowercase();
        one.service.is_public() && !words.split([',', ' ', '\t']).any(|word| word == "dsn")
    };
    let smtpds = postfix.smtpds(&facts.config.milter.listen);
    let open = smtpds.iter().find(offers)?;
    let says = format!(
        "{} offers DSN to everybody: a stranger can ask for a report of each delivery, to be sent to \
         whatever sender he names",
        open.service.name
    );
    let list = postfix.value(open.service, "smtpd_discard_ehlo_keywords");
    let list = if list.is_empty() { "silent-discard".to_owned() } else { list };
    let line = format!("-o smtpd_discard_ehlo_keywords={list},dsn").replace(' ', "");
    let line = line.replacen("-o", "-o ", 1);
    Some(Finding::new("dsn", Severity::Note, says).mend(place(open.service), [line]))
}
