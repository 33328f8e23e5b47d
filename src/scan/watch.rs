//! Whether the servers are there: asked when the daemon starts, and from then on.
//!
//! Failure: a server that does not answer is said once, and asked every second until it does.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::Scanner;
use super::conversation::Address;
use super::server::{Server, explain};
use super::version::Version;
use crate::config::Endpoint;
use crate::runtime::system_clock;

/// How long a server may take to answer a PING or VERSION.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a server is asked that answers, and one that does not or rests.
const ASKED_EVERY: Duration = Duration::from_secs(30);
const MISSING_ASKED_EVERY: Duration = Duration::from_secs(1);

/// How often the database's age is looked at.
const AGE_ASKED_EVERY: Duration = Duration::from_hours(6);

const SECS_OF_A_DAY: u64 = 86_400;

/// What is known of a server.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Where it is.
    pub server: Endpoint,
    /// Its version, or why it does not answer.
    pub version: Result<String, String>,
    /// Its database's age, where that is more than the configuration allows.
    pub database_too_old: Option<Duration>,
    /// Its `StreamMaxLength`, as far as it is known.
    pub stream_bytes_max: Option<u64>,
    /// What it is known to call clean without having looked into it; `None` where its configuration
    /// can't be read.
    pub called_clean: Option<Vec<&'static str>>,
}

impl Scanner {
    /// Asks every server what it is.
    pub async fn conditions(&self) -> Vec<Condition> {
        let servers = self.shared.pool.servers();
        join_all(servers.iter().map(|server| self.condition(server))).await
    }

    async fn condition(&self, server: &Server) -> Condition {
        let version = version(&server.endpoint).await;
        let age = version.as_ref().ok().and_then(|version| version.database_age(system_clock()));
        let age_max = self.database_age_max;
        Condition {
            server: server.endpoint.clone(),
            version: version
                .map(|version| version.text)
                .map_err(|error| explain(&server.endpoint, &error)),
            database_too_old: age.filter(|age| age_max.is_some_and(|age_max| *age > age_max)),
            stream_bytes_max: server.limit.bytes(),
            called_clean: server.conf.as_ref().map(super::clamd_conf::ClamdConf::called_clean),
        }
    }

    /// Says of every server whether it answers, and goes on asking for ever.
    pub async fn watch(&self) {
        join_all(self.shared.pool.servers().iter().map(|server| self.watch_one(server))).await;
    }

    async fn watch_one(&self, server: &Server) {
        let condition = self.condition(server).await;
        condition.log();
        if let Err(fault) = &condition.version {
            server.failed(fault);
        }
        let mut is_there = condition.version.is_ok();
        let mut age_asked = Instant::now();
        loop {
            let is_well = is_there && server.is_in_service();
            sleep(if is_well { ASKED_EVERY } else { MISSING_ASKED_EVERY }).await;
            let was_there = is_there;
            is_there = self.ask(server, was_there).await;
            if is_there && (!was_there || age_asked.elapsed() > AGE_ASKED_EVERY) {
                age_asked = Instant::now();
                self.condition(server).await.log_age();
            }
        }
    }

    /// Whether the server answers; where that is news, it is logged.
    async fn ask(&self, server: &Server, was_there: bool) -> bool {
        let endpoint = &server.endpoint;
        match ping(endpoint).await {
            Ok(()) => {
                server.answered();
                if !was_there {
                    tracing::info!(server = %endpoint, "clamd answers again");
                }
                true
            }
            Err(error) => {
                let fault = explain(endpoint, &error);
                server.failed(&fault);
                if was_there {
                    tracing::warn!(server = %endpoint, %fault, "clamd does not answer any more");
                }
                false
            }
        }
    }
}

impl Condition {
    fn log(&self) {
        let server = &self.server;
        match &self.version {
            Ok(version) => tracing::info!(
                %server, %version, stream_bytes_max = self.stream_bytes_max, "clamd answers"
            ),
            Err(fault) => tracing::warn!(
                %server, %fault,
                "clamd does not answer; going on without it, as clamav.on_failure says"
            ),
        }
        for caution in self.cautions() {
            tracing::warn!(%server, "{caution}");
        }
    }

    fn log_age(&self) {
        if let Some(caution) = self.age_caution() {
            tracing::warn!(server = %self.server, "{caution}");
        }
    }

    /// What an operator should know of it, in sentences.
    pub fn cautions(&self) -> Vec<String> {
        let called_clean = match &self.called_clean {
            Some(known) if known.is_empty() => None,
            Some(known) => Some(format!("clamd calls clean {}", known.join(" and "))),
            None => Some(
                "clamd calls clean what exceeds its own limits and what is encrypted, unless \
                 its clamd.conf, which was not read, turns AlertExceedsMax and AlertEncrypted on"
                    .to_owned(),
            ),
        };
        self.age_caution().into_iter().chain(called_clean).collect()
    }

    fn age_caution(&self) -> Option<String> {
        let days = self.database_too_old?.as_secs() / SECS_OF_A_DAY;
        Some(format!("clamd's database is {days} days old; does freshclam run?"))
    }
}

/// Asks a server whether it is there.
pub(super) async fn ping(server: &Endpoint) -> io::Result<()> {
    let reply = answer(clamav_client::tokio::ping(Address::new(server))).await?;
    if reply == clamav_client::PONG { Ok(()) } else { Err(makes_no_sense("PING")) }
}

async fn version(server: &Endpoint) -> io::Result<Version> {
    let reply = answer(clamav_client::tokio::get_version(Address::new(server))).await?;
    Version::parse(&reply).ok_or_else(|| makes_no_sense("VERSION"))
}

async fn answer(asked: impl Future<Output = io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    let secs = ANSWER_TIMEOUT.as_secs();
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {secs} s"));
    timeout(ANSWER_TIMEOUT, asked).await.unwrap_or_else(|_| Err(late()))
}

fn makes_no_sense(command: &str) -> io::Error {
    io::Error::other(format!("makes no sense of {command}"))
}
