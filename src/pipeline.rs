//! The way of one message: opened when its header is complete, fed its body, judged at its end.
//!
//! Failure: nothing here fails. Trouble is a result (`temperror`, `unscanned`), and policy says
//! what it means.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::auth::explain::{Traces, Whole, explain};
use crate::auth::lookups::Lookups;
use crate::auth::{Authentication, arc, results};
use crate::changes::{Wanted, changes};
use crate::dkim::digest::{BodyHasher, BodyHashes, BodyWant};
use crate::dkim::verify::{self, Check};
use crate::message::Draft;
use crate::message::address::{self, Author};
use crate::message::body::{Body, BodySink};
use crate::message::envelope::{Client, Envelope};
use crate::message::header::HeaderBlock;
use crate::message::limit::Limit;
use crate::message::origin::{self, Decided, Origin, Role};
use crate::message::received::{self, ReceivedFrom};
use crate::policy::{self, Decision, Findings};
use crate::runtime::Runtime;
use crate::scan::{Scan, ScanResult, ScanTimes, Scanned};
use crate::sign::seal::Sealing;
use crate::sign::{self, NotSigned, Signed, Signers};
use crate::verdict::{Change, Disposition, Hit, Verdict};

/// How much of a message is handed on at once where all of it is there already.
const CHUNK_BYTES: usize = 65_536;

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
    envelope: Envelope,
    headers: Arc<HeaderBlock>,
    over_limit: Option<Limit>,
    is_space_assumed: bool,
    origin: Origin,
    author: Author,
    /// Where a set is to be put on the message's ARC chain.
    sealing: Option<Sealing>,
    /// Why nobody is to sign it, where it could be expected.
    not_signed: Option<NotSigned>,
    reasons: Vec<String>,
    /// What an explanation of the results needs, where somebody wants to read one.
    explained: Option<(Traces, Bytes)>,
}

/// What was found once the message is through.
struct Found {
    hashes: BodyHashes,
    auth: Authentication,
    scan: Option<ScanResult>,
    scan_times: Option<ScanTimes>,
    /// `None` where the rules did not end in time.
    hits: Option<Vec<Hit>>,
    /// Whether the rules saw the beginning of the body alone.
    is_cut: bool,
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
        let plan = subject.plan();
        let (lookups, mut wants) = match &plan {
            Plan::Verify => subject.start_verifying(lookups),
            Plan::Sign(signers) => (Lookups::default(), signers.body_wants().collect()),
            Plan::Pass => (Lookups::default(), Vec::new()),
        };
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
        self.subject.headers.held_bytes() + self.sink.held_bytes()
    }

    /// Lets go of all that came so far, and takes no more: there is no room for the message now.
    pub(crate) fn turn_away(&mut self, limit: Limit) {
        let Self { subject, plan, lookups, sink } = self;
        subject.over_limit = Some(limit);
        subject.headers = Arc::default();
        subject.sealing = None;
        *plan = Plan::Pass;
        *lookups = Lookups::default();
        *sink = BodySink::new(BodyHasher::new(Vec::new()), 0, None);
    }

    /// Ends the message and judges it. Some MTAs know their queue id only now.
    pub async fn finish(self, queue_id: Option<String>) -> Verdict {
        let Self { mut subject, plan, lookups, sink } = self;
        if queue_id.is_some() {
            subject.envelope.queue_id = queue_id;
        }
        let Body { hashes, kept, is_cut, scan } = sink.finish();
        let (auth, scan, hits) = tokio::join!(
            subject.authenticate(&plan, lookups, &hashes),
            subject.scanned(scan),
            subject.matched(kept),
        );
        subject.explain(&auth).await;
        let (scan, scan_times) = scan.map(|Scanned { result, times }| (result, times)).unzip();
        evaluate(subject, &plan, Found { hashes, auth, scan, scan_times, hits, is_cut })
    }

    /// Judges a message that is all there, and explains the results.
    pub async fn whole(runtime: &Arc<Runtime>, draft: Draft, body: Vec<u8>) -> Verdict {
        let traces = Traces::default();
        let mut lookups = Lookups::traced(traces.clone());
        if runtime.config.verify.enabled {
            lookups.start_iprev(runtime, &draft.envelope.client);
        }
        let mut inspection = Self::open(runtime, draft, lookups).await;
        let mut body = Bytes::from(body);
        inspection.subject.explained = Some((traces, body.clone()));
        while !body.is_empty() {
            inspection.write(body.split_to(body.len().min(CHUNK_BYTES))).await;
        }
        inspection.finish(None).await
    }
}

impl Subject {
    fn new(runtime: &Arc<Runtime>, draft: Draft) -> Self {
        let Draft { envelope, headers, over_limit, is_space_assumed } = draft;
        let Decided { origin, reason } = origin::decide(&envelope, &runtime.config.identity);
        Self {
            runtime: runtime.clone(),
            deadline: Instant::now() + runtime.config.limits.message,
            now: (runtime.clock)(),
            author: address::author(&headers),
            envelope,
            headers: Arc::new(headers),
            over_limit,
            is_space_assumed,
            origin,
            sealing: None,
            not_signed: None,
            reasons: vec![reason],
            explained: None,
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

    /// Starts what the envelope has not started yet, and what the header tells to look up.
    fn start_verifying(&mut self, mut lookups: Lookups) -> (Lookups, Vec<BodyWant>) {
        if self.origin == Origin::Relay {
            // What was asked of the relay itself says nothing of the message.
            lookups = lookups.afresh();
            self.look_behind_relay();
            lookups.start_iprev(&self.runtime, &self.envelope.client);
        }
        if !lookups.has_spf() {
            lookups.start_spf(&self.runtime, &self.envelope);
        }
        let signatures = verify::begin(&self.headers, self.now);
        if signatures.left_out > 0 {
            self.reasons.push(format!("{} more signatures were not verified", signatures.left_out));
        }
        let dkim_wants = signatures.checks.iter().filter_map(|check| match check {
            Check::Pending(pending) => Some(pending.body_want()),
            Check::Done(_) => None,
        });
        let mut wants: Vec<BodyWant> = dkim_wants.collect();
        let chain = arc::begin(&self.headers, self.now);
        if let arc::Check::Pending(pending) = &chain {
            wants.extend(pending.body_wants());
        }
        lookups.start_dmarc(&self.runtime, &self.author, &signatures.checks);
        lookups.start_dkim(&self.runtime, &self.headers, signatures);
        lookups.start_arc(&self.runtime, &self.headers, chain, self.envelope.client.addr);
        (lookups, wants)
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

    /// Puts the client that a trusted relay names in the place of the relay.
    fn look_behind_relay(&mut self) {
        let relays = &self.runtime.config.identity.trusted_relays;
        if let Some(ReceivedFrom { addr, helo }) = received::client(&self.headers, relays) {
            self.envelope.client = Client { addr: Some(addr), name: None };
            self.envelope.helo = Some(helo);
        } else {
            // SPF of the relay's own address would fail, and say nothing.
            self.envelope.client.addr = None;
            self.reasons.push("SPF not checked: the relay names no client".to_owned());
        }
    }

    async fn authenticate(
        &self,
        plan: &Plan,
        lookups: Lookups,
        hashes: &BodyHashes,
    ) -> Authentication {
        match plan {
            Plan::Verify => {
                lookups.settle(&self.runtime.resolver.until(self.deadline), hashes).await
            }
            Plan::Sign(_) | Plan::Pass => Authentication::default(),
        }
    }

    /// Adds why each method said what it said.
    async fn explain(&mut self, auth: &Authentication) {
        let Some((traces, body)) = self.explained.take() else { return };
        let message = Whole {
            headers: &self.headers,
            body: &body,
            now: self.now,
            trusted_sealers: &self.runtime.config.arc.trusted_sealers,
        };
        let dns = self.runtime.resolver.until(self.deadline);
        let sentences = explain(auth, message, &traces, &dns).await;
        self.reasons.extend(sentences);
    }

    async fn scanned(&self, scan: Option<Scan>) -> Option<Scanned> {
        match scan {
            Some(scan) => Some(scan.finish(self.deadline).await),
            None => None,
        }
    }

    async fn matched(&self, body: Vec<u8>) -> Option<Vec<Hit>> {
        match self.over_limit {
            Some(_) => Some(Vec::new()),
            None => Runtime::match_rules(&self.runtime, &self.headers, body, self.deadline).await,
        }
    }

    async fn open_sink(&self, hasher: BodyHasher) -> BodySink {
        let Runtime { config, rules, scanner, .. } = &*self.runtime;
        if self.over_limit.is_some() {
            return BodySink::new(hasher, 0, None);
        }
        let kept_bytes_max = if rules.wants_body() { config.rules.body_bytes_max } else { 0 };
        let on_oversize = config.clamav.treatment_of(self.origin).on_oversize;
        let mut scan = scanner.as_ref().map(|scanner| scanner.open(on_oversize.scans_prefix));
        if let Some(scan) = &mut scan {
            // clamd sees the whole raw message.
            scan.write(Bytes::copy_from_slice(self.headers.octets())).await;
            scan.write(Bytes::from_static(b"\r\n")).await;
        }
        BodySink::new(hasher, kept_bytes_max, scan)
    }
}

/// Puts together what the stages say: policy, then signatures and changes.
fn evaluate(mut subject: Subject, plan: &Plan, found: Found) -> Verdict {
    let decision = policy::decide(&subject.runtime.config, &findings(&subject, &found));
    let is_delivered =
        matches!(decision.disposition, Disposition::Accept | Disposition::Quarantine);
    let mut signed = sign(&mut subject, plan, &found.hashes, is_delivered);
    subject.reasons.append(&mut signed.reasons);
    let changes = if is_delivered {
        edits(&mut subject, plan, &found, &decision, &signed)
    } else {
        Vec::new()
    };
    subject.reasons.extend(decision.reasons);
    let limits = limits(&subject, &found);
    Verdict {
        queue_id: subject.envelope.queue_id,
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
    let body = found.is_cut.then_some(Limit::KeptBody);
    [subject.over_limit, time, body].into_iter().flatten().collect()
}

fn findings<'a>(subject: &'a Subject, found: &'a Found) -> Findings<'a> {
    Findings {
        origin: subject.origin,
        envelope: &subject.envelope,
        headers: &subject.headers,
        author: &subject.author,
        auth: &found.auth,
        hits: found.hits.as_deref(),
        scan: found.scan.as_ref(),
        over_limit: subject.over_limit,
    }
}

/// The edits of a message that is delivered.
fn edits(
    subject: &mut Subject,
    plan: &Plan,
    found: &Found,
    decision: &Decision,
    signed: &Signed,
) -> Vec<Change> {
    let Subject { runtime, envelope, headers, origin, sealing, reasons, .. } = subject;
    let Found { hashes, auth, scan, .. } = found;
    let authserv_id = &runtime.config.identity.authserv_id;
    let results = matches!(plan, Plan::Verify).then(|| results::render(authserv_id, auth));
    let received_spf = match plan {
        Plan::Verify if runtime.config.verify.received_spf => {
            let field = |spf| results::received_spf(authserv_id, envelope, spf);
            auth.spf.iter().map(field).collect()
        }
        _ => Vec::new(),
    };
    let sealed = sealing.as_ref().and_then(|sealing| {
        sealing.seal(signed.headers.as_ref().unwrap_or(headers), hashes, auth, reasons)
    });
    let held = decision.disposition == Disposition::Quarantine;
    let wanted = Wanted {
        results: results.as_deref(),
        received_spf: &received_spf,
        scan: scan.as_ref(),
        tags: &decision.tags,
        refolded: &signed.refolded,
        signatures: &signed.signatures,
        sealed: sealed.as_ref(),
        quarantine: decision.cause.as_deref().filter(|_| held),
    };
    changes(headers, *origin, &runtime.authserv_ids, &wanted)
}

fn sign(subject: &mut Subject, plan: &Plan, hashes: &BodyHashes, is_delivered: bool) -> Signed {
    match (plan, subject.not_signed.take()) {
        (Plan::Sign(signers), _) if is_delivered => {
            signers.sign(&subject.headers, hashes, subject.now)
        }
        (Plan::Sign(_), _) => Signed::not(NotSigned::Refused),
        (_, Some(reason)) => Signed::not(reason),
        (_, None) => Signed::default(),
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
