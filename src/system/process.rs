//! This process: what the kernel may show of it, and what tells it to end.

use std::future::Future;

/// Keeps the memory of this process from other programs of the same user, as far as the system can. Linux: no core dump,
/// no `/proc/PID/mem` (`prctl(PR_SET_DUMPABLE, 0)`). Windows: permissions of the process that let others end it and no
/// more, no dump, no libraries from beside the program. macOS: no core dump; debuggers are kept away only from a signed
/// build. Failing to is no reason to stop. No defence against administrators.
pub fn harden() {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
    #[cfg(target_os = "macos")]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
    #[cfg(windows)]
    super::windows::harden();
}

/// Who started this process. A client that is gone does not always close our stdin: on Windows another child of it can hold
/// the other end open without knowing.
#[derive(Debug)]
pub struct Parent {
    #[cfg(unix)]
    id: u32,
    #[cfg(windows)]
    process: super::windows::Parent,
}

impl Parent {
    /// Notes who that is now.
    pub fn now() -> Self {
        Self {
            #[cfg(unix)]
            id: parent_id(),
            #[cfg(windows)]
            process: super::windows::Parent(super::windows::parent()),
        }
    }

    /// Whether it has ended since. Where it ended before [`Self::now`], or cannot be watched (Windows may refuse), never.
    pub fn is_gone(&self) -> bool {
        #[cfg(unix)]
        {
            // A process whose parent dies is given another.
            parent_id() != self.id
        }
        #[cfg(windows)]
        {
            self.process.0.as_ref().is_some_and(super::windows::has_ended)
        }
    }
}

#[cfg(unix)]
fn parent_id() -> u32 {
    rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
}

/// Ends when the system asks the process to leave: SIGTERM, SIGINT, SIGHUP; on Windows Ctrl-C, Ctrl-Break, and a closed
/// console, a log-off or a shutdown, after which Windows gives a process about five seconds. A program that uses windows
/// of its own is not told of the last two; then it ends without a word, which costs nothing: locks are the kernel's, and
/// the next process voids what was held.
///
/// # Errors
/// Where the handlers cannot be set.
pub fn ending() -> std::io::Result<impl Future<Output = &'static str>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let mut hup = signal(SignalKind::hangup())?;
        Ok(async move {
            tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = int.recv() => "SIGINT",
                _ = hup.recv() => "SIGHUP",
            }
        })
    }
    #[cfg(windows)]
    {
        let mut c = tokio::signal::windows::ctrl_c()?;
        let mut broken = tokio::signal::windows::ctrl_break()?;
        let mut close = tokio::signal::windows::ctrl_close()?;
        let mut user = tokio::signal::windows::ctrl_logoff()?;
        let mut off = tokio::signal::windows::ctrl_shutdown()?;
        Ok(async move {
            tokio::select! {
                _ = c.recv() => "ctrl-c",
                _ = broken.recv() => "ctrl-break",
                _ = close.recv() => "console closed",
                _ = user.recv() => "log-off",
                _ = off.recv() => "shutdown",
            }
        })
    }
}
