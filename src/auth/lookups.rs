//! The look-ups of one message, each a task of its own, started as soon as its question is known:
//! iprev at connect, SPF and the sender's DMARC tree walk at MAIL, the keys of DKIM and ARC and the
//! tree walks of the author and the signers when the header is complete.
//!
//! Failure: a look-up without an answer by the message's deadline is a temperror. Tasks end with the
//! message (or, for iprev, with the connection) that asked.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, join_all};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Authentication;
use super::arc::{self, ArcChain};
use super::dmarc::{self, Discovery, Dmarc, Walk, suffix};
use super::explain::Traces;
use super::iprev::{self, Iprev};
use super::spf::{self, Identity, Spf};
use crate::dkim::Verification;
use crate::dkim::digest::BodyHashes;
use crate::dkim::verify::{Check, HeaderCheck, KeyLookup, Signatures};
use crate::dns::{Dns, Late, LookupError};
use crate::message::address::{Author, Malformed};
use crate::message::domain::{is_within, normalize};
use crate::message::envelope::{Client, Envelope};
use crate::message::header::HeaderBlock;
use crate::runtime::Runtime;

/// The look-ups under way.
#[derive(Default)]
pub struct Lookups {
    /// Of the connection: all its messages share the answer. A panic leaves them without one.
    iprev: Option<Shared<BoxFuture<'static, Option<Iprev>>>>,
    spf: Vec<Task<Spf>>,
    dkim: Vec<Dkim>,
    dkim_left_out: usize,
    /// The chain, and the client that handed it on.
    arc: Option<(Chain, Option<IpAddr>)>,
    dmarc: Option<Result<Task<Discovery>, Malformed>>,
    /// Walks that alignment may ask for: it finds them in the cache, or joins them in flight.
    walks: Vec<Task<Walk>>,
    /// Whether DMARC is also read by the Public Suffix List.
    reads_psl: bool,
    /// Where what is asked is kept, for somebody who wants to read it.
    traces: Option<Traces>,
    /// What was late, of the message's look-ups and of the connection's.
    late: (Late, Late),
}

type Task<T> = AbortOnDropHandle<T>;

/// A signature's way to its result.
enum Dkim {
    Done(Verification),
    Asking(Task<HeaderCheck>),
}

/// A chain's way to its result.
enum Chain {
    Done(ArcChain),
    Asking(Task<arc::HeaderCheck>),
}

impl Lookups {
    /// Look-ups that leave what they asked in the traces.
    pub(crate) fn traced(traces: Traces) -> Self {
        Self { traces: Some(traces), ..Self::default() }
    }

    /// What was late, of the message's look-ups and of the connection's.
    pub(crate) fn late(&self) -> (Late, Late) {
        self.late.clone()
    }

    /// Where what is asked is kept, if it is.
    pub(crate) fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
    }

    /// Forgets everything, and goes on tracing where that was wanted.
    #[must_use]
    pub fn afresh(self) -> Self {
        if let Some(traces) = &self.traces {
            traces.clear();
        }
        Self { traces: self.traces, ..Self::default() }
    }

    /// Asks for the client's name, where the MTA has not verified one.
    pub fn start_iprev(&mut self, runtime: &Runtime, client: &Client) {
        let Some(addr) = client.addr else { return };
        let dns = self.dns(runtime, "iprev").noting(self.late.1.clone());
        let name = client.name.clone();
        let question = async move { iprev::check(&dns, addr, name.as_deref()).await };
        let task = start(question);
        self.iprev = Some(async { task.await.ok() }.boxed().shared());
    }

    /// Asks for the SPF records of both identities (RFC 7208 §2.3: HELO is checked, too), and walks
    /// the tree of the sender's domain, which is mostly the author's.
    pub fn start_spf(&mut self, runtime: &Runtime, envelope: &Envelope) {
        let Some(addr) = envelope.client.addr else { return };
        for identity in [Identity::Helo, Identity::MailFrom] {
            let dns = self.dns(runtime, &format!("spf {}", identity.as_str()));
            let helo = envelope.helo.clone().unwrap_or_default();
            let mail_from = envelope.mail_from.clone();
            let receiver = runtime.config.identity.authserv_id.clone();
            self.spf.push(start(async move {
                spf::check(&dns, addr, &helo, &mail_from, identity, &receiver).await
            }));
        }
        if let Some((_, domain)) = envelope.mail_from.rsplit_once('@') {
            self.start_walk(runtime, domain);
        }
    }

    /// Asks for the keys of the message's signatures; each is checked when its key arrives.
    pub fn start_dkim(
        &mut self,
        runtime: &Runtime,
        headers: &Arc<HeaderBlock>,
        signatures: Signatures,
    ) {
        let rsa_bits_min = runtime.config.verify.min_rsa_bits;
        self.dkim_left_out = signatures.left_out;
        for (number, check) in (1..).zip(signatures.checks) {
            self.dkim.push(match check {
                Check::Done(verification) => Dkim::Done(verification),
                Check::Pending(pending) => {
                    let dns = self.dns(runtime, &format!("dkim {number}"));
                    let headers = headers.clone();
                    Dkim::Asking(start(async move {
                        let lookup = key_lookup(dns.txt(pending.query_name()).await);
                        pending.check_key(&headers, &lookup, rsa_bits_min)
                    }))
                }
            });
        }
    }

    /// Asks for all keys of the message's ARC chain at once; it is checked when they are there.
    pub fn start_arc(
        &mut self,
        runtime: &Runtime,
        headers: &Arc<HeaderBlock>,
        check: arc::Check,
        client: Option<IpAddr>,
    ) {
        let chain = match check {
            arc::Check::Done(chain) => Chain::Done(chain),
            arc::Check::Pending(pending) => {
                let (dns, headers) = (self.dns(runtime, "arc"), headers.clone());
                let rsa_bits_min = runtime.config.verify.min_rsa_bits;
                let trusted = runtime.config.arc.trusted_sealers.clone();
                Chain::Asking(start(async move {
                    let questions = pending.query_names().iter().map(|name| dns.txt(name));
                    let lookups: Vec<_> =
                        join_all(questions).await.into_iter().map(key_lookup).collect();
                    pending.check_keys(&headers, &lookups, rsa_bits_min, &trusted)
                }))
            }
        };
        self.arc = Some((chain, client));
    }

    /// Asks for the author domain's DMARC policy, and for what tells whether its signers align.
    pub fn start_dmarc(&mut self, runtime: &Runtime, author: &Author, checks: &[Check]) {
        self.reads_psl = runtime.config.verify.dmarc_psl;
        self.dmarc = Some(match author {
            Author::Domain(domain) => {
                for check in checks {
                    if let Check::Pending(pending) = check
                        && is_akin(&pending.signature().domain, domain)
                    {
                        self.start_walk(runtime, &pending.signature().domain);
                    }
                }
                let (dns, domain) = (self.dns(runtime, "dmarc"), domain.clone());
                Ok(start(async move { dmarc::discover(&dns, &domain).await }))
            }
            Author::Malformed(why) => Err(*why),
        });
    }

    fn start_walk(&mut self, runtime: &Runtime, domain: &str) {
        if let Some(domain) = normalize(domain) {
            let dns = dns(runtime);
            self.walks.push(start(async move { dmarc::walk(&dns, &domain).await }));
        }
    }

    /// DNS for one method of one message.
    fn dns(&self, runtime: &Runtime, method: &str) -> Dns {
        let traced = dns(runtime).traced(self.traces.as_ref().map(|traces| traces.of(method)));
        traced.noting(self.late.0.clone())
    }

    /// Whether the client's name was already asked for.
    pub(crate) fn has_iprev(&self) -> bool {
        self.iprev.is_some()
    }

    /// Whether SPF was already asked for.
    pub fn has_spf(&self) -> bool {
        !self.spf.is_empty()
    }

    /// Forgets what belongs to one message, and keeps what belongs to the connection.
    pub fn forget_message(&mut self) {
        let traces = self.traces.as_ref().map(Traces::of_client);
        let late = (Late::default(), self.late.1.clone());
        *self = Self { iprev: self.iprev.take(), traces, late, ..Self::default() };
    }

    /// Hands out what one message needs of the connection's look-ups.
    #[must_use]
    pub fn for_message(&mut self) -> Self {
        let (iprev, traces) = (self.iprev.clone(), self.traces.as_ref().map(Traces::of_client));
        let late = (Late::default(), self.late.1.clone());
        std::mem::replace(self, Self { iprev, traces, late, ..Self::default() })
    }

    /// Awaits all answers and puts them together.
    pub async fn settle(self, dns: &Dns, hashes: &BodyHashes) -> Authentication {
        let iprev = match self.iprev {
            Some(iprev) => iprev.await,
            None => None,
        };
        let mut spf = Vec::new();
        for task in self.spf {
            spf.push(answer(task).await);
        }
        let mut dkim = Vec::new();
        for signature in self.dkim {
            dkim.push(match signature {
                Dkim::Done(verification) => verification,
                Dkim::Asking(task) => answer(task).await.finish(hashes),
            });
        }
        let arc = match self.arc {
            Some((Chain::Done(chain), remote_ip)) => Some(ArcChain { remote_ip, ..chain }),
            Some((Chain::Asking(task), remote_ip)) => {
                Some(ArcChain { remote_ip, ..answer(task).await.finish(hashes) })
            }
            None => None,
        };
        let dmarc = match self.dmarc {
            Some(Ok(task)) => {
                let dns = dns.clone().traced(self.traces.map(|traces| traces.of("dmarc")));
                let dns = dns.noting(self.late.0);
                let mut dmarc = dmarc::evaluate(&dns, &answer(task).await, &spf, &dkim).await;
                if let Some(author) = dmarc.author_domain.as_deref().filter(|_| self.reads_psl) {
                    dmarc.psl = Some(suffix::read(&dns, author, &spf, &dkim).await);
                }
                Some(dmarc)
            }
            Some(Err(why)) => Some(Dmarc::malformed(why)),
            None => None,
        };
        let dkim_left_out = self.dkim_left_out;
        Authentication { iprev, spf, dkim, dkim_left_out, arc, dmarc }
    }
}

fn start<T: Send + 'static>(question: impl Future<Output = T> + Send + 'static) -> Task<T> {
    AbortOnDropHandle::new(tokio::spawn(question))
}

/// The task's answer; its panic is the message's.
async fn answer<T>(task: Task<T>) -> T {
    match task.await {
        Ok(answer) => answer,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn key_lookup(answer: Result<Vec<Vec<u8>>, LookupError>) -> KeyLookup {
    match answer {
        Ok(records) => KeyLookup::Found(records),
        Err(LookupError::NotFound | LookupError::Empty) => KeyLookup::NotFound,
        Err(LookupError::Temporary(cause)) => KeyLookup::Temporary(cause),
    }
}

/// Whether a signer may have the author's organizational domain: they share two labels. That a
/// single label is one is rare enough to be asked for when it shows.
fn is_akin(signer: &str, author: &str) -> bool {
    let above = author.rsplit_once('.').map_or("", |(above, _)| above);
    let base = above.rfind('.').map_or(author, |dot| &author[dot + 1..]);
    normalize(signer).is_some_and(|signer| signer != author && is_within(&signer, base))
}

/// DNS for one message's time.
fn dns(runtime: &Runtime) -> Dns {
    runtime.resolver.until(Instant::now() + runtime.config.limits.message)
}
