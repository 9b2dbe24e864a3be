//! A folder of a test's own, which is gone when the test is over.
//!
//! What a test started may still write when the test ends: a browser whose window is closed, a daemon that saves its
//! settings because its bus is gone. A folder that is taken away too early is made anew by them and stays. So the end of all
//! that names this folder in its environment is waited for first.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits in real time"
)]

use std::path::Path;
use std::time::{Duration, Instant};

/// How long the last of them may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is tried to take the folder away.
const TRIES: Duration = Duration::from_secs(2);

/// The folder; private to this user, as all of its kind.
#[derive(Debug)]
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let end = Instant::now() + PATIENCE;
        while is_used(self.path()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let end = Instant::now() + TRIES;
        while std::fs::remove_dir_all(self.path()).is_err() && self.path().exists() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether a process of ours lives that was told of this folder. (A zombie's environment is empty.)
fn is_used(folder: &Path) -> bool {
    let name = folder.as_os_str().as_encoded_bytes();
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|pid| pid != own))
        .filter(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
        })
        .any(|entry| {
            let told = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            told.windows(name.len()).any(|part| part == name)
        })
}

#[cfg(test)]
mod tests {
    use super::Folder;
    use std::process::Command;
    use std::time::Duration;

    /// As a daemon does that saves its settings when its bus is gone.
    #[test]
    fn what_still_writes_is_waited_for() {
        let folder = Folder::new();
        let at = folder.path().to_owned();
        let mut late = Command::new("sh")
            .args([
                "-c",
                "touch \"$HOME/ready\"; sleep 0.4; mkdir -p \"$HOME/again/and\"; sleep 0.2; echo x >\"$HOME/again/late\"",
            ])
            .env("HOME", &at)
            .spawn()
            .expect("a shell");
        // A process that is just being started has no environment yet.
        while !at.join("ready").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(folder);
        assert!(!at.exists(), "taken away too early or not at all");
        late.wait().expect("its end");
        std::thread::sleep(Duration::from_millis(100));
        assert!(!at.exists(), "it was made anew");
    }

    #[test]
    fn a_browser_leaves_nothing_behind() {
        let browser = crate::support::browser::Browser::start();
        let at = browser.profile().to_owned();
        assert!(std::fs::read_dir(&at).expect("a profile").count() > 1);
        drop(browser);
        std::thread::sleep(Duration::from_millis(500));
        assert!(!at.exists(), "{}", at.display());
    }
}
