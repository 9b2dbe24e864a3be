//! What `setup` needs of a terminal beside what every verb does.

use super::*;
use crate::support::terminal::Terminal;

/// `setup` in a terminal of the usual 80 columns.
pub(super) fn start(home: &Home, sim: &Sim, words: &[&str]) -> Terminal {
    let all = [&["setup", "--url", sim.url.as_str()], words].concat();
    Terminal::start(home, 80, &all)
}

impl Terminal {
    /// Presses Ctrl-C at a question, and waits for the end.
    pub(super) async fn leave_at(&self, question: &str) {
        self.until(question).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.tmux(&["send-keys", "-t", "t", "C-c"]);
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
