//! What is said about a mail host: a sentence, how grave it is, and the lines that mend it.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Mail is lost, not signed, not verified, or signed for strangers.
    Error,
    /// Some mail is.
    Warning,
    /// Worth knowing; nothing breaks by it alone.
    Note,
}

/// One thing that will break.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// What scripts know it by.
    pub name: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What happens, and why; one line.
    pub says: String,
    /// What to paste.
    pub remedy: Vec<Remedy>,
}

/// Lines for one file, or for the shell.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Remedy {
    /// `main.cf`, `master.cf, submission`, `sendmail.mc`, `mailseal.toml`, `shell` and so on.
    pub place: String,
    /// To be pasted as they are.
    pub lines: Vec<String>,
}

/// All that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The gravest first.
    pub findings: Vec<Finding>,
}

impl Finding {
    pub(super) fn new(name: &'static str, severity: Severity, says: impl AsRef<str>) -> Self {
        Self { name, severity, says: plain(says.as_ref()), remedy: Vec::new() }
    }

    /// The same with lines to paste.
    #[must_use]
    pub(super) fn mend<I>(mut self, place: impl Into<String>, lines: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let lines = lines.into_iter().map(|line| plain(line.as_ref())).collect();
        self.remedy.push(Remedy { place: place.into(), lines });
        self
    }
}

impl Report {
    /// Whether anything but notes was found.
    pub fn has_faults(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity != Severity::Note)
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} [{}]", self.severity, self.says, self.name)?;
        for Remedy { place, lines } in &self.remedy {
            writeln!(f, "    {place}:")?;
            for line in lines {
                writeln!(f, "        {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let [errors, warnings, notes] =
            [Severity::Error, Severity::Warning, Severity::Note].map(|one| self.count(one));
        let all = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let (errors, warnings) = (all(errors, "error"), all(warnings, "warning"));
        writeln!(f, "{errors}, {warnings}, {}", all(notes, "note"))
    }
}

/// With the counts, for those who look at nothing else.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 4)?;
        report.serialize_field("errors", &self.count(Severity::Error))?;
        report.serialize_field("warnings", &self.count(Severity::Warning))?;
        report.serialize_field("notes", &self.count(Severity::Note))?;
        report.serialize_field("findings", &self.findings)?;
        report.end()
    }
}

/// Foreign text as a line of a terminal.
fn plain(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.into() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_its_line() {
        let finding = Finding::new("dsn", Severity::Note, "a\u{1b}[2J\nb");
        let text = finding.mend("main.cf", ["c\r\u{1b}"]).to_string();
        assert_eq!(text, "note: a\\u{1b}[2J\\nb [dsn]\n    main.cf:\n        c\\r\\u{1b}\n");
    }
}
