//! What is read in the envelope and the beginning of a body: what rules look for, attachments, and
//! what a delivery report returns.

use crate::auth::Authentication;
use crate::checks::report::{self, Returned};
use crate::checks::{self, attachments};
use crate::message::envelope::Envelope;
use crate::message::header::HeaderBlock;
use crate::message::mime::Mime;
use crate::message::origin::Origin;
use crate::rules::{Facts, Looked, Results, Texts};
use crate::runtime::Runtime;
use crate::scan::ScanResult;
use crate::verdict::{Action, Hit};

use super::Subject;

/// How much of the body each reader wants; 0 where it wants none.
#[derive(Clone, Copy)]
struct Wants {
    rules: usize,
    attachments: usize,
    report: usize,
}

/// What was kept of a body for the rules, and whether it was longer.
#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    is_cut: bool,
}

/// What was found there.
#[derive(Default)]
pub(super) struct Read {
    /// What the rules looked for.
    looked: Looked,
    kept: Kept,
    /// What is attached that should not be.
    pub(super) attached: Vec<checks::Finding>,
    /// Whether there is more of the body that may hold attachments.
    is_more_attached: bool,
    /// Whether a rule wants the body, and it is not all there.
    is_cut_for_rules: bool,
    /// What a delivery report returns, where it is one and that can be told.
    pub(super) returned: Option<Returned>,
}

impl Read {
    /// Whether something was looked for in the beginning of the body alone.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut_for_rules || self.is_more_attached
    }

    /// What could not be looked at.
    pub(super) fn unread(&self) -> Option<String> {
        let past = "attachments past attachments.body_bytes_max were not looked at";
        self.is_more_attached.then(|| past.to_owned())
    }
}

impl Subject {
    /// How much of the body must be kept.
    pub(super) fn kept_bytes_max(&self) -> usize {
        let Wants { rules, attachments, report } = self.wants();
        rules.max(attachments).max(report)
    }

    fn wants(&self) -> Wants {
        let Runtime { config, rules, .. } = &*self.runtime;
        let is_inbound = self.origin == Origin::Inbound;
        let may_attach =
            !self.origin.is_ours() && attachments::wants_body(&config.attachments, &self.headers);
        let may_report = is_inbound
            && config.backscatter.report != Action::Off
            && report::is_report(&self.envelope, &self.headers);
        let if_so = |is_wanted, octets| if is_wanted { octets } else { 0 };
        Wants {
            rules: if_so(rules.wants_body(), config.rules.body_bytes_max),
            attachments: if_so(may_attach, config.attachments.body_bytes_max),
            report: if_so(may_report, config.backscatter.report_bytes_max),
        }
    }

    /// Reads what was kept of a body of that many octets; `None` where that did not end in time.
    pub(super) async fn read(&self, kept: Vec<u8>, body_octets: u64) -> Option<Read> {
        if self.over_limit.is_some() {
            return Some(Read::default());
        }
        let (runtime, headers, wants) = (self.runtime.clone(), self.headers.clone(), self.wants());
        let envelope = self.envelope.clone();
        let octets = headers.octets().len() + kept.len() + self.recipients_bytes;
        let read = move || read(&runtime, &headers, &envelope, kept, body_octets, wants);
        self.runtime.work.run(octets, self.deadline, read).await
    }

    /// The rules that match, given all that was found out.
    pub(super) fn judge(
        &self,
        read: &Read,
        auth: &Authentication,
        scan: Option<&ScanResult>,
        body_octets: u64,
    ) -> Vec<Hit> {
        if self.over_limit.is_some() {
            return Vec::new();
        }
        let facts = Facts {
            headers: &self.headers,
            body: &read.kept.octets,
            is_cut: read.kept.is_cut,
            limits: &self.runtime.config.attachments.limits,
            size_bytes: (self.headers.octets().len() + "\r\n".len()) as u64 + body_octets,
            envelope: &self.envelope,
            origin: self.origin,
            results: &Results::from(auth),
            scan,
        };
        self.runtime.rules.evaluate_with(&facts, &read.looked)
    }
}

fn read(
    runtime: &Runtime,
    headers: &HeaderBlock,
    envelope: &Envelope,
    mut kept: Vec<u8>,
    body_octets: u64,
    wants: Wants,
) -> Read {
    let Runtime { config, rules, keys, .. } = runtime;
    let mut read = Read::default();
    if wants.attachments > 0 {
        let (begun, is_cut) = beginning(&kept, wants.attachments, body_octets);
        let mime = Mime::parse(headers, begun, is_cut, &config.attachments.limits);
        read.attached = attachments::findings(&config.attachments, &mime);
        read.is_more_attached = is_cut;
    }
    if wants.report > 0 {
        let (begun, is_cut) = beginning(&kept, wants.report, body_octets);
        let keys = keys.current();
        read.returned = report::returned(headers, begun, is_cut, &keys, &config.limits);
    }
    kept.truncate(wants.rules);
    let is_cut = body_octets > kept.len() as u64;
    let limits = &config.attachments.limits;
    read.looked = rules.look(&Texts::new(headers, &kept, is_cut, limits), envelope);
    read.is_cut_for_rules = is_cut && wants.rules > 0;
    read.kept = Kept { octets: kept, is_cut };
    read
}

/// So much of what was kept, and whether the body is longer.
fn beginning(kept: &[u8], bytes_max: usize, body_octets: u64) -> (&[u8], bool) {
    let begun = &kept[..kept.len().min(bytes_max)];
    (begun, body_octets > begun.len() as u64)
}
