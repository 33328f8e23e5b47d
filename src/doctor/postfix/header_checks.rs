//! `header_checks` that delete or replace what signatures cover, or what we write.
//!
//! `header_checks`, `mime_header_checks` and `nested_header_checks` work before the filters: they break
//! the signatures of others. `smtp_header_checks` works after them: it breaks ours. And
//! `milter_header_checks` sees the fields that filters add.

use super::checks_table::{Line, lines};
use super::main_cf::elements;
use super::{Postfix, checks_table};
use crate::doctor::{Facts, Finding, Severity};

/// What we write, and Postfix is to leave.
const WRITTEN: &[&str] = &[
    "DKIM-Signature",
    "Authentication-Results",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "X-Virus-Status",
    "X-Mailseal-Tag",
    "Received-SPF",
];

/// The parameters that name tables of header checks.
pub const PARAMETERS: &[&str] = &["header_checks", "smtp_header_checks", "milter_header_checks"];

pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    let config = &facts.config.sign;
    let mut signed: Vec<&str> = config.fields.iter().map(String::as_str).collect();
    signed.push("DKIM-Signature");
    signed.dedup();
    let kinds: [(&str, &[&str], Severity, &str); 3] = [
        (
            PARAMETERS[0],
            &signed,
            Severity::Warning,
            "works before mailseal: mail whose signature covers that fails DKIM here, though it came \
             whole",
        ),
        (
            PARAMETERS[1],
            &signed,
            Severity::Error,
            "works after mailseal has signed: every signature over that breaks on its way out",
        ),
        (
            PARAMETERS[2],
            WRITTEN,
            Severity::Error,
            "works on the fields that mailseal adds, and removes them",
        ),
    ];
    let mut findings = Vec::new();
    for (parameter, names, severity, does) in kinds {
        for (value, _) in postfix.values(parameter) {
            for table in elements(&value) {
                let inline = checks_table::inline(&table);
                let text = facts.tables.get(&table).or(inline.as_ref()).map_or("", String::as_str);
                for (line, touched) in editing(text, names) {
                    let says = format!(
                        "{parameter}, {table}: /{}/ {} touches {} and {does}",
                        line.pattern,
                        line.action,
                        touched.join(", ")
                    );
                    let finding = Finding::new("header-checks", severity, says);
                    let remedy = format!("# take out: /{}/ {}", line.pattern, line.action);
                    let place = table.split_once(':').map_or(table.as_str(), |(_, path)| path);
                    findings.push(finding.mend(place, [remedy]));
                }
            }
        }
    }
    findings
}

fn editing<'a>(text: &str, names: &[&'a str]) -> Vec<(Line, Vec<&'a str>)> {
    let lines = lines(text).into_iter().filter(Line::edits);
    let touched = lines.map(|line| {
        let touched = line.touches(names);
        (line, touched)
    });
    touched.filter(|(_, touched)| !touched.is_empty()).collect()
}
