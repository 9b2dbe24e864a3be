//! A terminal of the person, held by tmux, in which `countersign watch` runs.

use super::*;

/// Ended on drop, with what runs in it.
pub(crate) struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Starts `countersign watch` for this installation.
    pub(crate) fn watch(home: &Home, sim: &Sim) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let terminal = Self { folder };
        let socket = terminal.socket();
        let mut command = home.shell("tmux");
        command.arg("-S").arg(socket).args([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "110",
            "-y",
            "50",
            "-s",
            "t",
        ]);
        command.args([env!("CARGO_BIN_EXE_countersign"), "watch", "--url", &sim.url]);
        command.env("TERM", "xterm");
        assert!(
            command
                .status()
                .expect("`tmux` is not installed: apt-get install tmux")
                .success()
        );
        terminal
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("tmux")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let told = Command::new("tmux")
            .arg("-S")
            .arg(self.socket())
            .args(arguments)
            .output()
            .expect("tmux");
        String::from_utf8_lossy(&told.stdout).into_owned()
    }

    /// What stands there, with what scrolled away.
    pub(crate) fn screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-S", "-500", "-t", "t"])
    }

    /// Waits until this stands there.
    pub(crate) fn until(&self, text: &str) {
        self.until_count(text, 1);
    }

    /// Waits until this stands there so often.
    pub(crate) fn until_count(&self, text: &str, times: usize) {
        let end = Instant::now() + PATIENCE;
        while self.screen().matches(text).count() < times {
            assert!(
                Instant::now() < end,
                "waited for {text:?} in the terminal:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Types without Enter, once the person could have read what is there.
    pub(crate) fn put(&self, text: &str) {
        std::thread::sleep(Duration::from_millis(900));
        self.run(&["send-keys", "-t", "t", "-l", text]);
    }

    /// Presses Enter.
    pub(crate) fn enter(&self) {
        self.run(&["send-keys", "-t", "t", "Enter"]);
    }

    /// Leaves the watch, as a person does.
    pub(crate) fn leave(&self) {
        self.run(&["send-keys", "-t", "t", "C-c"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}
