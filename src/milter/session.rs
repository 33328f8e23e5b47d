//! One connection of an MTA: the SMTP session's data, and that of the transaction under way.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use indymilter::{
    Actions, ContextActions, EomActions, EomContext, MacroStage, Macros, NegotiateContext,
    ProtoOpts, SetErrorReply, SmtpReply, SocketInfo, Status,
};
use tokio::time::interval_at;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::occupancy::Place;
use super::{Service, apply};
use crate::auth::explain::Traces;
use crate::auth::lookups::Lookups;
use crate::message::envelope::{Client, Envelope, asks_for_success, bare_path};
use crate::message::limit::Limit;
use crate::message::origin::{self, Origin};
use crate::message::{ADDRESS_BYTES_MAX, Draft, Offers};
use crate::pipeline::Inspection;
use crate::runtime::Runtime;
use crate::telemetry::metrics::Open;
use crate::telemetry::{self, story};
use crate::verdict::Verdict;

/// The protocol options we would have: no reply where what is found can wait for the end of the
/// message, no events that nobody reads, and header values with their white space.
const WANTED: ProtoOpts = ProtoOpts::NOREPLY_CONNECT
    .union(ProtoOpts::NOREPLY_HELO)
    .union(ProtoOpts::NOREPLY_MAIL)
    .union(ProtoOpts::NOREPLY_RCPT)
    .union(ProtoOpts::NOREPLY_HEADER)
    .union(ProtoOpts::NOREPLY_EOH)
    .union(ProtoOpts::NOREPLY_BODY)
    .union(ProtoOpts::NO_DATA)
    .union(ProtoOpts::NO_UNKNOWN)
    .union(ProtoOpts::LEADING_SPACE);

/// The macros that are read, by the stage at which the MTA is asked to send them.
const MACROS: [(MacroStage, &CStr); 6] = [
    (MacroStage::Connect, c"j v {daemon_name} {client_resolve}"),
    (MacroStage::Helo, c"{tls_version}"),
    (MacroStage::Mail, c"i {auth_type} {auth_authen}"),
    (MacroStage::Rcpt, c"i"),
    (MacroStage::Eoh, c"i"),
    (MacroStage::Eom, c"i"),
];

/// The most that is kept of an address, a name or a macro.
const TEXT_BYTES_MAX: usize = ADDRESS_BYTES_MAX;

/// How often the MTA hears that its message is still being worked on.
const PROGRESS: Duration = Duration::from_secs(5);

/// One connection.
pub(super) struct Session {
    service: Arc<Service>,
    agreed: ProtoOpts,
    /// What the MTA lets us do with a message.
    offers: Offers,
    client: Client,
    helo: Option<String>,
    daemon_name: Option<String>,
    lookups: Lookups,
    transaction: Option<Transaction>,
    /// Whether the MTA agreed to send the macros that we asked for.
    has_own_macros: bool,
    /// What is known of the client is not whole: an error of our own came in between.
    is_broken: bool,
    /// The same of the message under way.
    has_failed: bool,
}

/// One message on its way in.
struct Transaction {
    /// Keeps the daemon from leaving before this message has its verdict.
    _open: (TaskTrackerToken, Open),
    /// Counts what the message holds; `None` where there was no room for it.
    place: Option<Place>,
    started: Instant,
    /// One configuration for the whole of the message.
    runtime: Arc<Runtime>,
    draft: Draft,
    inspection: Option<Inspection>,
}

impl Session {
    /// Agrees with the MTA on what is sent; `None` where it can't do what we are for.
    pub(super) fn negotiate(
        cx: &mut NegotiateContext<Box<Session>>,
        service: Arc<Service>,
        actions: Actions,
        opts: ProtoOpts,
    ) -> Option<Box<Self>> {
        if !actions.contains(Actions::ADD_HEADER | Actions::CHANGE_HEADER) {
            tracing::error!(?actions, "MTA refused: it does not let a filter change header fields");
            return None;
        }
        if !opts.contains(ProtoOpts::LEADING_SPACE) {
            static WARNING: Once = Once::new();
            WARNING.call_once(|| {
                tracing::warn!(
                    "MTA sends header fields without their white space (milter_protocol 2?): \
                     one space is assumed, and headers are signed relaxed"
                );
            });
        }
        cx.requested_actions = actions;
        cx.requested_opts = WANTED & opts;
        let has_own_macros = actions.contains(Actions::REQUEST_MACROS);
        if has_own_macros {
            cx.requested_macros = MACROS.map(|(stage, names)| (stage, names.to_owned())).into();
        }
        Some(Box::new(Self {
            service,
            agreed: cx.requested_opts,
            offers: Offers {
                quarantine: actions.contains(Actions::QUARANTINE),
                add_recipient: actions.contains(Actions::ADD_RCPT),
                delete_recipient: actions.contains(Actions::DELETE_RCPT),
            },
            client: Client::default(),
            helo: None,
            daemon_name: None,
            lookups: Lookups::default(),
            transaction: None,
            has_own_macros,
            is_broken: false,
            has_failed: false,
        }))
    }

    /// "Continue" in the form that was agreed for the event, or the failure of the transaction.
    pub(super) fn status(&self, noreply: ProtoOpts) -> Status {
        if self.agreed.contains(noreply) {
            Status::Noreply
        } else if self.has_failed && !self.service.observe {
            Status::Tempfail
        } else {
            Status::Continue
        }
    }

    pub(super) fn connect(&mut self, macros: &Macros, name: &CStr, socket: &SocketInfo) {
        let name = text(name.to_bytes());
        let addr = match socket {
            SocketInfo::Inet(addr) => Some(addr.ip().to_canonical()),
            // Only the MTA itself can say `localhost` of a client without an address.
            _ if name == "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            _ => None,
        };
        let name = verified_name(macros, name, self.has_own_macros);
        self.client = Client { addr, name };
        self.daemon_name = macro_text(macros, c"{daemon_name}");
        let runtime = self.service.runtime.load();
        self.lookups = if story::may_be_told(&runtime.config.telemetry, &self.client) {
            Lookups::traced(Traces::default())
        } else {
            Lookups::default()
        };
        let is_trusted = origin::is_trusted_client(&self.client, &runtime.config.identity);
        if runtime.config.verify.enabled && !is_trusted {
            self.lookups.start_iprev(&runtime, &self.client);
        }
    }

    pub(super) fn helo(&mut self, name: &CStr) {
        // RFC 5321 §4.1.4: it ends what is under way. After a refusal before the end of a message,
        // indymilter passes on no abort.
        self.abort();
        self.helo = Some(text(name.to_bytes()));
    }

    pub(super) fn mail(&mut self, macros: &Macros, reverse_path: &[u8]) {
        self.abort();
        let runtime = self.service.runtime.load_full();
        let envelope = Envelope {
            client: self.client.clone(),
            helo: self.helo.clone(),
            mail_from: path(reverse_path),
            recipients: Vec::new(),
            success_asked: 0,
            auth_user: auth_user(macros),
            daemon_name: self.daemon_name.clone(),
            queue_id: macro_text(macros, c"i"),
            tls: macro_text(macros, c"{tls_version}"),
        };
        let origin = origin::decide(&envelope, &runtime.config.identity).origin;
        let place = self.service.occupancy.admit(&runtime.config.limits);
        if runtime.config.verify.enabled && origin == Origin::Inbound && place.is_ok() {
            // By the configuration at connect the client may have been no stranger.
            if !self.lookups.has_iprev() {
                self.lookups.start_iprev(&runtime, &self.client);
            }
            self.lookups.start_spf(&runtime, &envelope);
        }
        let mut draft = Draft::new(envelope);
        if let Err(limit) = place {
            draft.turn_away(limit);
        }
        self.transaction = Some(Transaction {
            _open: (self.service.transactions.token(), runtime.metrics.serving.transaction()),
            place: place.ok(),
            started: Instant::now(),
            draft: Draft { offers: self.offers, ..draft },
            runtime,
            inspection: None,
        });
    }

    pub(super) fn rcpt(&mut self, args: &[CString]) {
        let (forward_path, args) =
            args.split_first().map_or((&b""[..], args), |(path, args)| (path.as_bytes(), args));
        if let Some(transaction) = &mut self.transaction {
            let Transaction { draft, runtime, .. } = transaction;
            let asks = args.iter().any(|arg| asks_for_success(arg.as_bytes()));
            draft.envelope.success_asked += usize::from(asks);
            draft.add_recipient(path(forward_path), &runtime.config.limits);
            transaction.take_room();
        }
    }

    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) {
        let has_space = self.agreed.contains(ProtoOpts::LEADING_SPACE);
        let Some(transaction) = &mut self.transaction else { return };
        let Transaction { draft, runtime, .. } = transaction;
        if has_space {
            draft.add_field(name, value, &runtime.config.limits);
        } else {
            draft.is_space_assumed = true;
            draft.add_field(name, &[b" ", value].concat(), &runtime.config.limits);
        }
        transaction.take_room();
    }

    pub(super) async fn eoh(&mut self, macros: &Macros) {
        let Some(transaction) = self.transaction.as_mut().filter(|_| !self.has_failed) else {
            return;
        };
        let mut draft = std::mem::take(&mut transaction.draft);
        if let Some(id) = macro_text(macros, c"i") {
            draft.envelope.queue_id = Some(id);
        }
        let lookups = self.lookups.for_message();
        let inspection = Inspection::open(&transaction.runtime, draft, lookups).await;
        transaction.inspection = Some(inspection);
    }

    pub(super) async fn body(&mut self, chunk: Bytes) {
        let Some(transaction) = &mut self.transaction else { return };
        if let Some(inspection) = &mut transaction.inspection {
            inspection.write(chunk).await;
            transaction.take_room();
        }
    }

    pub(super) async fn eom(&mut self, cx: &mut EomContext<Box<Session>>) -> Status {
        let transaction = self.transaction.as_mut().filter(|_| !self.has_failed);
        let Some(Transaction { started, inspection, runtime, .. }) = transaction else {
            return self.answer_failure(&mut cx.reply);
        };
        let metrics = runtime.metrics.clone();
        let (started, Some(inspection)) = (*started, inspection.take()) else {
            return self.answer_failure(&mut cx.reply);
        };
        let queue_id = macro_text(&cx.macros, c"i");
        let verdict = with_progress(&cx.actions, Box::pin(inspection.finish(queue_id))).await;
        telemetry::summary(&verdict, started.elapsed(), self.service.observe);
        metrics.count(&verdict, started.elapsed());
        if self.service.observe {
            return Status::Accept;
        }
        apply::apply(cx, &verdict, self.agreed.contains(ProtoOpts::LEADING_SPACE)).await
    }

    /// Remembers an error of our own at the event that has this no-reply option: the message under
    /// way is deferred, or all of the connection where the client is only half known.
    pub(super) fn fail(&mut self, noreply: ProtoOpts) {
        self.has_failed = true;
        self.is_broken |= noreply.intersects(ProtoOpts::NOREPLY_CONNECT | ProtoOpts::NOREPLY_HELO);
    }

    /// The answer to a message that broke down on our side.
    pub(super) fn answer_failure(&self, reply: &mut SmtpReply) -> Status {
        self.service.runtime.load().metrics.serving.failed();
        if self.service.observe {
            tracing::error!(
                "internal error: a message was not judged; please report what is above"
            );
            return Status::Accept;
        }
        tracing::error!("internal error: a message is deferred; please report what is above");
        // The library takes these constants.
        let _ = reply.set_error_reply("451", Some("4.3.0"), ["internal error, try again later"]);
        Status::Tempfail
    }

    /// Forgets the transaction; its look-ups and its scan end with it, and so does its failure.
    pub(super) fn abort(&mut self) {
        self.has_failed = self.is_broken;
        self.transaction = None;
        self.lookups.forget_message();
    }
}

impl Transaction {
    /// Counts what the message holds by now; where all messages hold too much, lets go of it.
    fn take_room(&mut self) {
        let Self { place, runtime, draft, inspection, .. } = self;
        let held_bytes =
            inspection.as_ref().map_or_else(|| draft.held_bytes(), Inspection::held_bytes);
        let Some(place) = place.as_mut() else { return };
        if place.hold(held_bytes, &runtime.config.limits) {
            return;
        }
        match inspection {
            Some(inspection) => inspection.turn_away(Limit::Memory),
            None => draft.turn_away(Limit::Memory),
        }
        self.place = None;
    }
}

/// Awaits the verdict, telling the MTA meanwhile that work goes on.
async fn with_progress(actions: &EomActions, verdict: impl Future<Output = Verdict>) -> Verdict {
    let mut verdict = std::pin::pin!(verdict);
    // An interval's first tick comes at once, but for the timer's grain: up to 2 ms a message.
    let mut ticks = interval_at(tokio::time::Instant::now() + PROGRESS, PROGRESS);
    loop {
        tokio::select! {
            verdict = &mut verdict => return verdict,
            _ = ticks.tick() => {
                // A failure to write shows again when the verdict is applied.
                let _ = actions.progress().await;
            }
        }
    }
}

/// The client's name where the MTA vouches for it. Postfix says `unknown` otherwise; Sendmail, asked
/// for `{client_resolve}`, says there whether the name resolves back. A name of any other MTA may be
/// what the client's own DNS says.
fn verified_name(macros: &Macros, name: String, has_own_macros: bool) -> Option<String> {
    let is_postfix = macro_text(macros, c"v").is_some_and(|v| v.starts_with("Postfix"));
    let is_verified = match macro_text(macros, c"{client_resolve}") {
        Some(word) => word == "OK",
        None => is_postfix || has_own_macros,
    };
    (is_verified && name != "unknown" && !name.starts_with('[')).then_some(name)
}

/// The authenticated user; some MTAs say only by which mechanism.
fn auth_user(macros: &Macros) -> Option<String> {
    macro_text(macros, c"{auth_authen}")
        .or_else(|| macro_text(macros, c"{auth_type}").map(|method| format!("({method})")))
}

fn macro_text(macros: &Macros, name: &CStr) -> Option<String> {
    macros.get(name).map(|value| text(value.to_bytes())).filter(|value| !value.is_empty())
}

/// Foreign octets as text, cut at a length that no address and no name has; what is not UTF-8 is
/// replaced, which no comparison takes for anything.
fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(&octets[..octets.len().min(TEXT_BYTES_MAX)]).into_owned()
}

/// A reverse or forward path without its angle brackets.
fn path(octets: &[u8]) -> String {
    bare_path(&text(octets.trim_ascii())).to_owned()
}
