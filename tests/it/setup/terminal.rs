//! A terminal of the person, held by tmux, 80 columns wide, in which `setup` runs.

use super::*;
use std::process::Command;

/// Ended on drop, with what runs in it.
pub(super) struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    pub(super) fn start(home: &Home, sim: &Sim, words: &[&str]) -> Self {
        let terminal = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let verb = [
            &[env!("CARGO_BIN_EXE_countersign"), "setup", "--url", &sim.url],
            words,
        ]
        .concat();
        let line = format!("{}; echo \"[exit $?]\"; exec sleep 600", verb.join(" "));
        let mut command = home.shell("tmux");
        command.arg("-S").arg(terminal.socket());
        command.args([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "50",
            "-s",
            "t",
        ]);
        let started = command.arg(line).env("TERM", "xterm").status();
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

    fn run(&self, arguments: &[&str]) -> String {
        let told = Command::new("tmux")
            .arg("-S")
            .arg(self.socket())
            .args(arguments)
            .output();
        String::from_utf8_lossy(&told.expect("tmux").stdout).into_owned()
    }

    /// What stands there, with what scrolled away.
    pub(super) fn screen(&self) -> String {
        self.run(&["capture-pane", "-J", "-p", "-S", "-900", "-t", "t"])
    }

    /// Waits until this stands there.
    pub(super) async fn until(&self, text: &str) -> String {
        self.until_times(text, 1).await
    }

    /// Waits until this stands there so often. What is folded counts as one line.
    pub(super) async fn until_times(&self, text: &str, times: usize) -> String {
        for _ in 0..2000 {
            let screen = self.screen();
            let flat = screen.split_whitespace().collect::<Vec<_>>().join(" ");
            if flat.matches(text).count() >= times {
                return flat;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("waited for {text:?} in the terminal:\n{}", self.screen());
    }

    /// Types a line once the person could have read what is there.
    pub(super) async fn type_line(&self, text: &str) {
        tokio::time::sleep(Duration::from_millis(900)).await;
        if !text.is_empty() {
            self.run(&["send-keys", "-t", "t", "-l", text]);
        }
        self.run(&["send-keys", "-t", "t", "Enter"]);
    }

    /// Waits for a question and answers it.
    pub(super) async fn answer(&self, question: &str, answer: &str) {
        self.until(question).await;
        self.type_line(answer).await;
    }

    /// Presses Ctrl-C at a question, and waits for the end.
    pub(super) async fn leave_at(&self, question: &str) {
        self.until(question).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.run(&["send-keys", "-t", "t", "C-c"]);
        let screen = self.until("[exit 130]").await;
        assert!(
            screen.contains("Go on whenever you like: countersign setup"),
            "{screen}"
        );
    }

    /// Plays the person in the browser, for the address number `which` from 0.
    pub(super) async fn consent(&self, sim: &Sim, which: usize) {
        self.until_times("response_type=code", which + 1).await;
        self.until_times("Paste the address here", which + 1).await;
        let screen = self.screen();
        let address = screen
            .lines()
            .filter(|line| line.contains("response_type=code"))
            .nth(which)
            .expect("an address");
        let came = sim.http().get(address.trim()).send().await;
        came.expect("the person's browser");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}
