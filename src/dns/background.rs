//! Where hickory's connections to servers live.
//!
//! All look-ups share a server's connection, and a task moves its questions and answers. Left to itself
//! hickory starts it on the thread that happens to look up first, and whatever that thread is busy with
//! holds up the look-ups of all.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use hickory_net::runtime::{RuntimeProvider, Spawn, TokioRuntimeProvider};
use tokio::runtime::Handle;

/// hickory's own runtime but for the tasks, which run where the resolver was made: for the daemon,
/// on its supervisor.
#[derive(Clone)]
pub(super) struct Background {
    sockets: TokioRuntimeProvider,
    tasks: Tasks,
}

/// `None` where the resolver was made outside any runtime.
#[derive(Clone)]
pub(super) struct Tasks(Option<Handle>);

impl Background {
    pub(super) fn new() -> Self {
        Self { sockets: TokioRuntimeProvider::default(), tasks: Tasks(Handle::try_current().ok()) }
    }
}

impl Spawn for Tasks {
    fn spawn_bg(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // It ends when the connection is let go of.
        match &self.0 {
            Some(handle) => handle.spawn(task),
            None => tokio::spawn(task),
        };
    }
}

impl RuntimeProvider for Background {
    type Handle = Tasks;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Tasks {
        self.tasks.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        from: Option<SocketAddr>,
        wait: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        self.sockets.connect_tcp(server, from, wait)
    }

    fn bind_udp(
        &self,
        from: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        self.sockets.bind_udp(from, server)
    }
}
