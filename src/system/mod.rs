//! The outside world: environment, folders, files, locks, clock, browser, log, signals.
//!
//! Owns: every read of the environment and the clock, every path, every lock. Refuses to know: MCP, OAuth, orders.
//! May call: nothing of ours.

pub mod browser;
pub mod clock;
pub mod env;
pub mod file;
pub mod lock;
pub mod log;
pub mod paths;
pub mod process;

pub use clock::{mono_ms, wall_ms};
pub use env::Env;
pub use lock::FileLock;
pub use paths::Paths;

/// What the program was started with: passed in, never global.
#[derive(Debug, Clone)]
pub struct World {
    /// The environment as it was at the start.
    pub env: Env,
    /// Where everything lies.
    pub paths: Paths,
}

impl World {
    /// The real world of this process.
    ///
    /// # Errors
    /// Where no home folder is known and `COUNTERSIGN_HOME` is not set.
    pub fn real() -> Result<Self, String> {
        let env = Env::real();
        let paths = Paths::find(&env)?;
        Ok(Self { env, paths })
    }
}

/// Starts a task. Tasks of ours end by themselves when the lane, ticket or relay that owns them is cancelled; the
/// runtime's own shutdown ends the rest.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Does blocking work (a file lock, a sync to the disk) on a thread of its own, so that the loop goes on meanwhile. Once
/// begun it is done to its end, also where nobody waits for it any more.
///
/// # Errors
/// The work's own, or that it failed in an unforeseen way.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => Err(std::io::Error::other(failed)),
    }
}
