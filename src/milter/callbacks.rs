//! The protocol's events as calls of the session. Each is guarded: a panic marks the transaction as
//! failed, and the next event that may reply answers with a temporary failure.

use std::ffi::CString;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use indymilter::{Callbacks, Context, EomContext, Macros, ProtoOpts, Status};

use super::Service;
use super::session::Session;

/// The callbacks that serve one connection each with a session of its own. It is boxed since each
/// event takes it out and puts it back: a copy of some KB a header field, otherwise.
pub(super) fn callbacks(service: &Arc<Service>) -> Callbacks<Box<Session>> {
    let service = service.clone();
    Callbacks::new()
        .on_negotiate(move |cx, actions, opts| {
            cx.data = Session::negotiate(cx, service.clone(), actions, opts);
            // Any status but Continue ends the connection.
            let status = if cx.data.is_some() { Status::Continue } else { Status::Reject };
            Box::pin(std::future::ready(status))
        })
        .on_connect(|cx, name, socket| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_CONNECT, async move |session, macros| {
                session.connect(macros, &name, &socket);
            }))
        })
        .on_helo(|cx, name| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_HELO, async move |session, _| {
                session.helo(&name);
            }))
        })
        .on_mail(|cx, args| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_MAIL, async move |session, macros| {
                session.mail(macros, first(&args));
            }))
        })
        .on_rcpt(|cx, args| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_RCPT, async move |session, _| {
                session.rcpt(&args);
            }))
        })
        .on_header(|cx, name, value| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_HEADER, async move |session, _| {
                session.header(name.as_bytes(), value.as_bytes());
            }))
        })
        .on_eoh(|cx| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_EOH, async move |session, macros| {
                session.eoh(macros).await;
            }))
        })
        .on_body(|cx, chunk| {
            Box::pin(guarded(cx, ProtoOpts::NOREPLY_BODY, async move |session, _| {
                session.body(chunk).await;
            }))
        })
        .on_eom(|cx| Box::pin(eom(cx)))
        .on_abort(|cx| {
            Box::pin(async {
                if let Some(session) = &mut cx.data {
                    session.abort();
                }
                Status::Continue
            })
        })
        .on_close(|cx| {
            Box::pin(async {
                cx.data = None;
                Status::Continue
            })
        })
}

fn first(args: &[CString]) -> &[u8] {
    args.first().map_or(b"", |arg| arg.as_bytes())
}

/// Runs one event of a session and answers it: not at all where that was agreed (`noreply`), with a
/// temporary failure where this event or an earlier one broke down, else with "continue".
async fn guarded<F>(cx: &mut Context<Box<Session>>, noreply: ProtoOpts, event: F) -> Status
where
    F: AsyncFnOnce(&mut Session, &Macros),
{
    let Some(mut session) = cx.data.take() else {
        return Status::Tempfail;
    };
    let result = AssertUnwindSafe(event(&mut session, &cx.macros)).catch_unwind().await;
    if result.is_err() {
        session.fail(noreply);
    }
    let status = session.status(noreply);
    cx.data = Some(session);
    status
}

async fn eom(cx: &mut EomContext<Box<Session>>) -> Status {
    let Some(mut session) = cx.data.take() else {
        return Status::Tempfail;
    };
    let status = AssertUnwindSafe(session.eom(cx)).catch_unwind().await;
    let status = status.unwrap_or_else(|_| session.answer_failure(&mut cx.reply));
    session.abort();
    cx.data = Some(session);
    status
}
