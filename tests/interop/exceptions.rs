//! `exceptions.toml`: where a peer errs, argued from the RFCs' text, and kept true.

use std::collections::HashMap;
use std::fs;

use regex::bytes::Regex;
use serde::Deserialize;

use crate::generate::UNFINISHED;
use crate::keys::Form;
use crate::message::Message;
use crate::support::suites::suite;

/// One of `exceptions.toml`, which says what its keys mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    peer: String,
    roles: Vec<String>,
    #[serde(default)]
    forms: String,
    messages: String,
    minimum: String,
    rfc: u32,
    section: String,
    text: String,
    #[serde(default)]
    dkimpy_too: bool,
    pub why: String,
}

#[derive(Deserialize)]
struct Exceptions {
    verified: HashMap<String, [usize; 2]>,
    exception: Vec<Exception>,
}

impl Exception {
    fn touches(&self, form: &Form) -> bool {
        Regex::new(&self.forms).unwrap().is_match(form.selector.as_bytes())
    }

    fn covers(&self, form: &Form, message: &Message) -> bool {
        // White space in the octets is what it is about, so that `.` is any octet but CR and LF.
        let messages = Regex::new(&format!("(?R-u){}", self.messages)).unwrap();
        self.touches(form) && messages.is_match(&message.octets())
    }
}

fn read() -> Exceptions {
    toml::from_str(include_str!("exceptions.toml")).unwrap()
}

/// What came of one peer in one role.
pub(crate) struct Ledger {
    peer: &'static str,
    role: &'static str,
    exceptions: Vec<(Exception, usize)>,
    /// How many were verified of how many, of messages as MTAs hand them over.
    verified: [usize; 2],
    faults: Vec<String>,
}

impl Ledger {
    pub(crate) fn open(peer: &'static str, role: &'static str) -> Self {
        let mut exceptions = read().exception;
        exceptions.retain(|e| e.peer == peer && e.roles.iter().any(|of| of == role));
        let exceptions = exceptions.into_iter().map(|exception| (exception, 0)).collect();
        Self { peer, role, exceptions, verified: [0; 2], faults: Vec::new() }
    }

    /// What was said of a message signed in that form.
    pub(crate) fn enter(&mut self, form: &Form, kind: &str, message: &Message, word: &str) {
        if kind != UNFINISHED {
            self.verified[0] += usize::from(word == "pass");
            self.verified[1] += 1;
        }
        let argued = self.exceptions.iter_mut().find(|(e, _)| e.covers(form, message));
        match argued {
            _ if word == "pass" => {}
            Some((_, needed)) if word == "fail" => *needed += 1,
            _ => {
                let octets = message.octets();
                let start = &octets[..octets.len().min(600)];
                let text = String::from_utf8_lossy(start).into_owned();
                self.faults.push(format!("{} {kind}: {word}: {text:?}", form.selector));
            }
        }
    }

    /// Fails where something was said that nobody argues for, or an exception is not needed; `ask`
    /// is to tell what is said of a message in each form, `judge` what dkimpy says.
    pub(crate) fn close(
        mut self,
        forms: &[Form],
        ask: impl Fn(&Message) -> Vec<String>,
        judge: impl Fn(&Message) -> Option<Vec<String>>,
    ) {
        let Self { peer, role, ref exceptions, ref mut faults, .. } = self;
        for (exception, needed) in exceptions {
            let why = &exception.why;
            if *needed == 0 {
                faults.push(format!("no message needs the exception: {why}"));
            }
            let minimum = Message::parse(exception.minimum.as_bytes());
            let expected = |form| if exception.touches(form) { "fail" } else { "pass" };
            let expected: Vec<_> = forms.iter().map(expected).collect();
            let said = ask(&minimum);
            if said != expected {
                faults.push(format!("minimum: {said:?}, not {expected:?}: {why}"));
            }
            // Where we signed, dkimpy verifies; where we refuse what a peer signed, so does dkimpy.
            let is_refused = role == "signs" || exception.dkimpy_too;
            let right = if is_refused { expected } else { vec!["pass"; forms.len()] };
            if let Some(judged) = judge(&minimum).filter(|judged| *judged != right) {
                faults.push(format!("dkimpy sides with {peer}: {judged:?}: {why}"));
            }
        }
        self.report();
    }

    fn report(self) {
        let Self { peer, role, verified, mut faults, .. } = self;
        println!("{peer} {role}: {} of {} signatures verified", verified[0], verified[1]);
        let expected = read().verified[&format!("{peer} {role}")];
        if verified != expected {
            faults.push(format!("verified: {verified:?}, not {expected:?}"));
        }
        assert!(
            faults.is_empty(),
            "{} faults: {:#?}",
            faults.len(),
            &faults[..faults.len().min(20)]
        );
    }
}

/// What is quoted stands in the RFC, in that section.
#[test]
fn exceptions_quote_the_rfcs() {
    let Some(dir) = suite("rfc") else { return };
    for exception in read().exception {
        let text = fs::read_to_string(dir.join(format!("rfc{}.txt", exception.rfc))).unwrap();
        assert_quoted(&text, &exception.section, &exception.text);
    }
}

/// Fails where the section of that number does not have these words.
pub(crate) fn assert_quoted(rfc: &str, section: &str, quotation: &str) {
    // Page ends stand between empty lines and carry the page's number.
    let lines = rfc.lines().filter(|line| !line.contains("[Page ") && !line.starts_with("RFC "));
    let heading = format!("{section}.  ");
    let words: Vec<&str> = lines
        .skip_while(|line| !line.starts_with(&heading))
        .take_while(|line| {
            line.starts_with(&heading) || !line.starts_with(|first: char| first.is_ascii_digit())
        })
        .flat_map(str::split_whitespace)
        .collect();
    assert!(words.join(" ").contains(quotation), "§{section} does not say: {quotation}");
}
