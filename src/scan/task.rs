//! The scan of one message: from server to server until one has an answer, while the message comes.
//!
//! Failure: a server that fails is replaced by the next one while all that it was sent is kept;
//! after that the scan has failed. A server that is silent while it has something to do is asked
//! whether it is there at all: a scan may take its time, a clamd that hangs is replaced in seconds.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::conversation::{Address, CHUNK_BYTES_MAX, EarlyReply};
use super::pool::Pool;
use super::reply::parse_reply;
use super::server::{Server, explain};
use super::signature::Signatures;
use super::source::{Busy, Source, TooLarge};
use super::watch::ping;
use super::{ScanResult, Unscanned};
use crate::config::Endpoint;

/// How long a server may be silent before it is asked whether it is there.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// What all scans share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) signatures: Signatures,
    pub(super) scan_bytes_max: u64,
}

/// The server that a scan asks at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<Mutex<Option<Arc<Server>>>>);

impl Asked {
    fn set(&self, server: &Arc<Server>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(server.clone());
    }

    pub(super) fn server(&self) -> Option<Arc<Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Scans a message.
pub(super) async fn scan(shared: Arc<Shared>, mut source: Source, asked: Asked) -> ScanResult {
    let Shared { pool, signatures, scan_bytes_max } = &*shared;
    let Some(_slot) = pool.slot().await else {
        return ScanResult::failed("no turn came: clamav.scans_max scans were under way");
    };
    let (mut tried, mut faults) = (Vec::new(), Vec::new());
    while let Some(turn) = pool.turn(&tried) {
        let server = &turn.server;
        asked.set(server);
        let limit = Limit::of(server, *scan_bytes_max);
        match attempt(server, &mut source, &limit).await {
            Ok(ScanResult::Infected { name }) => return signatures.judge(name),
            Ok(result) => return result,
            Err(fault) => {
                server.failed(&fault);
                faults.push(format!("clamd at {}: {fault}", server.endpoint));
            }
        }
        if !source.is_kept() {
            break;
        }
        tried.push(server.clone());
    }
    ScanResult::failed(if faults.is_empty() { pool.why_none() } else { faults.join(", ") })
}

/// How much of a message one server gets.
struct Limit {
    bytes: u64,
    name: &'static str,
}

impl Limit {
    fn of(server: &Server, scan_bytes_max: u64) -> Self {
        match server.limit.bytes() {
            Some(bytes) if bytes < scan_bytes_max => {
                Self { bytes, name: "clamd's StreamMaxLength" }
            }
            _ => Self { bytes: scan_bytes_max, name: "scan_bytes_max" },
        }
    }

    fn exceeded(&self) -> String {
        format!("larger than {} = {}", self.name, self.bytes)
    }
}

/// Asks one server. What is wrong with the server is an error, what is wrong with the message is not.
async fn attempt(
    server: &Arc<Server>,
    source: &mut Source,
    limit: &Limit,
) -> Result<ScanResult, String> {
    source.begin(limit.bytes);
    let busy = source.busy();
    let address = Address::with_more(&server.endpoint, source.more_is_there());
    let talk = clamav_client::tokio::scan_stream(source.stream(), &address, Some(CHUNK_BYTES_MAX));
    let said = tokio::select! {
        said = talk => said,
        fault = until_hung(server, busy) => return Err(fault),
    };
    let reply = match said {
        Ok(reply) => parse_reply(&reply),
        Err(error) if error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<TooLarge>) => {
            return Ok(ScanResult::unscanned(Unscanned::Oversize, limit.exceeded()));
        }
        Err(error) => early_reply(&server.endpoint, &error)?,
    };
    if let ScanResult::Unscanned { cause: Unscanned::Failed, reason } = reply {
        return Err(reason);
    }
    server.succeeded();
    Ok(match reply {
        ScanResult::Clean if source.is_cut() => {
            let reason = format!("{}, and what comes before is clean", limit.exceeded());
            ScanResult::unscanned(Unscanned::Prefix, reason)
        }
        ScanResult::Unscanned { cause: Unscanned::Oversize, .. } => {
            learn_limit(server);
            reply
        }
        _ => reply,
    })
}

/// What an answer says that came before the end of the message.
fn early_reply(server: &Endpoint, error: &io::Error) -> Result<ScanResult, String> {
    let Some(EarlyReply(reply)) = error.get_ref().and_then(|cause| cause.downcast_ref()) else {
        return Err(explain(server, error));
    };
    match parse_reply(reply) {
        // It cannot know.
        ScanResult::Clean => Err("answered before it had the whole message".to_owned()),
        result => Ok(result),
    }
}

/// Resolves when the server is silent, has something to do, and does not even answer a PING.
async fn until_hung(server: &Server, busy: Busy) -> String {
    loop {
        // One timer a scan: a new one for each chunk would cost more than the chunk.
        sleep(SILENCE_MAX / 2).await;
        if busy.since().is_none_or(|since| since.elapsed() < SILENCE_MAX) {
            continue;
        }
        if let Err(error) = ping(&server.endpoint).await {
            return format!("hangs: {}", explain(&server.endpoint, &error));
        }
    }
}

/// Finds out in the background what the server takes, so that the next message can be cut there.
fn learn_limit(server: &Arc<Server>) {
    let server = server.clone();
    tokio::spawn(async move {
        let endpoint = &server.endpoint;
        match server.limit.learn(endpoint).await {
            Ok(Some(stream_bytes_max)) => tracing::warn!(
                server = %endpoint, stream_bytes_max,
                "clamd takes no larger messages: set clamav.scan_bytes_max to this, or \
                 StreamMaxLength in its clamd.conf to more"
            ),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(server = %endpoint, %error, "clamd's StreamMaxLength is unknown");
            }
        }
    });
}
