//! What was asked of DNS and what it said, kept where somebody wants to read it: `mailseal check`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::rr::{RData, Record, RecordType};

use super::LookupError;
use crate::text;

/// Look-ups that are shown; of more only the count is.
const SHOWN_MAX: usize = 40;
/// Records of one answer that are shown.
const RECORDS_MAX: usize = 10;

/// The look-ups of one method, in the order in which they were started.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// One look-up: the type, the name as it was asked for, and the answer, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Asked {
    record_type: RecordType,
    name: String,
    answer: String,
}

impl Trace {
    /// Notes a question; the answer comes under the number returned. An equal one is noted once.
    pub(super) fn ask(&self, record_type: RecordType, name: &str) -> usize {
        let mut asked = self.lock();
        let known = |one: &Asked| one.record_type == record_type && one.name == name;
        asked.iter().position(known).unwrap_or_else(|| {
            let answer = "no answer was waited for".to_owned();
            asked.push(Asked { record_type, name: name.to_owned(), answer });
            asked.len() - 1
        })
    }

    /// Notes the answer.
    pub(super) fn answer(&self, number: usize, answer: &Result<Vec<Record>, LookupError>) {
        let words = match answer {
            Ok(records) => in_words(records),
            Err(error) => error.to_string(),
        };
        if let Some(asked) = self.lock().get_mut(number) {
            asked.answer = words;
        }
    }

    /// The look-ups, one a line: `TXT of example.org: "v=spf1 -all"`, in printable ASCII.
    pub fn lines(&self) -> Vec<String> {
        let asked = self.lock();
        let more = asked.len().saturating_sub(SHOWN_MAX);
        let lines = asked.iter().take(SHOWN_MAX).map(ToString::to_string);
        lines.chain((more > 0).then(|| format!("{more} more look-ups"))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        // Every state of the list is a good one.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record_type, name, answer } = self;
        let name = name.strip_suffix('.').unwrap_or(name);
        write!(f, "{record_type} of {}: {answer}", text::shown(name))
    }
}

fn in_words(records: &[Record]) -> String {
    let mut words: Vec<String> = records.iter().take(RECORDS_MAX).map(word).collect();
    // Servers turn the order of records round.
    words.sort_unstable();
    let more = records.len().saturating_sub(RECORDS_MAX);
    words.extend((more > 0).then(|| format!("{more} more")));
    words.join(", ")
}

fn word(record: &Record) -> String {
    match &record.data {
        RData::TXT(txt) => format!("\"{}\"", text::shown(txt.txt_data.concat())),
        data => text::shown(data.to_string().trim_end_matches('.')),
    }
}
