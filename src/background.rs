//! A runtime that may be let go of inside another one.

use std::ops::Deref;

use tokio::runtime::Runtime;

/// Ends in the background when dropped: tokio's own waits for what still runs, and panics where it may
/// not wait.
#[derive(Debug)]
pub(crate) struct BackgroundRuntime(Option<Runtime>);

impl From<Runtime> for BackgroundRuntime {
    fn from(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }
}

impl Deref for BackgroundRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("the runtime is there until it is dropped")
    }
}

impl Drop for BackgroundRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
