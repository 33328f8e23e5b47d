//! The look-ups of one message, each a task of its own, started as soon as its question is known:
//! iprev at connect, SPF at MAIL, DKIM keys and the DMARC tree walk when the header is complete.
//!
//! Failure: a task that has no answer by the message's deadline, or that panics, is a temperror.
//! Tasks end with the message (or, for iprev, with the connection) that asked.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::Authentication;
use super::dmarc::{self, Discovery};
use super::iprev::{self, Iprev};
use super::spf::{self, Identity, Spf};
use crate::dkim::BodyHashes;
use crate::dkim::verify::{Checked, Unverified};
use crate::dns::{Dns, LookupError};
use crate::message::address::Author;
use crate::message::envelope::{Client, Envelope};
use crate::message::header::HeaderBlock;
use crate::result::AuthResult;
use crate::runtime::Runtime;

/// The look-ups under way.
#[derive(Default)]
pub struct Lookups {
    /// Of the connection: all its messages share the answer.
    iprev: Option<Shared<BoxFuture<'static, Option<Iprev>>>>,
    spf: Vec<Task<Spf>>,
    dkim: Vec<Task<Checked>>,
    discovery: Option<Task<Discovery>>,
}

/// A look-up under way, and what it comes to where it has no answer in time.
struct Task<T> {
    answer: AbortOnDropHandle<T>,
    otherwise: T,
}

impl<T: Send + 'static> Task<T> {
    fn start(question: impl Future<Output = T> + Send + 'static, otherwise: T) -> Self {
        Self { answer: AbortOnDropHandle::new(tokio::spawn(question)), otherwise }
    }

    async fn settle(self, deadline: Instant) -> T {
        match timeout_at(deadline, self.answer).await {
            Ok(Ok(answer)) => answer,
            _ => self.otherwise,
        }
    }
}

const NO_ANSWER: &str = "no answer in time";

impl Lookups {
    /// Asks for the client's name, where the MTA has not verified one.
    pub fn start_iprev(&mut self, runtime: &Runtime, client: &Client) {
        let Some(addr) = client.addr else { return };
        let (dns, name) = (dns(runtime), client.name.clone());
        let question = async move { iprev::check(&dns, addr, name.as_deref()).await };
        let answer = AbortOnDropHandle::new(tokio::spawn(question));
        self.iprev = Some(async { answer.await.ok() }.boxed().shared());
    }

    /// Asks for the SPF records of both identities (RFC 7208 §2.3: HELO is checked, too).
    pub fn start_spf(&mut self, runtime: &Runtime, envelope: &Envelope) {
        let Some(addr) = envelope.client.addr else { return };
        for identity in [Identity::Helo, Identity::MailFrom] {
            let dns = dns(runtime);
            let helo = envelope.helo.clone().unwrap_or_default();
            let mail_from = envelope.mail_from.clone();
            let receiver = runtime.config.identity.authserv_id.clone();
            let otherwise = spf::temperror(&helo, &mail_from, identity, NO_ANSWER);
            let question = async move {
                spf::check(&dns, addr, &helo, &mail_from, identity, &receiver).await
            };
            self.spf.push(Task::start(question, otherwise));
        }
    }

    /// Asks for what the header tells: signing keys, and the author domain's DMARC policy.
    pub fn start_header(
        &mut self,
        runtime: &Runtime,
        headers: &Arc<HeaderBlock>,
        author: &Author,
        signatures: Vec<Unverified>,
    ) {
        for signature in signatures {
            let (dns, headers) = (dns(runtime), headers.clone());
            let otherwise = signature.clone().check(Err(NO_ANSWER), &headers);
            let question = async move {
                let answer = match signature.key_name() {
                    Some(name) => dns.txt(&name).await,
                    None => Err(LookupError::NotFound),
                };
                signature.check(answer, &headers)
            };
            self.dkim.push(Task::start(question, otherwise));
        }
        if let Author::Domain(domain) = author {
            let (dns, domain) = (dns(runtime), domain.clone());
            let question = async move { dmarc::discover(&dns, &domain).await };
            self.discovery = Some(Task::start(question, Discovery::temporary(NO_ANSWER)));
        }
    }

    /// Whether SPF was already asked for.
    pub fn has_spf(&self) -> bool {
        !self.spf.is_empty()
    }

    /// Forgets what belongs to one message, and keeps what belongs to the connection.
    pub fn forget_message(&mut self) {
        *self = Self { iprev: self.iprev.take(), ..Self::default() };
    }

    /// Hands out what one message needs of the connection's look-ups.
    #[must_use]
    pub fn for_message(&mut self) -> Self {
        let iprev = self.iprev.clone();
        Self { iprev, ..std::mem::take(self) }
    }

    /// Awaits all answers and puts them together.
    pub async fn settle(
        self,
        runtime: &Runtime,
        author: &Author,
        hashes: &BodyHashes,
        deadline: Instant,
    ) -> Authentication {
        let iprev = match self.iprev {
            Some(iprev) => timeout_at(deadline, iprev).await.ok().flatten(),
            None => None,
        };
        let mut spf = Vec::new();
        for task in self.spf {
            spf.push(task.settle(deadline).await);
        }
        let mut dkim = Vec::new();
        for task in self.dkim {
            dkim.push(task.settle(deadline).await.finish(hashes));
        }
        let discovery = match self.discovery {
            Some(task) => task.settle(deadline).await,
            None => Discovery::none(),
        };
        let dns = runtime.resolver.until(deadline);
        let dmarc = dmarc::evaluate(&dns, author, &discovery, &spf, &dkim).await;
        Authentication { iprev, spf, dkim, dmarc: Some(dmarc) }
    }
}

/// DNS for one message's time.
fn dns(runtime: &Runtime) -> Dns {
    runtime.resolver.until(Instant::now() + runtime.config.limits.message)
}
