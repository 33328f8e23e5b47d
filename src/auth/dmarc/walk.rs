//! The DNS tree walk (RFC 9989 §4.10): where the records are, and which domain is the
//! organizational one.
//!
//! Failure: a name whose look-up failed for now may hide a record. It leaves open what the walk
//! was to find, unless the walk ended below it.

use futures_util::future::join_all;

use super::record::{Psd, Record};
use crate::dns::{Dns, LookupError};

/// RFC 9989 §4.10 step 4: a longer name is shortened to this many labels after the first query,
/// so that a walk has eight queries at most.
const LABELS_MAX: usize = 7;

/// What the names from a domain up to its top-level domain publish.
#[derive(Clone, Debug)]
pub struct Walk {
    /// From the longest name to the one where the walk ended.
    steps: Vec<(String, Answer)>,
}

/// What one name publishes.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Record(Record),
    Nothing,
    Unknown(String),
}

/// Asks all names of a normalized domain's walk side by side: one round of DNS, where the RFC's
/// order would be a round for each. What stands above the walk's end is not looked at.
pub async fn walk(dns: &Dns, domain: &str) -> Walk {
    let names = names(domain);
    let answers = join_all(names.iter().map(|name| ask(dns, name))).await;
    let mut steps: Vec<_> = names.into_iter().map(str::to_owned).zip(answers).collect();
    // RFC 9989 §4.10 steps 2 and 6.
    let is_end = |(_, answer): &(String, Answer)| matches!(answer, Answer::Record(record) if record.psd != Psd::Unsaid);
    if let Some(end) = steps.iter().position(is_end) {
        steps.truncate(end + 1);
    }
    Walk { steps }
}

impl Walk {
    /// The record that applies to the domain of the walk, and where it stands: its own, its
    /// organizational domain's, or its public suffix's (RFC 9989 §4.10.1). The error says why DNS
    /// could not tell.
    pub(super) fn policy_record(&self) -> Result<Option<(&str, &Record)>, &str> {
        match self.steps.first() {
            Some((name, Answer::Record(record))) => return Ok(Some((name, record))),
            Some((_, Answer::Unknown(why))) => return Err(why),
            _ => {}
        }
        let organizational = self.organizational_domain()?;
        let records = || {
            self.steps.iter().filter_map(|(name, answer)| match answer {
                Answer::Record(record) => Some((name.as_str(), record)),
                _ => None,
            })
        };
        let own = records().find(|(name, _)| *name == organizational);
        Ok(own.or_else(|| records().next_back().filter(|(_, record)| record.psd == Psd::Yes)))
    }

    /// The organizational domain (RFC 9989 §4.10.2). The error says why DNS could not tell.
    pub fn organizational_domain(&self) -> Result<&str, &str> {
        let mut found = self.start();
        for (name, answer) in &self.steps {
            match answer {
                Answer::Unknown(why) => return Err(why),
                // Rule 2. A public suffix where the walk starts is its own.
                Answer::Record(record) if record.psd == Psd::Yes => {
                    found = one_label_below(name, self.start());
                }
                // Rules 1 and 3: `psd=n` ends the walk, else the fewest labels count.
                Answer::Record(_) => found = name,
                Answer::Nothing => {}
            }
        }
        Ok(found)
    }

    fn start(&self) -> &str {
        self.steps.first().map_or("", |(name, _)| name)
    }
}

/// The names of a walk: the domain itself, then from at most seven labels up to one.
fn names(domain: &str) -> Vec<&str> {
    let parents: Vec<&str> = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]).collect();
    let first = parents.len().saturating_sub(LABELS_MAX);
    std::iter::once(domain).chain(parents[first..].iter().copied()).collect()
}

/// The name under `parent` on the way to `name`, which stands below it or is it.
fn one_label_below<'a>(parent: &str, name: &'a str) -> &'a str {
    let above = name.len().saturating_sub(parent.len() + 1);
    name[..above].rfind('.').map_or(name, |dot| &name[dot + 1..])
}

/// Asks for the record of one name.
pub(super) async fn ask(dns: &Dns, name: &str) -> Answer {
    match dns.txt(&format!("_dmarc.{name}")).await {
        Ok(texts) => {
            let mut records = texts.iter().filter_map(|text| Record::parse(text));
            // RFC 9989 §4.10 steps 2 and 6: several records are as good as none.
            match (records.next(), records.next()) {
                (Some(record), None) => Answer::Record(record),
                _ => Answer::Nothing,
            }
        }
        Err(LookupError::NotFound | LookupError::Empty) => Answer::Nothing,
        Err(error @ LookupError::Temporary(_)) => {
            Answer::Unknown(format!("look-up of _dmarc.{name}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_names_at_most() {
        assert_eq!(names("com"), ["com"]);
        assert_eq!(
            names("a.mail.example.com"),
            ["a.mail.example.com", "mail.example.com", "example.com", "com"]
        );
        assert_eq!(names("a.b.c.d.e.f.example.com").len(), 8);
        // RFC 9989 §4.10's own example.
        assert_eq!(
            names("a.b.c.d.e.f.g.h.i.j.mail.example.com"),
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ]
        );
        assert_eq!(names(&format!("{}com", "a.".repeat(126))).len(), 8);
    }

    #[test]
    fn the_label_below() {
        assert_eq!(one_label_below("com", "a.mail.example.com"), "example.com");
        assert_eq!(one_label_below("co.uk", "example.co.uk"), "example.co.uk");
        assert_eq!(one_label_below("co.uk", "co.uk"), "co.uk");
    }
}
