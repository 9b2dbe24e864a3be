//! Verbs that ask in a terminal: a real one, held by tmux.

use super::*;
use crate::support::terminal::Terminal;

/// One verb in a terminal of its own.
fn start(place: &Place, words: &[&str]) -> Terminal {
    let all = [words, &["--url", place.sim.url.as_str()]].concat();
    Terminal::start(&place.home, 160, &all)
}

/// Sets the PIN by typing it twice; nothing of it stands on the screen.
async fn set_pin(place: &Place) {
    let terminal = start(place, &["presence", "set", "pin"]);
    terminal.until("A new PIN").await;
    terminal.type_line(PIN).await;
    terminal.until("The same again").await;
    terminal.type_line(PIN).await;
    let screen = terminal.until("[exit 0]").await;
    assert!(screen.contains("takes your PIN for each order"), "{screen}");
    // The five words that are offered may hold one of ours by chance: they stand alone on an indented line.
    let screen = terminal.screen();
    let typed: Vec<&str> = screen.lines().filter(|line| !line.starts_with("  ")).collect();
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
    let terminal = start(&place, &["presence", "set", "pin"]);
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
    let terminal = start(&place, &["resume"]);
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
    let terminal = start(&place, &["login", "--trade"]);
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
    let terminal = start(&place, &["logout"]);
    terminal.until("Your PIN, to revoke the trade sign-in too").await;
    terminal.type_line(OTHER).await;
    let screen = terminal.until("[exit 0]").await;
    assert!(screen.contains("trade refresh revoked"), "{screen}");
}

/// Where the terminal itself would have to break a line, and no word is to blame.
fn broken(screen: &str, columns: usize) -> Vec<&str> {
    let too_long = |line: &&str| {
        let longest = line.split_whitespace().map(|word| word.chars().count()).max();
        // Text stands at most 24 columns from the edge.
        line.chars().count() > columns && longest.is_some_and(|longest| longest + 24 <= columns)
    };
    screen.lines().filter(too_long).collect()
}

#[tokio::test]
async fn what_is_said_fits_the_terminal_and_a_program_gets_it_whole() {
    const STOPPED: &str =
        "AI trading is stopped on this computer: waiting calls are void and new ones are refused.";
    let place = Place::bare();
    place.sign_in().await;
    for columns in [60, 80, 120] {
        for words in [
            &["halt"][..],
            &["status"],
            &["doctor"],
            &["presence", "show"],
            &["deny", "ABCD"],
            &["journal", "show"],
            &["policy", "check"],
        ] {
            let all = [words, &["--url", place.sim.url.as_str()]].concat();
            let terminal = Terminal::start(&place.home, columns, &all);
            terminal.until("[exit ").await;
            let screen = terminal.screen();
            let columns = usize::try_from(columns).expect("small");
            assert_eq!(
                broken(&screen, columns),
                [""; 0],
                "{words:?} at {columns}:\n{screen}"
            );
            // 88 letters: on one line only where there is room.
            if words == ["halt"] {
                assert_eq!(screen.contains(STOPPED), columns == 120, "{screen}");
            }
        }
    }
    let (_, out, _) = place.run(&["halt"]).await;
    assert!(out.contains(STOPPED), "{out}");
}
