//! One clamd: where it is, whether it may be asked, how much it takes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::breaker::Breaker;
use super::clamd_conf::ClamdConf;
use super::limit::StreamLimit;
use crate::config::Endpoint;

/// A clamd.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) endpoint: Endpoint,
    /// Its configuration, where it is on this host and can be read.
    pub(super) conf: Option<ClamdConf>,
    pub(super) limit: StreamLimit,
    breaker: Mutex<Breaker>,
    under_way: AtomicUsize,
    last_fault: Mutex<String>,
}

impl Server {
    pub(super) fn new(endpoint: Endpoint, conf: Option<&ClamdConf>) -> Self {
        let conf = conf.filter(|conf| conf.is_of(&endpoint)).cloned();
        Self {
            endpoint,
            limit: StreamLimit::configured(conf.as_ref().map(ClamdConf::stream_bytes_max)),
            conf,
            breaker: Mutex::new(Breaker::new()),
            under_way: AtomicUsize::new(0),
            last_fault: Mutex::default(),
        }
    }

    /// How many scans are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Lets a scan ask the server, unless it rests.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Turn> {
        self.breaker().admits(Instant::now()).then(|| {
            self.under_way.fetch_add(1, Ordering::Relaxed);
            Turn { server: self.clone() }
        })
    }

    /// Takes note that a scan had an answer.
    pub(super) fn succeeded(&self) {
        if self.breaker().succeeded() {
            tracing::info!(server = %self.endpoint, "clamd is back in service");
        }
    }

    /// Takes note of a failure: of a scan, or of the server to answer at all.
    pub(super) fn failed(&self, fault: &str) {
        fault.clone_into(&mut self.last_fault.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(rest) = self.breaker().failed(Instant::now()) {
            let rest_secs = rest.as_secs();
            tracing::warn!(server = %self.endpoint, rest_secs, fault, "clamd is given a rest");
        }
    }

    /// Takes note that it answers, which it may do and still fail every scan.
    pub(super) fn answered(&self) {
        self.breaker().answered(Instant::now());
    }

    /// Whether it is in service without condition.
    pub(super) fn is_in_service(&self) -> bool {
        self.breaker().is_closed()
    }

    /// The state of its circuit breaker.
    pub(super) fn breaker_state(&self) -> &'static str {
        self.breaker().state()
    }

    /// What it last failed for.
    pub(super) fn last_fault(&self) -> String {
        self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scan's turn at a server. One that ends without a word on how it went says nothing of it.
pub(super) struct Turn {
    pub(super) server: Arc<Server>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.server.under_way.fetch_sub(1, Ordering::Relaxed);
        self.server.breaker().gave_up(Instant::now());
    }
}

/// What an error of the talk with a server means to an operator.
pub(super) fn explain(server: &Endpoint, error: &io::Error) -> String {
    let remedy = match (error.kind(), server) {
        (io::ErrorKind::PermissionDenied, Endpoint::Unix(_)) => {
            ", let the daemon's user into the socket's group, on Debian: adduser USER clamav"
        }
        (io::ErrorKind::NotFound, Endpoint::Unix(_)) => ", does clamd run, and listen there?",
        (io::ErrorKind::ConnectionRefused, _) => ", does clamd run?",
        _ => "",
    };
    let error = error.to_string();
    let fault = error.split_once(" (os error").map_or(error.as_str(), |(fault, _)| fault);
    format!("{fault}{remedy}")
}
