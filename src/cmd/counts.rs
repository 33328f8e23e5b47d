//! How many of some stored messages each rule matches, for `mailseal rules test --counts`.
//!
//! Failure: mail that cannot be read ends the command; a message that is none is counted as one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mailseal::config::Config;
use mailseal::message::envelope::Envelope;
use mailseal::message::file;
use mailseal::rules::{Facts, RuleSet};

/// No message and no mbox that is read whole is larger.
const MAIL_BYTES_MAX: u64 = 1 << 30;

/// How many messages there are, and how many of them each rule matches.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) messages: usize,
    by_rule: HashMap<String, usize>,
}

impl Counts {
    /// Judges the messages of a directory, an mbox file or a message's file by their text alone.
    pub(super) fn of(rules: &RuleSet, mail: &Path, config: &Config) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        for path in files(mail)? {
            let octets = mailseal::file::octets(&path, MAIL_BYTES_MAX)?;
            for message in messages(&octets) {
                counts.count(rules, message, config);
            }
        }
        Ok(counts)
    }

    fn count(&mut self, rules: &RuleSet, message: &[u8], config: &Config) {
        let (draft, body) = file::parse(message, Envelope::default(), &config.limits);
        let kept = body.len().min(config.rules.body_bytes_max);
        let body = body.get(..kept).unwrap_or_default();
        self.messages += 1;
        let limits = &config.attachments.limits;
        for hit in rules.evaluate(&Facts { limits, ..Facts::of(&draft.headers, body) }) {
            *self.by_rule.entry(hit.rule).or_default() += 1;
        }
    }

    /// How many messages the rule matches.
    pub(super) fn of_rule(&self, rule: &str) -> usize {
        self.by_rule.get(rule).copied().unwrap_or(0)
    }
}

/// The file, or all files of the directory and those in it, by name.
fn files(mail: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut left) = (Vec::new(), vec![mail.to_owned()]);
    while let Some(path) = left.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path).with_context(|| path.display().to_string())? {
                left.push(entry?.path());
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The messages of an mbox, or the one that the text is.
fn messages(octets: &[u8]) -> Vec<&[u8]> {
    if !octets.starts_with(b"From ") {
        return vec![octets];
    }
    let (mut messages, mut start) = (Vec::new(), 0);
    let starts: Vec<usize> = octets
        .windows(b"\nFrom ".len())
        .enumerate()
        .filter(|(_, window)| *window == b"\nFrom ")
        .map(|(at, _)| at + 1)
        .collect();
    for end in starts.into_iter().chain([octets.len()]) {
        messages.extend(octets.get(start..end));
        start = end;
    }
    messages
}
