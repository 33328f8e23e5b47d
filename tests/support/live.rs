//! The real daemon on a loopback port, inside the test.

use std::net::SocketAddr;

use mailseal::config::Endpoint;
use mailseal::runtime::Runtime;
use mailseal::serve::Daemon;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A daemon that serves until it is stopped or dropped.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Serves the runtime on a port that the system chooses.
    pub async fn start(mut runtime: Runtime, observe: bool) -> Self {
        runtime.config.milter.listen = vec![Endpoint::Inet("127.0.0.1:0".parse().unwrap())];
        let daemon = Daemon::bind(runtime).await.unwrap();
        let Endpoint::Inet(addr) = daemon.endpoints()[0] else { unreachable!() };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(daemon.run(observe, async {
            let _ = stopped.await;
        }));
        Self { addr, stop, task }
    }

    /// Asks it to end, and awaits that.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    /// Asks it to end; what it does then is the test's to see.
    pub fn ask_to_stop(self) -> JoinHandle<std::io::Result<()>> {
        let _ = self.stop.send(());
        self.task
    }
}
