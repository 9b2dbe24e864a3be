//! Asking in a terminal: a real one, held by tmux. The child is this test binary itself, started in there.

use super::*;
use countersign::approve::{Verify, WrongPin, terminal};
use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

const PIN: &str = "correct horse battery staple";

/// A terminal with the child in it.
struct Tmux {
    folder: tempfile::TempDir,
}

impl Tmux {
    fn start(scene: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tmux = Self { folder };
        let program = std::env::current_exe().expect("our path");
        let child = format!(
            "SCENE={scene} ANSWER={} {} --exact --nocapture approve::terminal::words_decide",
            tmux.answer_file().display(),
            program.display()
        );
        tmux.run(&[
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
            &child,
        ]);
        tmux
    }

    fn answer_file(&self) -> PathBuf {
        self.folder.path().join("answer")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let socket = self.folder.path().join("tmux");
        let told = Command::new("tmux")
            .arg("-S")
            .arg(socket)
            .args(arguments)
            .output();
        let told = told.expect("`tmux` is not installed: apt-get install tmux");
        String::from_utf8_lossy(&told.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-S", "-200", "-t", "t"])
    }

    fn until(&self, text: &str) {
        for _ in 0..400 {
            if self.screen().contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("waited for {text:?} in the terminal:\n{}", self.screen());
    }

    /// Types a line once the person could have read what is there.
    fn type_line(&self, text: &str) {
        std::thread::sleep(Duration::from_millis(900));
        self.run(&["send-keys", "-t", "t", "-l", text]);
        self.run(&["send-keys", "-t", "t", "Enter"]);
    }

    fn answer(&self) -> String {
        for _ in 0..400 {
            if let Ok(answer) = std::fs::read_to_string(self.answer_file()) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("no answer; the terminal:\n{}", self.screen());
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// What runs in the terminal, in a process of its own: the tests below start this program once more, with the scene and the
/// place for the answer.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_terminal(scene: &str) {
    let file = std::env::var("ANSWER").expect("a place for the answer");
    let wait_ms = if scene == "pin-wait" { 60_000 } else { 300 };
    let (checking, checks) = watch::channel(false);
    let slow = scene == "pin-slow" || scene == "pin-changed";
    let verify: Verify = Arc::new(move |pin: SecretString| {
        let checking = checking.clone();
        async move {
            checking.send_replace(true);
            if slow {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            let right = pin.expose_secret() == PIN;
            right.then_some(()).ok_or(WrongPin {
                message: "That PIN is wrong.".to_owned(),
                wait_ms,
            })
        }
        .boxed()
    });
    let mut asked = match scene {
        "code" => {
            let mut code = code_card();
            let free = code.free_text.as_mut().expect("code");
            free.text.push_str(&"line\n".repeat(40));
            free.text.push_str("\u{1b}[31mLAST LINE\n");
            ask(code, 60)
        }
        "expire" => ask(card(), 2),
        "unchecked" => Ask {
            tier: Tier::Pin,
            ..ask(card(), 60)
        },
        _ => ask(card(), 60),
    };
    asked.verify = scene.starts_with("pin").then_some(verify);
    let (updates, cards) = watch::channel(asked.card.clone());
    let (tell, shown) = oneshot::channel();
    let newer = async {
        let _ = shown.await;
        if scene == "changed" {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let _ = updates.send(Card {
                headline: "SELL 3 MES 12-26".to_owned(),
                ..card()
            });
        }
        if scene == "pin-changed" {
            let _ = checks.clone().wait_for(|checking| *checking).await;
            let _ = updates.send(Card {
                headline: "SELL 3 MES 12-26".to_owned(),
                ..card()
            });
        }
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = terminal::ask(asked, cards, CancellationToken::new(), tell) => answer,
        () = newer => return,
    };
    std::fs::write(format!("{file}.new"), format!("{answer:?}")).expect("written");
    std::fs::rename(format!("{file}.new"), file).expect("in place");
}

/// Also what the other tests start in a terminal: with a scene it is the program there, not the one that looks at it.
#[test]
fn words_decide() {
    if let Ok(scene) = std::env::var("SCENE") {
        return in_the_terminal(&scene);
    }
    for (word, answer) in [("approve", "Approved"), ("deny", "Denied"), ("stop", "Halted")] {
        let tmux = Tmux::start("plain");
        tmux.until("Type approve");
        let screen = tmux.screen();
        for fact in [
            "LIVE  SELL 2 MES 12-26",
            "!! NO STOP ATTACHED",
            "Your phrase: blue heron",
        ] {
            assert!(screen.contains(fact), "{fact}: {screen}");
        }
        tmux.type_line("yes");
        tmux.until("one of the three words");
        tmux.type_line(word);
        assert!(tmux.answer().starts_with(answer), "{}", tmux.answer());
    }
}

#[test]
fn the_pin_is_not_shown_and_a_wrong_one_approves_nothing() {
    let tmux = Tmux::start("pin");
    tmux.until("Type approve");
    tmux.type_line("approve");
    tmux.until("PIN (not shown)");
    tmux.type_line("wrong-secret");
    tmux.until("That PIN is wrong.");
    // Typed at once, as people do: still not shown.
    tmux.type_line(PIN);
    assert!(tmux.answer().starts_with("Approved"), "{}", tmux.answer());
    let screen = tmux.screen();
    assert!(
        !screen.contains("wrong-secret") && !screen.contains("battery"),
        "the PIN is on the screen: {screen}"
    );
}

/// Neither the time after a wrong PIN nor a check that runs keeps a denial waiting.
#[test]
fn denying_and_stopping_never_wait_for_a_pin() {
    for (word, answer) in [("deny", "Denied"), ("stop", "Halted")] {
        let waiting = Tmux::start("pin-wait");
        waiting.until("Type approve");
        waiting.type_line("approve");
        waiting.until("PIN (not shown)");
        waiting.type_line("wrong-secret");
        waiting.until("That PIN is wrong.");
        waiting.type_line("approve");
        waiting.until("can be tried in");
        waiting.type_line(word);
        assert!(waiting.answer().starts_with(answer), "{}", waiting.answer());
        let checking = Tmux::start("pin-slow");
        checking.until("Type approve");
        checking.type_line("approve");
        checking.until("PIN (not shown)");
        checking.type_line(PIN);
        checking.until("Checking the PIN");
        checking.type_line(word);
        assert!(checking.answer().starts_with(answer), "{}", checking.answer());
    }
}

#[test]
fn what_changes_while_the_pin_is_checked_is_asked_again() {
    let tmux = Tmux::start("pin-changed");
    tmux.until("Type approve");
    tmux.type_line("approve");
    tmux.until("PIN (not shown)");
    tmux.type_line(PIN);
    tmux.until("It changed while you answered.");
    tmux.until("SELL 3 MES 12-26");
    assert!(!tmux.answer_file().exists(), "it was approved");
    tmux.type_line("deny");
    assert!(tmux.answer().starts_with("Denied"), "{}", tmux.answer());
}

#[test]
fn code_is_paged_to_its_end_and_escaped() {
    let tmux = Tmux::start("code");
    tmux.until("Page 1 of 3");
    // What is typed ahead approves nothing.
    tmux.type_line("approve");
    tmux.until("Page 2 of 3");
    tmux.type_line("");
    tmux.until("\\u{1B}[31mLAST LINE");
    tmux.until("Type approve");
    tmux.type_line("approve");
    assert!(tmux.answer().starts_with("Approved"), "{}", tmux.answer());
}

#[test]
fn time_leaving_and_changes_are_heard() {
    let expiring = Tmux::start("expire");
    assert_eq!(expiring.answer(), "Expired");
    let left = Tmux::start("plain");
    left.until("Type approve");
    left.run(&["send-keys", "-t", "t", "C-c"]);
    assert_eq!(left.answer(), "Stopped");
    let changed = Tmux::start("changed");
    changed.until("Something changed");
    changed.until("SELL 3 MES 12-26");
    changed.type_line("deny");
    assert!(changed.answer().starts_with("Denied"));
}

#[test]
fn a_pin_that_nothing_checks_asks_nobody() {
    let tmux = Tmux::start("unchecked");
    assert!(tmux.answer().starts_with("Nobody"), "{}", tmux.answer());
    assert!(tmux.answer().contains("needs your PIN"), "{}", tmux.answer());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("answer");
    let mut child = Command::new(std::env::current_exe().expect("our path"));
    child
        .args(["--exact", "approve::terminal::words_decide"])
        .stdin(Stdio::null());
    child
        .env("SCENE", "plain")
        .env("ANSWER", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(child.status().expect("ran").success());
    assert!(
        std::fs::read_to_string(file)
            .expect("an answer")
            .starts_with("Nobody")
    );
}
