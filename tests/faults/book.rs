//! What the books say: every message that was taken is delivered once, with what policy promises.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::PATIENCE;
use crate::support::sink::Delivery;
use crate::traffic::{Kind, Sent};
use crate::verifiers::dkimpy_verify_all;
use crate::world::{OURS, Shared, World};

/// The counts of one fault.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) offered: usize,
    pub(crate) accepted: usize,
    pub(crate) delivered_once: usize,
    /// Refusals for now: attempts, not messages.
    pub(crate) deferred: usize,
    /// Refused for good, as policy says: viruses and forgeries.
    pub(crate) refused: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    /// Delivered without the results field, without the scan's field, or without our signature that
    /// another verifies.
    pub(crate) lacking: usize,
    /// Inbound mail whose results say `temperror`, or that says that it was not scanned.
    pub(crate) in_part: usize,
    /// True mail that was refused because DNS lied, and signatures that others refuse because our clock
    /// was wrong.
    pub(crate) harmed: usize,
    /// The longest that a client waited for an answer.
    pub(crate) wait: Duration,
    /// What must not be.
    pub(crate) faults: Vec<String>,
}

/// What the fault lets policy do to mail that is in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Promise {
    /// Nothing.
    Whole,
    /// DNS lies in a way that nobody can see: true mail may be refused by its author domain's policy.
    TrueMailMayFail,
    /// The clock is wrong: verifiers may refuse our signatures' time, and we that of theirs.
    TimeMayBeWrong,
    /// Mail may leave unsigned, as is said in the log.
    MayLackSignature,
    /// Inbound mail may be taken with `temperror` in its results, or unscanned.
    MayBeInPart,
}

/// Takes the deliveries of all that was accepted, and counts.
pub(crate) fn count(shared: &Shared, world: &World, sent: &[Sent], promise: Promise) -> Counts {
    let accepted = sent.iter().filter(|one| code(one) == Some(250)).count();
    let deliveries = await_deliveries(shared, world, accepted);
    let mut counts = Counts { offered: sent.len(), accepted, ..Counts::default() };
    let verified = verify(shared, sent, &deliveries);
    for recipient in deliveries.keys().filter(|to| sent.iter().all(|one| one.recipient != **to)) {
        // Of an earlier count.
        counts.twice += 1;
        counts.faults.push(format!("{recipient} came later, once more or though refused"));
    }
    for one in sent {
        counts.wait = counts.wait.max(one.wait);
        counts.deferred += one.deferrals.len();
        let copies = deliveries.get(&one.recipient).map_or(&[][..], Vec::as_slice);
        match code(one) {
            Some(250) => counts.delivered(one, copies, promise, &verified),
            Some(500..) => counts.refused_for_good(one, copies, promise),
            _ => counts.faults.push(format!("{} had no last word: {one:?}", one.recipient)),
        }
    }
    counts
}

fn code(sent: &Sent) -> Option<u16> {
    sent.reply.as_ref().map(|reply| reply.code)
}

type Deliveries = HashMap<String, Vec<Delivery>>;

/// The world of a recipient, NAME-NUMBER@DOMAIN.
fn world_of(recipient: &str) -> &str {
    recipient
        .split('@')
        .next()
        .and_then(|local| local.rsplit_once('-'))
        .map_or("", |(name, _)| name)
}

fn await_deliveries(shared: &Shared, world: &World, wanted: usize) -> Deliveries {
    let (mut all, give_up) = (Deliveries::new(), Instant::now() + PATIENCE);
    loop {
        for delivery in shared.sink.take(|to| world_of(to) == world.name) {
            all.entry(delivery.recipients[0].clone()).or_default().push(delivery);
        }
        if all.len() >= wanted || Instant::now() > give_up {
            return all;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Those of the delivered whose one signature is ours and passes with dkimpy.
fn verify(shared: &Shared, sent: &[Sent], deliveries: &Deliveries) -> HashMap<String, bool> {
    let dir = tempfile::tempdir().unwrap();
    let mut verified = HashMap::new();
    for (number, one) in sent.iter().enumerate().filter(|(_, one)| one.kind == Kind::Outbound) {
        if let Some([delivery, ..]) = deliveries.get(&one.recipient).map(Vec::as_slice) {
            fs::write(dir.path().join(number.to_string()), &delivery.octets).unwrap();
        }
    }
    for line in dkimpy_verify_all(dir.path(), &shared.our_records) {
        let mut words = line.split_whitespace();
        let number: usize = words.next().unwrap().parse().unwrap();
        let passes = words.next() == Some(OURS) && words.next() == Some("pass");
        // A second signature is one too many.
        let is_only = verified.insert(sent[number].recipient.clone(), passes).is_none();
        if !is_only {
            verified.insert(sent[number].recipient.clone(), false);
        }
    }
    verified
}

impl Counts {
    fn delivered(
        &mut self,
        one: &Sent,
        copies: &[Delivery],
        promise: Promise,
        verified: &HashMap<String, bool>,
    ) {
        let delivery = match copies {
            [] => {
                self.lost += 1;
                return self.faults.push(format!("{} is lost", one.recipient));
            }
            [delivery] => delivery,
            [_, _, ..] => {
                self.twice += 1;
                return self.faults.push(format!("{} came twice", one.recipient));
            }
        };
        self.delivered_once += 1;
        let lacking = match one.kind {
            Kind::Outbound => match verified.get(&one.recipient) {
                Some(true) => None,
                Some(false) if promise == Promise::TimeMayBeWrong => {
                    self.harmed += 1;
                    None
                }
                other => {
                    self.lacking += 1;
                    (promise != Promise::MayLackSignature || other.is_some())
                        .then_some("our signature")
                }
            },
            _ => self.inbound(one.kind, delivery, promise),
        };
        if let Some(what) = lacking {
            let header = delivery.header();
            self.faults.push(format!("{} came without {what}: {header}", one.recipient));
        }
    }

    /// What an inbound message lacks.
    fn inbound(
        &mut self,
        kind: Kind,
        delivery: &Delivery,
        promise: Promise,
    ) -> Option<&'static str> {
        let results = delivery.values("Authentication-Results");
        let ours: Vec<_> =
            results.iter().filter(|field| field.starts_with("mx.example.org;")).collect();
        let [results] = ours[..] else {
            self.lacking += 1;
            return Some("one results field");
        };
        let [status] = &delivery.values("X-Virus-Status")[..] else {
            self.lacking += 1;
            return Some("one scan field");
        };
        let (is_scanned, has_all) = (status == "Clean", !results.contains("temperror"));
        let is_whole = is_scanned && has_all;
        self.in_part += usize::from(!is_whole);
        let is_true = ["dkim=pass", "spf=pass", "dmarc=pass"].iter().all(|it| results.contains(it));
        // Where DNS or the clock deceive, one of DKIM and SPF may do for DMARC.
        let is_partly_true = matches!(promise, Promise::TrueMailMayFail | Promise::TimeMayBeWrong)
            && results.contains("dmarc=pass");
        match kind {
            _ if !is_scanned && !status.starts_with("Unscanned") => Some("a status it can have"),
            _ if !is_whole && promise != Promise::MayBeInPart => {
                Some("all of its results, or its scan")
            }
            Kind::Infected if is_scanned => Some("its virus found"),
            Kind::Forged if results.contains("dmarc=pass") => Some("its forgery seen"),
            Kind::Forged if has_all => Some("a reason to be taken"),
            Kind::Inbound if has_all && !is_true && !is_partly_true => Some("what is true of it"),
            _ => None,
        }
    }

    /// Nothing that was refused is delivered, and nothing is refused for good but by policy.
    fn refused_for_good(&mut self, one: &Sent, copies: &[Delivery], promise: Promise) {
        self.refused += 1;
        let reply = one.reply.as_ref().map(ToString::to_string).unwrap_or_default();
        let is_virus = reply.contains("5.7.1") && reply.contains("Eicar");
        let is_dmarc = reply.contains("5.7.26");
        let true_mail_may_fail = promise == Promise::TrueMailMayFail;
        let is_policy = match one.kind {
            Kind::Infected => is_virus || is_dmarc && true_mail_may_fail,
            Kind::Forged => is_dmarc,
            Kind::Inbound => is_dmarc && true_mail_may_fail,
            Kind::Outbound => false,
        };
        self.harmed += usize::from(is_policy && one.kind == Kind::Inbound);
        if !is_policy {
            self.faults.push(format!("{:?} {} was refused: {reply}", one.kind, one.recipient));
        }
        if !copies.is_empty() {
            self.faults.push(format!("{} was refused, and came", one.recipient));
        }
    }
}
