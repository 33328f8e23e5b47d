//! Every case of `tests/cases/` through both doors with one expected text: the pipeline, as `check`
//! runs it, and a live milter socket, where what the MTA was told must be what the text says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use mailseal::config::{Config, Limits};
use mailseal::message::envelope::bare_path;
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use support::case::{self, Case};
use support::live::Running;
use support::milter::{Edit, Mail, Mta, Outcome};

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_gives_the_expected_verdict() {
    let cases = case::all();
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    let mut faults = Vec::new();
    for case in cases.iter().filter(|case| case.has_door("pipeline")) {
        let world = case.world().await;
        let runtime = Arc::new(world.runtime);
        let (draft, body) = file::parse(&case.message(), case.envelope(), &runtime.config.limits);
        let verdict = Inspection::whole(&runtime, draft, body).await;
        let mut text = verdict.to_string();
        if let Some(clamd) = world.clamd {
            // It listens on another port in each run.
            text = text.replace(&clamd, "inet:127.0.0.1:3310");
        }
        faults.extend(case.expect(&text).err());
    }
    assert!(faults.is_empty(), "{} cases differ:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_milter_does_what_the_verdict_says() {
    let mut faults = Vec::new();
    for case in case::all().iter().filter(|case| case.has_door("milter")) {
        let world = case.world().await;
        let daemon = Running::start(world.runtime, false).await;
        let got = seen(&play(case, daemon.addr));
        let expected = told(&case.expected());
        if got != expected {
            let name = &case.name;
            faults.push(format!("{name}\n--- expected\n{expected}\n--- the MTA saw\n{got}\n"));
        }
        daemon.stop().await;
    }
    assert!(faults.is_empty(), "{} cases differ:\n{}", faults.len(), faults.join("\n"));
}

/// Plays the case to a daemon, as an MTA would that has no limits of its own.
fn play(case: &Case, addr: SocketAddr) -> Outcome {
    let limits = Limits {
        header_bytes_max: usize::MAX,
        header_fields_max: usize::MAX,
        recipients_max: usize::MAX,
        ..Config::default().limits
    };
    let (draft, body) = file::parse(&case.message(), case.envelope(), &limits);
    let settings = &case.settings;
    let client_addr = settings.client_ip.to_string();
    let mut macros = vec![(b'E', "i", settings.queue_id.as_str())];
    macros.extend(settings.daemon_name.as_deref().map(|name| (b'C', "{daemon_name}", name)));
    macros.extend(settings.auth.as_deref().map(|user| (b'M', "{auth_authen}", user)));
    macros.extend(settings.tls.as_deref().map(|version| (b'H', "{tls_version}", version)));
    let unfolded = |value: &[u8]| {
        value.split(|&o| o == b'\n').map(without_cr).collect::<Vec<_>>().join(&b'\n')
    };
    let mail = Mail {
        client_name: &settings.client_name,
        client_addr: &client_addr,
        helo: &settings.helo,
        from: &settings.mail_from,
        rcpts: settings.rcpts.iter().map(String::as_str).collect(),
        rcpt_args: if settings.notify_success { vec!["NOTIFY=SUCCESS,DELAY"] } else { vec![] },
        macros,
        headers: draft.headers.iter().map(|f| (f.name.to_vec(), unfolded(f.value))).collect(),
        body: &body,
        // An odd size, so that chunks end where nothing else does.
        chunk: 37,
    };
    Mta::connect(addr).unwrap().deliver(&mail).unwrap()
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What the MTA was told, in the words of a verdict.
fn seen(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    let held = outcome.edits.iter().any(|edit| matches!(edit, Edit::Quarantine(_)));
    match outcome.disposition.as_bytes().first() {
        Some(b'4') => lines.push("disposition tempfail".to_owned()),
        Some(b'5') => lines.push("disposition reject".to_owned()),
        _ if held => lines.push("disposition quarantine".to_owned()),
        _ => lines.push(format!("disposition {}", outcome.disposition)),
    }
    if outcome.disposition.starts_with(['4', '5']) {
        lines.push(format!("reply {}", outcome.disposition));
    }
    lines.extend(outcome.edits.iter().map(|edit| match edit {
        Edit::Insert(0, name, value) => {
            let value = value.strip_prefix(' ').expect("a space after the colon");
            format!("change insert-header {name}: {}", value.replace('\n', "\\n"))
        }
        Edit::Change(occurrence, name, value) if value.is_empty() => {
            format!("change delete-header {name} {occurrence}")
        }
        Edit::Change(occurrence, name, value) => {
            let value = value.strip_prefix(' ').expect("a space after the colon");
            format!("change replace-header {name} {occurrence}: {}", value.replace('\n', "\\n"))
        }
        Edit::Add(name, value) => {
            let value = value.strip_prefix(' ').expect("a space after the colon");
            format!("change add-header {name}: {value}")
        }
        Edit::AddRecipient(path) => format!("change add-recipient {}", bare_path(path)),
        Edit::DeleteRecipient(path) => format!("change delete-recipient {}", bare_path(path)),
        Edit::Quarantine(reason) => format!("change quarantine {reason}"),
        other => format!("{other:?}"),
    }));
    lines.join("\n")
}

/// What a verdict tells the MTA.
fn told(verdict: &str) -> String {
    let told = |line: &&str| {
        ["disposition ", "reply ", "change "].iter().any(|kind| line.starts_with(kind))
    };
    verdict.lines().filter(told).collect::<Vec<_>>().join("\n")
}
