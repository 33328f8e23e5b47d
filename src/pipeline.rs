//! The way of one message: opened when its header is complete, fed its body, judged at its end.
//!
//! Failure: nothing here fails. Trouble is a result (`temperror`, `unscanned`), and policy says
//! what it means.

mod checking;
mod leave;
mod reading;
mod trail;
mod verifying;
mod whole;

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::auth::Authentication;
use crate::auth::explain::Traces;
use crate::auth::lookups::Lookups;
use crate::checks;
use crate::checks::identity_gate::Mismatch;
use crate::dkim::digest::{BodyHasher, BodyHashes, BodyWant};
use crate::message::address::{self, Author};
use crate::message::body::{Body, BodySink};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::limit::Limit;
use crate::message::origin::{self, Decided, Origin, Role};
use crate::message::{Draft, Offers};
use crate::policy::{self, Findings};
use crate::runtime::Runtime;
use crate::scan::{Scan, ScanResult, ScanTimes, Scanned};
use crate::sign::seal::Sealing;
use crate::sign::{self, NotSigned, Signers};
use crate::verdict::{Disposition, Hit, Trail, Verdict};
use leave::{leave, unsigned};
use reading::Read;

use self::trail::timed;

/// A message whose body is on its way.
pub struct Inspection {
    subject: Subject,
    plan: Plan,
    lookups: Lookups,
    sink: BodySink,
}

/// What is known of the message before its body.
struct Subject {
    runtime: Arc<Runtime>,
    /// All look-ups, the scan and the rules end by then.
    deadline: Instant,
    now: u64,
    envelope: Arc<Envelope>,
    headers: Arc<HeaderBlock>,
    /// The memory that the recipients fill.
    recipients_bytes: usize,
    over_limit: Option<Limit>,
    is_space_assumed: bool,
    offers: Offers,
    origin: Origin,
    author: Author,
    /// Where a set is to be put on the message's ARC chain.
    sealing: Option<Sealing>,
    /// What the identity gate found.
    mismatch: Option<Mismatch>,
    /// Why nobody is to sign it, where it could be expected.
    not_signed: Option<NotSigned>,
    reasons: Vec<String>,
    /// What an explanation of the results needs, where somebody wants to read one: the look-ups, and
    /// the body where it is all there.
    explained: Option<(Traces, Option<Bytes>)>,
    /// When the header was complete.
    opened: Instant,
    trail: Trail,
}

/// What was found once the message is through.
struct Found {
    hashes: BodyHashes,
    auth: Authentication,
    scan: Option<ScanResult>,
    scan_times: Option<ScanTimes>,
    /// The limits of time that came in the way.
    late: Vec<Limit>,
    /// What the beginning of the body says; `None` where reading it did not end in time.
    read: Option<Read>,
    /// The rules that match; `None` likewise.
    hits: Option<Vec<Hit>>,
}

/// What is done with the message.
enum Plan {
    Verify,
    Sign(Signers),
    Pass,
}

impl Inspection {
    /// Decides origin and role, and starts everything that the header tells to look up.
    pub async fn open(runtime: &Arc<Runtime>, draft: Draft, lookups: Lookups) -> Self {
        let mut subject = Subject::new(runtime, draft);
        subject.follow(&lookups);
        let plan = subject.plan();
        let (lookups, mut wants) = match &plan {
            Plan::Verify => subject.start_verifying(lookups),
            Plan::Sign(signers) => (Lookups::default(), signers.body_wants().collect()),
            Plan::Pass => (Lookups::default(), Vec::new()),
        };
        wants.extend(subject.wants_for_another_author());
        subject.choose_sealing(&plan);
        wants.extend(subject.sealing.as_ref().map(Sealing::body_want));
        let sink = subject.open_sink(BodyHasher::new(wants)).await;
        Self { subject, plan, lookups, sink }
    }

    /// Takes the next chunk of the body.
    pub async fn write(&mut self, chunk: Bytes) {
        if let Plan::Sign(signers) = &mut self.plan {
            signers.update(&chunk);
        }
        self.sink.write(chunk).await;
    }

    /// The memory that it fills.
    pub(crate) fn held_bytes(&self) -> usize {
        let Self { subject, sink, .. } = self;
        subject.headers.held_bytes() + subject.recipients_bytes + sink.held_bytes()
    }

    /// Lets go of all that came so far, and takes no more: there is no room for the message now.
    pub(crate) fn turn_away(&mut self, limit: Limit) {
        let Self { subject, plan, lookups, sink } = self;
        subject.over_limit = Some(limit);
        subject.headers = Arc::default();
        Arc::make_mut(&mut subject.envelope).recipients = Vec::new();
        subject.recipients_bytes = 0;
        subject.sealing = None;
        *plan = Plan::Pass;
        *lookups = Lookups::default();
        *sink = BodySink::new(BodyHasher::new(Vec::new()), 0, None);
    }

    /// Ends the message and judges it. Some MTAs know their queue id only now.
    pub async fn finish(self, queue_id: Option<String>) -> Verdict {
        let Self { mut subject, plan, lookups, sink } = self;
        if queue_id.is_some() {
            Arc::make_mut(&mut subject.envelope).queue_id = queue_id;
        }
        let late = lookups.late();
        let Body { hashes, kept, octets, scan } = sink.finish();
        subject.trail.octets = octets;
        let ((auth, authenticate), (scan, scanned), (read, rules)) = tokio::join!(
            timed(subject.authenticate(&plan, lookups, &hashes)),
            timed(subject.scanned(scan)),
            timed(subject.read(kept, octets)),
        );
        subject.took(authenticate, scanned, rules);
        subject.explain(&auth).await;
        let late = subject.late(late, scan.as_ref());
        let (scan, scan_times) = scan.map(|Scanned { result, times, .. }| (result, times)).unzip();
        subject.reasons.extend(read.as_ref().and_then(Read::unread));
        let judge = |read| subject.judge(read, &auth, scan.as_ref(), octets);
        let hits = read.as_ref().map(judge);
        evaluate(subject, &plan, Found { hashes, auth, scan, scan_times, late, read, hits })
    }
}

impl Subject {
    fn new(runtime: &Arc<Runtime>, draft: Draft) -> Self {
        let Draft { envelope, headers, over_limit, is_space_assumed, offers, recipients_bytes } =
            draft;
        let Decided { origin, reason } = origin::decide(&envelope, &runtime.config.identity);
        Self {
            runtime: runtime.clone(),
            deadline: Instant::now() + runtime.config.limits.message,
            now: (runtime.clock)(),
            author: address::author(&headers),
            envelope: Arc::new(envelope),
            headers: Arc::new(headers),
            recipients_bytes,
            over_limit,
            is_space_assumed,
            offers,
            origin,
            sealing: None,
            mismatch: None,
            not_signed: None,
            reasons: vec![reason],
            explained: None,
            opened: Instant::now(),
            trail: Trail::default(),
        }
    }

    fn plan(&mut self) -> Plan {
        if let Some(limit) = self.over_limit {
            self.not_signed = self.origin.is_ours().then_some(NotSigned::OverLimit(limit));
            return Plan::Pass;
        }
        if !self.origin.is_ours() {
            self.not_signed = sign::not_ours(&self.runtime, self.origin, &self.author);
            if self.runtime.config.verify.enabled {
                return Plan::Verify;
            }
            self.reasons.push("not verified: verify.enabled is off".to_owned());
            return Plan::Pass;
        }
        self.mismatch = self.identity_mismatch();
        if let Some(mismatch) = &self.mismatch {
            self.not_signed = Some(NotSigned::Identity(mismatch.clone()));
            return Plan::Pass;
        }
        let Self { runtime, origin, envelope, author, headers, now, .. } = self;
        match Signers::choose(runtime, *origin, envelope, author, headers, *now) {
            // A simple signature over white space that we only assume would not verify.
            Ok(signers) if self.is_space_assumed => Plan::Sign(signers.with_relaxed_header()),
            Ok(signers) => Plan::Sign(signers),
            Err(reason) => {
                self.not_signed = Some(reason);
                Plan::Pass
            }
        }
    }

    /// A rule may put an author into the message that we sign for.
    fn wants_for_another_author(&self) -> Option<BodyWant> {
        let Runtime { rules, config, .. } = &*self.runtime;
        let may_sign = self.origin.is_ours() && self.over_limit.is_none();
        (may_sign && rules.edits_author()).then(|| sign::body_want(&config.sign))
    }

    fn choose_sealing(&mut self, plan: &Plan) {
        let unverified = !self.origin.is_ours() && !matches!(plan, Plan::Verify);
        if unverified || self.over_limit.is_some() {
            return;
        }
        match Sealing::choose(&self.runtime, self.origin, &self.headers, self.now) {
            Ok(sealing) => self.sealing = sealing,
            Err(reason) => self.reasons.push(format!("not sealed: {reason}")),
        }
    }

    async fn scanned(&self, scan: Option<Scan>) -> Option<Scanned> {
        match scan {
            Some(scan) => Some(scan.finish(self.deadline).await),
            None => None,
        }
    }

    async fn open_sink(&self, hasher: BodyHasher) -> BodySink {
        let Runtime { config, scanner, .. } = &*self.runtime;
        if self.over_limit.is_some() {
            return BodySink::new(hasher, 0, None);
        }
        let on_oversize = config.clamav.treatment_of(self.origin).on_oversize;
        let mut scan = scanner.as_ref().map(|scanner| scanner.open(on_oversize.scans_prefix));
        if let Some(scan) = &mut scan {
            // clamd sees the whole raw message.
            scan.write(Bytes::copy_from_slice(self.headers.octets())).await;
            scan.write(Bytes::from_static(b"\r\n")).await;
        }
        BodySink::new(hasher, self.kept_bytes_max(), scan)
    }
}

/// Puts together what the stages say: policy, then signatures and changes.
fn evaluate(mut subject: Subject, plan: &Plan, found: Found) -> Verdict {
    let checks = subject.checked(&found);
    let findings = findings(&subject, &found, &checks);
    let decision = policy::decide(&subject.runtime.config, &findings);
    let is_delivered =
        matches!(decision.disposition, Disposition::Accept | Disposition::Quarantine);
    let begun = Instant::now();
    let (signed, changes) = if is_delivered {
        leave(&mut subject, plan, &found, &decision)
    } else {
        let mut signed = unsigned(&mut subject, plan);
        subject.reasons.append(&mut signed.reasons);
        (signed, Vec::new())
    };
    subject.reasons.extend(decision.reasons);
    subject.trail.times.sign = begun.elapsed();
    let limits = limits(&subject, &found);
    Verdict {
        queue_id: subject.envelope.queue_id.clone(),
        trail: subject.trail(),
        disposition: decision.disposition,
        reply: decision.reply,
        origin: subject.origin,
        role: plan.role(),
        auth: found.auth,
        hits: found.hits.unwrap_or_default(),
        scan: found.scan,
        scan_times: found.scan_times,
        not_signed: signed.without,
        limits,
        changes,
        reasons: subject.reasons,
    }
}

/// The limits that the message came up against.
fn limits(subject: &Subject, found: &Found) -> Vec<Limit> {
    let time = found.hits.is_none().then_some(Limit::MessageTime);
    let body = found.read.as_ref().is_some_and(Read::is_cut).then_some(Limit::KeptBody);
    let mut limits: Vec<Limit> = [subject.over_limit, time, body].into_iter().flatten().collect();
    for limit in &found.late {
        if !limits.contains(limit) {
            limits.push(*limit);
        }
    }
    limits
}

fn findings<'a>(
    subject: &'a Subject,
    found: &'a Found,
    checks: &'a [checks::Finding],
) -> Findings<'a> {
    Findings {
        origin: subject.origin,
        envelope: &subject.envelope,
        headers: &subject.headers,
        author: &subject.author,
        auth: &found.auth,
        hits: found.hits.as_deref(),
        checks,
        scan: found.scan.as_ref(),
        over_limit: subject.over_limit,
        offers: subject.offers,
    }
}

impl Plan {
    fn role(&self) -> Role {
        match self {
            Self::Verify => Role::Verify,
            Self::Sign(_) => Role::Sign,
            Self::Pass => Role::Pass,
        }
    }
}
