//! A terminal of the person, held by tmux, in which a verb runs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits in real time"
)]

use super::folder::Folder;
use super::program::Home;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a person reads before they answer.
const READING: Duration = Duration::from_millis(900);
/// How often the screen is looked at.
const LOOK: Duration = Duration::from_millis(30);

/// Ended on drop, with what runs in it.
pub(crate) struct Terminal {
    folder: Folder,
}

impl Terminal {
    /// Runs the program with these words in a terminal of so many columns. What it wrote stays there when it has ended, with
    /// `[exit CODE]` below it.
    pub(crate) fn start(home: &Home, columns: u32, words: &[&str]) -> Self {
        let terminal = Self {
            folder: Folder::new(),
        };
        let verb = [&[env!("CARGO_BIN_EXE_countersign")], words].concat().join(" ");
        let mut command = home.shell("tmux");
        command.arg("-S").arg(terminal.socket());
        command.args([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "t",
            "-y",
            "50",
            "-x",
        ]);
        command
            .arg(columns.to_string())
            .arg(format!("{verb}; echo \"[exit $?]\"; exec sleep 600"))
            .env("TERM", "xterm");
        let started = command.status();
        assert!(
            started
                .expect("`tmux` is not installed: apt-get install tmux")
                .success()
        );
        terminal
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    /// A command of tmux.
    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        let told = Command::new("tmux")
            .arg("-S")
            .arg(self.socket())
            .args(arguments)
            .output()
            .expect("tmux");
        String::from_utf8_lossy(&told.stdout).into_owned()
    }

    /// What stands there, with what scrolled away. A line that the terminal itself had to break is one line.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-J", "-p", "-S", "-900", "-t", "t"])
    }

    /// The same with all white space as one blank: where a text is folded hangs on the width.
    fn flat(&self) -> String {
        self.screen().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn shows(&self, text: &str, times: usize) -> Option<String> {
        let flat = self.flat();
        (flat.matches(text).count() >= times).then_some(flat)
    }

    fn missed(&self, text: &str) -> ! {
        panic!("waited for {text:?} in the terminal:\n{}", self.screen())
    }

    /// Waits until this stands there; all that stands there, as one line.
    pub(crate) async fn until(&self, text: &str) -> String {
        self.until_times(text, 1).await
    }

    /// Waits until this stands there so often.
    pub(crate) async fn until_times(&self, text: &str, times: usize) -> String {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(flat) = self.shows(text, times) {
                return flat;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.missed(text)
    }

    /// The same for a test that waits in a thread.
    pub(crate) fn wait_for(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while self.shows(text, 1).is_none() {
            if Instant::now() > end {
                self.missed(text);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Types a line once the person could have read what is there.
    pub(crate) async fn type_line(&self, text: &str) {
        tokio::time::sleep(READING).await;
        self.put_line(text);
    }

    /// The same for a test that waits in a thread.
    pub(crate) fn say(&self, text: &str) {
        std::thread::sleep(READING);
        self.put_line(text);
    }

    fn put_line(&self, text: &str) {
        if !text.is_empty() {
            self.tmux(&["send-keys", "-t", "t", "-l", text]);
        }
        self.tmux(&["send-keys", "-t", "t", "Enter"]);
    }

    /// Waits for a question and answers it.
    pub(crate) async fn answer(&self, question: &str, answer: &str) {
        self.until(question).await;
        self.type_line(answer).await;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
