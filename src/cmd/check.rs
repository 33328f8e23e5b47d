//! `mailseal check`: judges a message in a file as the daemon would, and prints the verdict.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use mailseal::file::octets;
use mailseal::message::envelope::{Client, Envelope, bare_path};
use mailseal::message::file;
use mailseal::pipeline::Inspection;
use mailseal::runtime::Runtime;
use mailseal::verdict::Disposition;

use super::{Outcome, in_config, load_config, print, replay, scan};
use crate::cli::Check;

/// No MTA takes larger messages; here they are held in memory.
const MESSAGE_BYTES_MAX: u64 = 256 << 20;

pub(crate) async fn run(args: Check) -> anyhow::Result<Outcome> {
    if let Some(store) = &args.replay {
        return Box::pin(replay::run(&args, store)).await;
    }
    let message = args.message.as_deref().context("name the message")?;
    let config = load_config(&args.config)?;
    if args.scan {
        return scan::run(&config, read(message)?).await;
    }
    let runtime = Arc::new(in_config(&args.config, Runtime::build(config))?);
    let octets = read(message)?;
    let (draft, body) = file::parse(&octets, envelope(&args), &runtime.config.limits);
    let headers = draft.headers.clone();
    let verdict = Box::pin(Inspection::whole(&runtime, draft, body.clone())).await;
    if !verdict.not_signed.is_empty() {
        // A key that cannot be used is none to those who sign.
        for problem in &runtime.key_problems {
            print::complain(&format!("key store: {problem}"));
        }
    }
    if args.json {
        print::print(&serde_json::to_string_pretty(&verdict)?)?;
    } else if !args.emit {
        print::print(&verdict.to_string())?;
    } else if matches!(verdict.disposition, Disposition::Accept | Disposition::Quarantine) {
        print::print_bytes(&file::emit(&headers, &body, &verdict.changes))?;
        // What the message itself does not show.
        for change in verdict.changes.iter().filter(|change| change.is_of_envelope()) {
            print::complain(&format!("change {change}"));
        }
    } else {
        print::complain(&format!("no message would leave:\n{verdict}"));
    }
    Ok(match verdict.disposition {
        Disposition::Accept => Outcome::Done,
        _ => Outcome::FaultFound,
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path != Path::new("-") {
        return octets(path, MESSAGE_BYTES_MAX).map_err(|error| anyhow!("message {error}"));
    }
    let mut octets = Vec::new();
    let mut stdin = std::io::stdin().lock().take(MESSAGE_BYTES_MAX + 1);
    stdin.read_to_end(&mut octets).context("standard input cannot be read")?;
    if octets.len() as u64 > MESSAGE_BYTES_MAX {
        bail!("standard input has more than {} MiB; this is no message", MESSAGE_BYTES_MAX >> 20);
    }
    Ok(octets)
}

fn envelope(args: &Check) -> Envelope {
    let bare = |path: &String| bare_path(path).to_owned();
    Envelope {
        client: Client {
            addr: args.client_ip.map(|addr| addr.to_canonical()),
            name: args.client_name.clone().filter(|name| name != "unknown"),
        },
        helo: args.helo.clone(),
        mail_from: args.mail_from.as_ref().map(bare).unwrap_or_default(),
        recipients: args.rcpt.iter().map(bare).collect(),
        success_asked: if args.notify_success { args.rcpt.len() } else { 0 },
        auth_user: args.auth.clone(),
        daemon_name: args.daemon_name.clone(),
        queue_id: args.queue_id.clone(),
        tls: args.tls.clone(),
    }
}
