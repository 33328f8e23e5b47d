//! The supervisor: opens the sockets, serves until a signal, drains, leaves.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Endpoint;
use crate::milter;
use crate::milter::listener::{BindError, Sockets};
use crate::runtime::Runtime;

/// A daemon whose sockets are open and that does not serve yet.
pub struct Daemon {
    runtime: Arc<Runtime>,
    sockets: Sockets,
    endpoints: Vec<Endpoint>,
}

impl Daemon {
    /// Opens the configured sockets.
    pub async fn bind(runtime: Runtime) -> Result<Self, BindError> {
        let sockets = Sockets::bind(&runtime.config.milter).await?;
        let endpoints = sockets.endpoints();
        Ok(Self { runtime: Arc::new(runtime), sockets, endpoints })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Serves until `shutdown` resolves; then open transactions may end. With `observe`, messages
    /// are judged and logged, and neither changed nor refused.
    pub async fn run(self, observe: bool, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let scanner = self.runtime.scanner.clone();
        let _watch = scanner.map(|scanner| {
            AbortOnDropHandle::new(tokio::spawn(async move { scanner.watch().await }))
        });
        milter::run(self.sockets, self.runtime, observe, shutdown).await
    }
}

/// Takes over SIGTERM and SIGINT; the future resolves when one of them comes.
pub fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
