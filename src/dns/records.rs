//! Records to publish, as lines of a zone file (RFC 1035 §5.1), of nsupdate, of JSON, or plain.

use std::fmt::{self, Write as _};

use serde_json::json;

/// The most octets of one character-string (RFC 1035 §3.3).
const STRING_BYTES_MAX: usize = 255;

/// A record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The owner's name, without a final dot.
    pub name: String,
    /// What it holds.
    pub data: Data,
    /// One line on what it is for.
    pub note: String,
}

/// What a record holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Data {
    /// TXT: the text, its character-strings joined.
    Txt(String),
    /// CNAME: the other name, without a final dot.
    Cname(String),
}

/// The ways in which records are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Lines of a zone file.
    Zone,
    /// Commands of nsupdate.
    Nsupdate,
    /// One array.
    Json,
    /// Name, type and value by themselves, for the forms of web sites.
    Plain,
}

impl Record {
    /// A TXT record.
    pub fn txt(name: impl Into<String>, text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { name: name.into(), data: Data::Txt(text.into()), note: note.into() }
    }

    /// The domain's DMARC record to begin with: it asks for nothing but reports (RFC 9989).
    pub fn dmarc_to_begin_with(domain: &str) -> Self {
        let text = format!("v=DMARC1; p=none; rua=mailto:dmarc-reports@{domain}");
        Self::txt(format!("_dmarc.{domain}"), text, "DMARC to begin with")
    }

    fn type_name(&self) -> &'static str {
        match self.data {
            Data::Txt(_) => "TXT",
            Data::Cname(_) => "CNAME",
        }
    }

    /// The value without quotes and escapes.
    fn value(&self) -> &str {
        match &self.data {
            Data::Txt(text) => text,
            Data::Cname(target) => target,
        }
    }

    /// The value in a zone file, its character-strings `between` each other.
    fn quoted_value(&self, between: &str) -> String {
        match &self.data {
            Data::Txt(text) => {
                strings(text.as_bytes()).map(quoted).collect::<Vec<_>>().join(between)
            }
            Data::Cname(target) => format!("{target}."),
        }
    }

    /// A line of a zone file, and more where the value has several character-strings.
    pub fn zone_lines(&self, ttl_secs: Option<u32>) -> String {
        let ttl = ttl_secs.map(|ttl| format!(" {ttl}")).unwrap_or_default();
        let value = self.quoted_value("\n    ");
        let (open, close) = if matches!(self.data, Data::Txt(_)) { ("( ", " )") } else { ("", "") };
        format!("{}.{ttl} IN {} {open}{value}{close}", self.name, self.type_name())
    }

    /// Commands for the record alone: those of one `send` must lie in one zone. Where the name is
    /// the record's own, what it had before goes; an SPF record shares its name with others.
    fn nsupdate_lines(&self, ttl_secs: u32) -> String {
        let (name, type_name) = (&self.name, self.type_name());
        let is_shared = !name.split('.').any(|label| label.starts_with('_'));
        let delete = match self.data {
            Data::Txt(_) if !is_shared => format!("update delete {name}. TXT\n"),
            _ => String::new(),
        };
        let value = self.quoted_value(" ");
        format!("{delete}update add {name}. {ttl_secs} {type_name} {value}\nsend")
    }

    fn json(&self, ttl_secs: u32) -> serde_json::Value {
        let mut value = json!({
            "name": self.name,
            "type": self.type_name(),
            "ttl_secs": ttl_secs,
            "value": self.value(),
            "note": self.note,
        });
        if let Data::Txt(text) = &self.data {
            let strings = strings(text.as_bytes()).map(String::from_utf8_lossy);
            value["strings"] = strings.collect();
        }
        value
    }
}

/// One line a character-string, the whole in parentheses.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.zone_lines(None))
    }
}

/// The records in that way.
pub fn format(records: &[Record], format: Format, ttl_secs: u32) -> String {
    let join = |lines: Vec<String>| lines.join("\n");
    let notes = |line: fn(&Record, u32) -> String| {
        let lines = records.iter();
        join(lines.map(|record| format!("; {}\n{}", record.note, line(record, ttl_secs))).collect())
    };
    match format {
        Format::Zone => notes(|record, ttl_secs| record.zone_lines(Some(ttl_secs))),
        Format::Nsupdate => notes(Record::nsupdate_lines),
        Format::Json => {
            let records: serde_json::Value =
                records.iter().map(|record| record.json(ttl_secs)).collect();
            format!("{records:#}")
        }
        Format::Plain => join(
            records
                .iter()
                .map(|record| {
                    let Record { name, note, .. } = record;
                    format!("{note}\n  {name}\n  {}\n  {}\n", record.type_name(), record.value())
                })
                .collect(),
        ),
    }
}

/// A text in character-strings that fit; an empty text is one empty string.
pub(super) fn strings(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = text.is_empty().then_some(text);
    text.chunks(STRING_BYTES_MAX).chain(empty)
}

/// A character-string in quotes (RFC 1035 §5.1).
fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => {
                let _ = write!(text, "\\{octet:03}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        Record::txt("a.example", text, "a note")
    }

    #[test]
    fn strings_are_split_at_255_octets() {
        let lengths = |octets: usize| -> Vec<usize> {
            strings("x".repeat(octets).as_bytes()).map(<[u8]>::len).collect()
        };
        assert_eq!([lengths(0), lengths(255), lengths(256)], [vec![0], vec![255], vec![255, 1]]);
        let line = record(&"x".repeat(256)).to_string();
        assert_eq!(line, format!("a.example. IN TXT ( \"{}\"\n    \"x\" )", "x".repeat(255)));
    }

    #[test]
    fn quotes_and_what_is_not_printable_are_escaped() {
        let line = record("a\"b\\c\tü;(").to_string();
        assert_eq!(line, r#"a.example. IN TXT ( "a\"b\\c\009\195\188;(" )"#);
    }

    #[test]
    fn aliases_have_no_quotes() {
        let data = Data::Cname("b.example".to_owned());
        let record = Record { name: "a.example".to_owned(), data, note: "a note".to_owned() };
        let zone = format(std::slice::from_ref(&record), Format::Zone, 60);
        assert_eq!(zone, "; a note\na.example. 60 IN CNAME b.example.");
        let commands = format(&[record], Format::Nsupdate, 60);
        assert_eq!(commands, "; a note\nupdate add a.example. 60 CNAME b.example.\nsend");
    }
}
