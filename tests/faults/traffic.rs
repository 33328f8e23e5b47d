//! Mail through Postfix that never rests, and the book of it: each message is numbered, offered until
//! it is taken or refused for good, as an MTA does, and looked for where Postfix delivers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::smtp::{Client, Reply};
use crate::world::{IMPOSTOR, OURS, Shared, THEIR_CLIENT, THEIRS, World};

/// Messages in one SMTP session, if nothing comes in between.
const A_SESSION: usize = 3;
/// How long a sender waits before it offers a message again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long after the end of a fault a message may be refused.
const SETTLED: Duration = Duration::from_mins(2);

/// Whose message it is, and what becomes of it where nothing is amiss.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Ours to somewhere: signed.
    Outbound,
    /// Theirs to us: passes DKIM, SPF and DMARC.
    Inbound,
    /// Theirs, with a virus: refused.
    Infected,
    /// Not theirs, though it says so: refused as their policy asks.
    Forged,
}

/// A message, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) recipient: String,
    /// All refusals but the last word.
    pub(crate) deferrals: Vec<Reply>,
    /// The last word; `None` where there was none in time.
    pub(crate) reply: Option<Reply>,
    /// The longest that the client waited in one attempt.
    pub(crate) wait: Duration,
}

/// The senders' common state.
pub(crate) struct Traffic<'a> {
    shared: &'a Shared,
    world: &'a World,
    pause: Duration,
    is_over: AtomicBool,
    sent: Mutex<Vec<Sent>>,
}

/// Ends the traffic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Traffic<'a> {
    pub(crate) fn new(shared: &'a Shared, world: &'a World, pause: Duration) -> Self {
        Self { shared, world, pause, is_over: AtomicBool::new(false), sent: Mutex::default() }
    }

    /// Sends with that many connections each way until `meanwhile` has returned and all is settled.
    pub(crate) fn during(&self, connections: usize, meanwhile: impl FnOnce(&Self)) -> Vec<Sent> {
        thread::scope(|scope| {
            for _ in 0..connections {
                for ways in [&[Kind::Outbound][..], &IN] {
                    scope.spawn(move || self.send(ways));
                }
            }
            // Also where it fails.
            let _over = Over(&self.is_over);
            meanwhile(self);
        });
        std::mem::take(&mut *self.book())
    }

    /// Offers one message more, in a session of its own.
    pub(crate) fn offer_anew(&self, kind: Kind) {
        let sent = self.offer(kind, &mut None);
        self.book().push(sent);
    }

    /// Waits until so many more messages have had their last word.
    pub(crate) fn await_settled(&self, more: usize) {
        let wanted = self.book().len() + more;
        let give_up = Instant::now() + SETTLED;
        while self.book().len() < wanted && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Vec<Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, kinds: &[Kind]) {
        let mut session: Option<(Kind, usize, Client)> = None;
        for kind in kinds.iter().copied().cycle() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let sent = self.offer(kind, &mut session);
            self.book().push(sent);
            thread::sleep(self.pause);
        }
    }

    /// Offers one message until it has its last word.
    fn offer(&self, kind: Kind, session: &mut Option<(Kind, usize, Client)>) -> Sent {
        let number = self.world.number.fetch_add(1, Ordering::Relaxed);
        let there = if kind == Kind::Outbound { "elsewhere.example" } else { OURS };
        let recipient = format!("{}-{number}@{there}", self.world.name);
        let (deferrals, wait) = (Vec::new(), Duration::ZERO);
        let mut sent = Sent { kind, recipient, deferrals, reply: None, wait };
        let give_up = Instant::now() + SETTLED * 2;
        while Instant::now() < give_up {
            let offered = Instant::now();
            let reply = self.attempt(kind, &sent.recipient, session);
            sent.wait = sent.wait.max(offered.elapsed());
            if reply.code / 100 != 4 {
                sent.reply = Some(reply);
                return sent;
            }
            sent.deferrals.push(reply);
            *session = None;
            thread::sleep(AGAIN);
        }
        sent
    }

    fn attempt(
        &self,
        kind: Kind,
        recipient: &str,
        session: &mut Option<(Kind, usize, Client)>,
    ) -> Reply {
        let usable = session.take().filter(|(of, left, _)| from(*of) == from(kind) && *left > 0);
        let (left, mut client) = if let Some((_, left, client)) = usable {
            (left, client)
        } else {
            let addr = IpAddr::V4(from(kind));
            match Client::try_connect_from(addr, self.world.smtp, "mail.sender.example") {
                Ok(client) => (A_SESSION, client),
                Err(refusal) => return refusal,
            }
        };
        let sender = match kind {
            Kind::Outbound => format!("joe@{OURS}"),
            _ => format!("anna@{THEIRS}"),
        };
        let reply = client.send(&sender, recipient, &self.message(kind));
        *session = Some((kind, left - 1, client));
        reply
    }

    fn message(&self, kind: Kind) -> Vec<u8> {
        match kind {
            Kind::Outbound => format!(
                "From: joe@{OURS}\r\nTo: x@elsewhere.example\r\nSubject: Our answer\r\n\
                 Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@{OURS}>\r\n\r\nYes.\r\n"
            )
            .into_bytes(),
            Kind::Inbound => self.shared.their_message(true, false),
            Kind::Infected => self.shared.their_message(true, true),
            Kind::Forged => self.shared.their_message(false, false),
        }
    }
}

/// What comes in, in turn.
const IN: [Kind; 5] = [Kind::Inbound, Kind::Inbound, Kind::Infected, Kind::Inbound, Kind::Forged];

fn from(kind: Kind) -> Ipv4Addr {
    match kind {
        Kind::Outbound => Ipv4Addr::LOCALHOST,
        Kind::Inbound | Kind::Infected => THEIR_CLIENT,
        Kind::Forged => IMPOSTOR,
    }
}
