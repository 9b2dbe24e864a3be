//! Which relays run now: each leaves a small file with its client's name, its version and until when it is armed, for
//! `status` and `doctor`. It decides nothing, and nothing is decided by it.
//!
//! `running/PID.lock` is locked for as long as the process lives; `running/PID.json` says what it is.

use super::Relay;
use crate::system::{FileLock, Paths, file, wall_ms};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

/// The largest of these files (bytes).
const MAX_FILE: u64 = 16 * 1024;

/// What a running relay says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Running {
    /// Its process id.
    pub(crate) pid: u32,
    /// The name by which its client goes.
    pub(crate) client: String,
    /// The version of Countersign that it runs.
    pub(crate) version: String,
    /// The program's file.
    pub(crate) program: String,
    /// The address that it relays to.
    pub(crate) endpoint: String,
    /// Since when (wall clock, ms).
    pub(crate) since: u64,
    /// Until when the PIN's armed time lasts (wall clock, ms), where it does.
    pub(crate) armed_until: Option<u64>,
    /// Whether the armed time covers every trade call, or exits and protective stops alone.
    pub(crate) armed_all: bool,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            pid: std::process::id(),
            client: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: std::env::current_exe()
                .map_or_else(|_| String::new(), |path| path.display().to_string()),
            endpoint: String::new(),
            since: wall_ms(),
            armed_until: None,
            armed_all: false,
        }
    }
}

/// What this process has said so far.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<Option<(Running, FileLock)>>);

fn folder(paths: &Paths) -> PathBuf {
    paths.state().join("running")
}

fn place(paths: &Paths, pid: u32, end: &str) -> PathBuf {
    folder(paths).join(format!("{pid}.{end}"))
}

/// Says anew what has changed since the last time. Off the loop; what cannot be written is left out.
pub(super) fn say(relay: &Relay) {
    let (paths, now) = (relay.world.paths.clone(), relay.as_running());
    let mut said = super::lock(&relay.said.0);
    let now = if let Some((before, _)) = &mut *said {
        let now = Running {
            since: before.since,
            ..now
        };
        if *before == now {
            return;
        }
        *before = now.clone();
        now
    } else {
        // Whoever looks holds the lock for a moment: then the next tick takes it.
        let Ok(Some(lock)) = FileLock::try_take(&place(&paths, now.pid, "lock")) else {
            return;
        };
        *said = Some((now.clone(), lock));
        now
    };
    drop(said);
    // Not on the thread that waits for the disk: an order must not wait for this. Nothing is synced, for it is over with
    // the process.
    tokio::task::spawn_blocking(move || {
        if let Err(error) = write(&paths, &now) {
            tracing::debug!(%error, "that this relay runs could not be written down");
        }
    });
}

/// In its place, in one write: whoever reads in between finds no JSON, and does so again at the next look.
fn write(paths: &Paths, now: &Running) -> io::Result<()> {
    let text = serde_json::to_vec(now)?;
    let mut file = file::open_append(&place(paths, now.pid, "json"))?;
    file.set_len(0)?;
    file.write_all(&text)
}

/// Takes back what was said, with what dead processes left.
pub(super) fn leave(relay: &Relay) {
    let paths = &relay.world.paths;
    let Some((mine, lock)) = super::lock(&relay.said.0).take() else {
        return;
    };
    let _ = std::fs::remove_file(place(paths, mine.pid, "json"));
    drop(lock);
    for pid in pids(paths) {
        let path = place(paths, pid, "lock");
        if let Ok(Some(_lock)) = FileLock::try_take(&path) {
            let _ = std::fs::remove_file(place(paths, pid, "json"));
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The relays that run now, oldest first.
pub(crate) fn all(paths: &Paths) -> Vec<Running> {
    let lives = |pid: &u32| matches!(FileLock::try_take(&place(paths, *pid, "lock")), Ok(None));
    let once = |pid: u32| {
        let text = file::read_bounded(&place(paths, pid, "json"), MAX_FILE).ok()??;
        serde_json::from_slice::<Running>(&text).ok()
    };
    // It may be written anew right now.
    let read = |pid: u32| {
        once(pid).or_else(|| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            once(pid)
        })
    };
    let mut all: Vec<Running> = pids(paths).into_iter().filter(lives).filter_map(read).collect();
    all.sort_by_key(|one| (one.since, one.pid));
    all
}

fn pids(paths: &Paths) -> Vec<u32> {
    let entries = std::fs::read_dir(folder(paths)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| name.strip_suffix(".lock")?.parse().ok())
        .collect()
}

impl Relay {
    fn as_running(&self) -> Running {
        let armed = self.unsealed.until();
        Running {
            client: self.client_name(),
            endpoint: self.endpoint.url().to_owned(),
            armed_until: armed.map(|(until, _)| until),
            armed_all: armed.is_some_and(|(_, all)| all),
            ..Running::default()
        }
    }
}
