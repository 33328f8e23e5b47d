//! Why each method said what it said, for the reader of `mailseal check` and of the log: what was asked of DNS and
//! what it answered, what was compared, and what was done to a body that does not fit its signature.
//!
//! Failure: it explains what happened, and so has no failures of its own.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Authentication;
use super::arc::{self, ArcChain};
use super::dmarc::suffix::{self, SuffixReading};
use super::dmarc::{Dmarc, Identifier, Method, Policy};
use super::iprev::Iprev;
use crate::dkim::Verification;
use crate::dkim::copied::{self, Changed};
use crate::dkim::fit::fit;
use crate::dkim::key_check::SIGNATURE_WRONG;
use crate::dkim::signature::Signature;
use crate::dkim::verify::{self, BODY_HASH_WRONG, Check};
use crate::dns::{Dns, Trace};
use crate::message::header::HeaderBlock;
use crate::result::AuthResult;
use crate::text::shown;

/// For how many signatures a changed body is looked into: what was done to it is the same for all.
const FITS_MAX: usize = 3;
/// How many changed fields of one signature are shown.
const CHANGES_MAX: usize = 10;

/// What each method asked of DNS, by the method's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    methods: Arc<Mutex<Vec<(String, Trace)>>>,
}

/// What of a message there is to explain its results by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<'a> {
    pub(crate) headers: &'a HeaderBlock,
    /// The body, where it is all there.
    pub(crate) body: Option<&'a [u8]>,
    /// Whether fields are shown.
    pub(crate) shows_content: bool,
    pub(crate) now: u64,
    pub(crate) trusted_sealers: &'a [String],
}

impl Traces {
    /// The method's own.
    pub(crate) fn of(&self, method: &str) -> Trace {
        let mut methods = self.lock();
        if let Some((_, trace)) = methods.iter().find(|(name, _)| name == method) {
            return trace.clone();
        }
        let trace = Trace::default();
        methods.push((method.to_owned(), trace.clone()));
        trace
    }

    /// What was asked for all messages of a client, to go on with for the next one.
    pub(crate) fn of_client(&self) -> Self {
        let methods = self.lock();
        let of_client = methods.iter().filter(|(name, _)| name == "iprev").cloned().collect();
        Self { methods: Arc::new(Mutex::new(of_client)) }
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Trace)>> {
        // Every state of the list is a good one.
        self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sentences, method by method. Without `dns`, nothing more is asked for them.
pub(crate) async fn explain(
    auth: &Authentication,
    message: Whole<'_>,
    traces: &Traces,
    dns: Option<&Dns>,
) -> Vec<String> {
    let mut said = Said { traces, sentences: Vec::new() };
    if let Some(iprev) = &auth.iprev {
        said.about("iprev", self::iprev(iprev));
    }
    for spf in &auth.spf {
        said.about(&format!("spf {}", spf.identity.as_str()), None);
    }
    let mut fits_left = FITS_MAX;
    for (number, signature) in (1..).zip(&auth.dkim) {
        let words = dkim(message, number, signature, &mut fits_left);
        said.about(&format!("dkim {number}"), words);
    }
    if let Some(chain) = &auth.arc {
        said.about("arc", self::arc(chain, message));
    }
    if let Some(dmarc) = &auth.dmarc {
        let psl = match (&dmarc.psl, &dmarc.author_domain, dns) {
            (None, Some(author), Some(dns)) => {
                Some(suffix::read(dns, author, &auth.spf, &auth.dkim).await)
            }
            (psl, ..) => psl.clone(),
        };
        said.about("dmarc", self::dmarc(dmarc, psl.as_ref()));
    }
    said.sentences
}

struct Said<'a> {
    traces: &'a Traces,
    sentences: Vec<String>,
}

impl Said<'_> {
    /// What the method asked, and what there is to say of it.
    fn about(&mut self, method: &str, words: impl IntoIterator<Item = String>) {
        let asked = self.traces.of(method).lines();
        let all = asked.into_iter().chain(words);
        self.sentences.extend(all.map(|sentence| format!("{method}: {sentence}")));
    }
}

fn iprev(iprev: &Iprev) -> Option<String> {
    let name = iprev.name.as_deref().filter(|_| iprev.by_mta)?;
    Some(format!("the MTA has verified the client's name {}", shown(name)))
}

fn dkim(
    message: Whole<'_>,
    number: usize,
    verification: &Verification,
    fits_left: &mut usize,
) -> Vec<String> {
    let reason = verification.reason.as_deref().unwrap_or_default();
    if verification.result == AuthResult::Pass && !verification.covers_body {
        return vec!["l= leaves a part of the body unsigned, so that it cannot align".to_owned()];
    }
    let checks = verify::begin(message.headers, message.now).checks;
    let Some(Check::Pending(pending)) = checks.get(number - 1) else { return Vec::new() };
    if reason.starts_with(BODY_HASH_WRONG) && *fits_left > 0 {
        *fits_left -= 1;
        return body_fit(pending.signature(), message).into_iter().collect();
    }
    if reason == SIGNATURE_WRONG { changed_header(message, number, pending) } else { Vec::new() }
}

fn body_fit(signature: &Signature, message: Whole<'_>) -> Option<String> {
    let unknown =
        "bh= fits the body neither without a footer or banner nor otherwise canonicalized";
    let fit = fit(signature, message.body?);
    Some(fit.map_or_else(|| unknown.to_owned(), |fit| fit.to_string()))
}

/// What `z=` tells of the fields, and which fields it may be.
fn changed_header(message: Whole<'_>, number: usize, pending: &verify::Pending) -> Vec<String> {
    let names = pending.signature().signed_fields.join(", ");
    let signed =
        format!("of the signed fields some were changed, added or removed: {}", shown(names));
    let field =
        message.headers.named("DKIM-Signature").nth(number - 1).filter(|_| message.shows_content);
    let changed = field.map(|field| copied::changed(message.headers, field.value));
    let told = changed.unwrap_or_default().into_iter().take(CHANGES_MAX).map(|changed| {
        let Changed { name, was, is } = changed;
        let is = is.map_or("gone".to_owned(), |is| format!("\"{}\"", shown(is.trim_ascii())));
        format!("by z= {} was \"{}\", and is {is}", shown(name), shown(was.trim_ascii()))
    });
    std::iter::once(signed).chain(told).collect()
}

fn arc(chain: &ArcChain, message: Whole<'_>) -> Vec<String> {
    let trusted = message.trusted_sealers;
    let sealers = chain.sealers.iter().map(|sealer| {
        let trust = if trusted.contains(&sealer.domain) { "trusted" } else { "not trusted" };
        let instance = sealer.instance;
        format!("set {instance} was sealed by {}, which is {trust}", shown(&sealer.domain))
    });
    let part = (chain.result == AuthResult::Pass && !chain.covers_body)
        .then(|| "the newest ARC-Message-Signature covers only a part of the body".to_owned());
    let endorsed = chain.endorsements.iter().map(|endorsement| {
        let (instance, author) = (endorsement.instance, shown(&endorsement.author_domain));
        format!("the trusted sealer of set {instance} says that DMARC passed for {author}")
    });
    let wrong = chain.reason.as_deref().is_some_and(|reason| reason.contains(BODY_HASH_WRONG));
    let changed = match arc::begin(message.headers, message.now) {
        arc::Check::Pending(pending) if wrong => body_fit(pending.newest_signature(), message),
        _ => None,
    };
    sealers.chain(part).chain(endorsed).chain(changed).collect()
}

fn dmarc(dmarc: &Dmarc, psl: Option<&SuffixReading>) -> Vec<String> {
    let Some(author) = dmarc.author_domain.as_deref() else { return Vec::new() };
    let asks = dmarc.record_domain.as_deref().zip(dmarc.policy).map(|(domain, policy)| {
        let tag = dmarc.policy_tag.unwrap_or("p");
        let testing = if dmarc.testing { ", and t=y weakens it by one step" } else { "" };
        let policy = policy.as_str();
        format!("the record of {domain} asks for {policy} of mail from {author} by {tag}={testing}")
    });
    let none = dmarc.record_domain.is_none() && dmarc.result == AuthResult::None;
    let organizational = dmarc.organizational_domain.as_deref().unwrap_or("not known");
    let none = none.then(|| {
        format!("there is no record for {author}, whose organizational domain is {organizational}")
    });
    let compared = dmarc.identifiers.iter().map(|identifier| compared(dmarc, identifier));
    let psl = psl.map(|SuffixReading { result, organizational_domain, policy }| {
        let policy = policy.map_or("no policy", Policy::as_str);
        format!(
            "by the Public Suffix List it would be {result}: organizational domain \
             {organizational_domain}, {policy}"
        )
    });
    asks.into_iter().chain(none).chain(compared).chain(psl).collect()
}

fn compared(dmarc: &Dmarc, identifier: &Identifier) -> String {
    let Identifier { method, domain, has_passed, aligns } = identifier;
    let mode = dmarc.record.as_ref().map(|record| match method {
        Method::Spf => record.aspf,
        Method::Dkim => record.adkim,
    });
    let aligns = match aligns {
        Some(true) => "aligns",
        Some(false) => "does not align",
        None => "may align",
    };
    let open = if *has_passed { "passed" } else { "was left open" };
    let organizational = dmarc.organizational_domain.as_deref().unwrap_or("not known");
    format!(
        "{method} {open} for {domain}, which {aligns}: {}, organizational domain {organizational}",
        Mode(mode.unwrap_or_default())
    )
}

struct Mode(super::dmarc::record::Mode);

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            super::dmarc::record::Mode::Strict => "strict",
            super::dmarc::record::Mode::Relaxed => "relaxed",
        })
    }
}
