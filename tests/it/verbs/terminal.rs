//! Verbs that ask in a terminal: a real one, held by tmux.

use super::*;
use std::process::Command;

/// One verb in a terminal of its own; it stays on the screen when it has ended.
struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    fn start(place: &Place, words: &[&str]) -> Self {
        let terminal = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let verb = [
            &[env!("CARGO_BIN_EXE_countersign")],
            words,
            &["--url", &place.sim.url],
        ]
        .concat()
        .join(" ");
        let mut command = place.home.shell("tmux");
        command.arg("-S").arg(terminal.socket()).args([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "160",
            "-y",
            "50",
            "-s",
            "t",
        ]);
        command
            .arg(format!("{verb}; echo \"[exit $?]\"; exec sleep 60"))
            .env("TERM", "xterm");
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

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-J", "-p", "-S", "-200", "-t", "t"])
    }

    async fn until(&self, text: &str) -> String {
        for _ in 0..600 {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("waited for {text:?} in the terminal:\n{}", self.screen());
    }

    /// Types a line once the person could have read what is there.
    async fn type_line(&self, text: &str) {
        tokio::time::sleep(Duration::from_millis(900)).await;
        self.run(&["send-keys", "-t", "t", "-l", text]);
        self.run(&["send-keys", "-t", "t", "Enter"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// Sets the PIN by typing it twice; nothing of it stands on the screen.
async fn set_pin(place: &Place) {
    let terminal = Terminal::start(place, &["presence", "set", "pin"]);
    terminal.until("A new PIN").await;
    terminal.type_line(PIN).await;
    terminal.until("The same again").await;
    terminal.type_line(PIN).await;
    let screen = terminal.until("[exit 0]").await;
    assert!(screen.contains("takes your PIN for each order"), "{screen}");
    // The five words that are offered may hold one of ours by chance.
    let typed: Vec<&str> = screen
        .lines()
        .filter(|line| !line.contains("If you like these") && !line.contains("you type them:"))
        .collect();
    for word in PIN.split(' ') {
        assert!(
            !typed.join("\n").contains(word),
            "the PIN is on the screen: {screen}"
        );
    }
}

#[tokio::test]
async fn a_pin_is_set_and_resuming_takes_it() {
    let place = Place::bare();
    place.sign_in().await;
    let terminal = Terminal::start(&place, &["presence", "set", "pin"]);
    terminal.until("A new PIN").await;
    terminal.type_line(PIN).await;
    terminal.until("The same again").await;
    terminal.type_line(OTHER).await;
    // Typed again at once, and it still does not show.
    terminal.until("Not taken: the two are not the same").await;
    terminal.type_line("weak-one").await;
    terminal.until("Not taken: this PIN").await;
    terminal.type_line("weak-two").await;
    let screen = terminal.until("[exit 2]").await;
    assert!(
        screen.contains("error: this PIN is not strong enough") && screen.contains("nothing was changed"),
        "{screen}"
    );
    assert!(
        !screen.contains("weak-"),
        "a PIN that was not taken is on the screen: {screen}"
    );
    set_pin(&place).await;
    place.run(&["halt"]).await;
    let terminal = Terminal::start(&place, &["resume"]);
    terminal.until("ALLOW AI TRADING AGAIN").await;
    terminal.type_line("approve").await;
    terminal.until("PIN").await;
    terminal.type_line(OTHER).await;
    terminal.until("wrong PIN").await;
    terminal.type_line(PIN).await;
    terminal.until("[exit 0]").await;
    assert_eq!(place.json(&["status"]).await["halted"], false);
}

#[tokio::test]
async fn a_new_trade_sign_in_is_sealed_again_and_logout_takes_the_pin() {
    let mut place = Place::bare();
    place.sign_in().await;
    set_pin(&place).await;
    let opened = crate::support::verb::Opened::in_folder(&place.home.folder().join("person"));
    place.home = place.home.with("BROWSER", &opened.script.display().to_string());
    let terminal = Terminal::start(&place, &["login", "--trade"]);
    // The PIN first: what comes back from the browser goes under it at once.
    terminal.until("Your PIN for this sign-in").await;
    terminal.type_line(OTHER).await;
    let screen = terminal.until("The same again").await;
    assert!(!screen.contains("Your browser is open"), "{screen}");
    terminal.type_line(OTHER).await;
    terminal.until("Your browser is open").await;
    place
        .sim
        .http()
        .get(opened.nth(0).await)
        .send()
        .await
        .expect("the person's browser");
    let screen = terminal.until("[exit 0]").await;
    assert!(screen.contains("Signed in for trading"), "{screen}");
    assert!(place.run(&["status"]).await.1.contains("sealed under your PIN"));
    let terminal = Terminal::start(&place, &["logout"]);
    terminal.until("Your PIN, to revoke the trade sign-in too").await;
    terminal.type_line(OTHER).await;
    let screen = terminal.until("[exit 0]").await;
    assert!(screen.contains("trade  refresh  revoked"), "{screen}");
}
