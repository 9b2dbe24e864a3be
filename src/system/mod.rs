//! The outside world: environment, folders, files, locks, clock, browser, log, signals, the client's pipes.
//!
//! Owns: every read of the environment and the clock, every path, every lock. Refuses to know: MCP, OAuth, orders.
//! May call: nothing of ours.

#[cfg(any(windows, test))]
#[path = "windows/acl.rs"]
mod acl;
mod aside;
pub mod browser;
pub mod clock;
pub mod env;
pub mod file;
pub mod lock;
pub mod log;
pub mod machine;
#[cfg(target_os = "macos")]
mod macos;
pub mod memory;
pub mod paths;
pub mod pipe;
pub mod probe;
pub mod process;
pub mod terminal;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::console;

pub use aside::aside;
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
