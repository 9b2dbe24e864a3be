//! This process: what the kernel may show of it, and what tells it to end.

use std::future::Future;

/// Keeps the memory of this process from being read by other programs of the same user, where the kernel can:
/// no core dump, no `/proc/PID/mem` (Linux `prctl(PR_SET_DUMPABLE, 0)`). Failing to is no reason to stop.
pub fn harden() {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}

/// The parent's process id, which changes when the parent dies (Unix).
pub fn parent_id() -> u32 {
    #[cfg(unix)]
    {
        rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
    }
    #[cfg(not(unix))]
    {
        0
    }
}

/// Ends when the system asks the process to leave: SIGTERM, SIGINT, SIGHUP, or the console's close on Windows.
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
        let mut close = tokio::signal::windows::ctrl_close()?;
        let mut off = tokio::signal::windows::ctrl_shutdown()?;
        Ok(async move {
            tokio::select! {
                _ = c.recv() => "ctrl-c",
                _ = close.recv() => "console closed",
                _ = off.recv() => "shutdown",
            }
        })
    }
}

/// The name of this machine, for the names of our registrations; `this computer` where it cannot be read.
pub fn host_name() -> String {
    #[cfg(unix)]
    {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let plain: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .take(40)
            .collect();
        if plain.is_empty() {
            "this computer".to_owned()
        } else {
            plain
        }
    }
    #[cfg(not(unix))]
    {
        "this computer".to_owned()
    }
}
