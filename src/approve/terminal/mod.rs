//! Asking in a terminal that the person opened (`countersign watch`).
//!
//! Owns: what is printed there, and reading words and PINs from it. Refuses to know: tickets, tokens. Both stdin and
//! stdout must be terminals; that alone proves nothing about who sits there, so in tier pin the PIN is asked as well.
//! Takes no turn: the person came here by themselves.

mod keys;
mod paper;

use super::desk::Screen;
use super::{Answer, Ask, DWELL_MS, Verify, text};
use crate::gate::card::Card;
use crate::system::mono_ms;
use keys::{Key, Keys};
use paper::Paper;
use secrecy::SecretString;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

const VIA: &str = "terminal";
/// Facts that moved are printed again no more often than this.
const REPRINT_MS: u64 = 8000;
/// The longest word or PIN.
const TYPED_MAX: usize = 256;
/// The longest address that is pasted.
const ADDRESS_MAX: usize = 16 * 1024;

/// How typing ended early.
enum Cut {
    /// Ctrl-C, Ctrl-D, or the terminal is gone.
    Left,
    /// There is a newer card.
    Newer,
}

/// Shows the card and reads the decision, as [`super::Desk::ask`] does on the desktop.
pub async fn ask(
    ask: Ask,
    updates: watch::Receiver<Card>,
    stop: CancellationToken,
    shown: oneshot::Sender<()>,
) -> Answer {
    if let Some(why) = ask.unaskable() {
        return Answer::Nobody(why.to_owned());
    }
    let keys = match Keys::open() {
        Ok(keys) => keys,
        Err(why) => return Answer::Nobody(why),
    };
    let screen = Screen::new(ask.open_for, shown);
    let card = Some(updates.borrow().clone());
    let mut talk = Talk {
        keys,
        paper: Paper::stdout(),
        verify: ask.verify,
        page_only: ask.touch.is_some(),
        updates: Some(updates),
        card,
        seen_ms: 0,
        printed_ms: 0,
        max: TYPED_MAX,
    };
    let answer = tokio::select! {
        biased;
        () = stop.cancelled() => Answer::Stopped,
        () = screen.expired() => Answer::Expired,
        answer = talk.decide(&screen) => answer,
    };
    talk.paper.line(match &answer {
        Answer::Approved { .. } => "Approved.",
        Answer::Denied { .. } => "Denied. Nothing was sent.",
        Answer::Halted { .. } => "AI trading is stopped. `countersign resume` allows it again.",
        Answer::Expired => "\nTime ran out. Nothing was sent.",
        Answer::Stopped => "\nLeft undecided here.",
        Answer::Tampered(_) | Answer::Nobody(_) => "\nNot decided here.",
    });
    answer
}

/// Reads a PIN without showing it (`presence set`, `resume`); `None` when the person left.
///
/// # Errors
/// A sentence: stdin or stdout is no terminal.
pub async fn read_pin(question: &str) -> Result<Option<SecretString>, String> {
    let typed = read(question, false, TYPED_MAX).await?;
    Ok(typed.map(|typed| SecretString::from(typed.as_str())))
}

/// Reads a word, which shows; `None` when the person left.
///
/// # Errors
/// A sentence: stdin or stdout is no terminal.
pub async fn read_word(question: &str) -> Result<Option<String>, String> {
    Ok(read(question, true, TYPED_MAX)
        .await?
        .map(|typed| typed.to_string()))
}

/// Reads an address that is pasted, which may be long; `None` when the person left.
///
/// # Errors
/// A sentence: stdin or stdout is no terminal.
pub async fn read_address(question: &str) -> Result<Option<String>, String> {
    Ok(read(question, true, ADDRESS_MAX)
        .await?
        .map(|typed| typed.to_string()))
}

async fn read(question: &str, echo: bool, max: usize) -> Result<Option<zeroize::Zeroizing<String>>, String> {
    let mut talk = Talk {
        keys: Keys::open()?,
        paper: Paper::stdout(),
        verify: None,
        page_only: false,
        updates: None,
        card: None,
        seen_ms: 0,
        printed_ms: 0,
        max,
    };
    talk.paper.question(&text::ascii(question));
    Ok(talk.typed(echo).await.ok())
}

/// One talk with the person.
struct Talk {
    keys: Keys,
    paper: Paper,
    verify: Option<Verify>,
    /// Approving takes a passkey, which a terminal cannot ask for.
    page_only: bool,
    updates: Option<watch::Receiver<Card>>,
    card: Option<Card>,
    /// When what is to be approved was printed last (monotonic).
    seen_ms: u64,
    printed_ms: u64,
    /// The most that is typed into one answer (bytes).
    max: usize,
}

/// How an "approve" ended.
enum Proof {
    Approved,
    Denied,
    Halted,
    /// Wrong, too early, or of something else by now: asked again.
    NotYet,
}

impl Talk {
    async fn decide(&mut self, screen: &Screen) -> Answer {
        self.print(screen);
        screen.mark();
        if let Err(answer) = self.read_free_text().await {
            return answer;
        }
        loop {
            let seconds = screen.left_ms().div_ceil(1000);
            self.paper.put(&format!(
                "Type approve, deny or stop, and Enter ({seconds} s left): "
            ));
            let word = match self.typed(true).await {
                Ok(word) => word,
                Err(Cut::Left) => return Answer::Stopped,
                Err(Cut::Newer) => {
                    if let Err(answer) = self.take_newer(screen).await {
                        return answer;
                    }
                    continue;
                }
            };
            match word.trim().to_ascii_lowercase().as_str() {
                "deny" | "d" | "no" | "n" => return Answer::Denied { via: VIA },
                "stop" => return Answer::Halted { via: VIA },
                "approve" if mono_ms().saturating_sub(self.seen_ms) < DWELL_MS => {
                    self.paper.line("That was too quick to be meant. Read it first.");
                }
                "approve" if self.page_only => self.paper.line(
                    "Not approved: this takes your passkey, on the page in your browser. Here you can deny or stop.",
                ),
                "approve" => match self.prove().await {
                    Ok(Proof::Approved) => return Answer::Approved { via: VIA },
                    Ok(Proof::Denied) => return Answer::Denied { via: VIA },
                    Ok(Proof::Halted) => return Answer::Halted { via: VIA },
                    Ok(Proof::NotYet) => {}
                    Err(Cut::Left | Cut::Newer) => return Answer::Stopped,
                },
                _ => self.paper.line("Please type one of the three words."),
            }
        }
    }

    fn print(&mut self, screen: &Screen) {
        if let Some(card) = &self.card {
            self.paper.card(card, &screen.until_text());
        }
        (self.seen_ms, self.printed_ms) = (mono_ms(), mono_ms());
        self.keys.flush();
    }

    /// Free text is paged to its end before anything can be approved.
    async fn read_free_text(&mut self) -> Result<(), Answer> {
        let Some(free) = self.card.as_ref().and_then(|card| card.free_text.clone()) else {
            return Ok(());
        };
        self.paper.free_head(&free);
        let pages = self.paper.pages(&free);
        for (number, rows) in pages.iter().enumerate() {
            self.paper.rows(rows);
            if number.saturating_add(1) == pages.len() {
                break;
            }
            self.paper.put(&format!(
                "Page {} of {}. Enter goes on, d denies: ",
                number.saturating_add(1),
                pages.len()
            ));
            loop {
                match self.keys.next().await {
                    Key::Enter | Key::Byte(b' ') => break,
                    Key::Byte(b'd') => return Err(Answer::Denied { via: VIA }),
                    Key::Leave => return Err(Answer::Stopped),
                    Key::Byte(_) | Key::Backspace | Key::Clear => {}
                }
            }
            self.paper.line("");
        }
        self.seen_ms = mono_ms();
        Ok(())
    }

    /// Prints a newer card: all of it when the deed changed (free text is paged again), else only the facts that moved.
    async fn take_newer(&mut self, screen: &Screen) -> Result<(), Answer> {
        let Some(newer) = self
            .updates
            .as_mut()
            .map(|updates| updates.borrow_and_update().clone())
        else {
            return Ok(());
        };
        let before = self.card.replace(newer.clone());
        if before
            .as_ref()
            .is_some_and(|before| text::same_deed(before, &newer))
        {
            let known = before.map(|before| before.lines).unwrap_or_default();
            self.paper.line("");
            for line in newer
                .lines
                .iter()
                .filter(|line| !known.contains(line) && line.label != "quote age")
            {
                self.paper.fact(line);
            }
            self.printed_ms = mono_ms();
            return Ok(());
        }
        let other_text = before.is_some_and(|before| before.free_text != newer.free_text);
        self.paper.line("\n\nSomething changed. Read it again:");
        self.print(screen);
        if other_text {
            self.read_free_text().await
        } else {
            Ok(())
        }
    }

    /// Whether the newest card would do something else than the printed one.
    fn is_outdated(&self) -> bool {
        let (Some(updates), Some(card)) = (&self.updates, &self.card) else {
            return false;
        };
        !text::same_deed(card, &updates.borrow())
    }

    /// Waits for an update that is worth printing: another deed at once, moved facts now and then.
    async fn newer(
        updates: &mut Option<watch::Receiver<Card>>,
        shown: Option<&Card>,
        quiet_until: u64,
        typing: bool,
    ) {
        let (Some(updates), Some(shown)) = (updates.as_mut(), shown) else {
            return std::future::pending().await;
        };
        loop {
            if updates.changed().await.is_err() {
                return std::future::pending().await;
            }
            let newer = updates.borrow_and_update().clone();
            let moved = !typing && mono_ms() >= quiet_until && !text::same_but_age(shown, &newer);
            if moved || !text::same_deed(shown, &newer) {
                return;
            }
        }
    }

    /// Reads to the end of a line; with `echo`, a newer card cuts in.
    async fn typed(&mut self, echo: bool) -> Result<zeroize::Zeroizing<String>, Cut> {
        self.keys.flush();
        let mut typed = zeroize::Zeroizing::new(Vec::with_capacity(self.max));
        let quiet_until = self.printed_ms.saturating_add(REPRINT_MS);
        loop {
            let key = tokio::select! {
                biased;
                key = self.keys.next() => key,
                () = Self::newer(&mut self.updates, self.card.as_ref(), quiet_until, !typed.is_empty()), if echo => {
                    return Err(Cut::Newer);
                }
            };
            match key {
                Key::Enter => break,
                Key::Leave => return Err(Cut::Left),
                Key::Backspace => {
                    if typed.pop().is_some() && echo {
                        self.paper.put("\u{8} \u{8}");
                    }
                }
                Key::Clear => {
                    let erased = if echo {
                        "\u{8} \u{8}".repeat(typed.len())
                    } else {
                        String::new()
                    };
                    self.paper.put(&erased);
                    typed.clear();
                }
                Key::Byte(byte) if typed.len() < self.max => {
                    if !echo {
                        typed.push(byte);
                    } else if byte.is_ascii_graphic() || byte == b' ' {
                        typed.push(byte);
                        self.paper.put(&char::from(byte).to_string());
                    }
                }
                Key::Byte(_) => {}
            }
        }
        self.paper.line("");
        Ok(zeroize::Zeroizing::new(
            String::from_utf8_lossy(&typed).into_owned(),
        ))
    }

    /// Asks for the PIN, where one is wanted, until it is right. After a wrong one the PIN is asked for again, not a word:
    /// people type the PIN again at once, and it must not show. A word that refuses is heard all the time, also while a
    /// PIN is checked and while the next one has to wait.
    async fn prove(&mut self) -> Result<Proof, Cut> {
        if let Some(verify) = self.verify.clone() {
            loop {
                self.paper.put("PIN (not shown): ");
                let pin = self.typed(false).await?;
                if pin.trim().is_empty() {
                    return Ok(Proof::NotYet);
                }
                if let Some(proof) = refused(&pin) {
                    return Ok(proof);
                }
                if self.is_outdated() {
                    self.paper.line("It changed while you typed.");
                    return Ok(Proof::NotYet);
                }
                self.paper
                    .line("Checking the PIN ... (deny or stop, and Enter, still count)");
                let checked = tokio::select! {
                    biased;
                    checked = verify(SecretString::from(pin.as_str())) => checked,
                    proof = refusal(&mut self.keys) => return proof,
                };
                let Err(wrong) = checked else { break };
                self.paper.line(&text::ascii(&wrong.message));
                if wrong.wait_ms >= 1000 {
                    let seconds = wrong.wait_ms.div_ceil(1000);
                    self.paper.line(&format!(
                        "The next PIN can be tried in {seconds} s. You can deny or stop at once."
                    ));
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(wrong.wait_ms)) => {}
                    proof = refusal(&mut self.keys) => return proof,
                }
                self.paper.line("Type it again, or just Enter to go back.");
            }
        }
        // What was typed and checked took its time: it counts for what was printed, and for nothing newer.
        if self.is_outdated() {
            self.paper.line("It changed while you answered.");
            return Ok(Proof::NotYet);
        }
        Ok(Proof::Approved)
    }
}

/// Waits for a word that refuses, typed without echo; everything else is not heard.
async fn refusal(keys: &mut Keys) -> Result<Proof, Cut> {
    let mut word = String::new();
    loop {
        match keys.next().await {
            Key::Leave => return Err(Cut::Left),
            Key::Enter => match refused(&word) {
                Some(proof) => return Ok(proof),
                None => word.clear(),
            },
            Key::Byte(byte) if word.len() < TYPED_MAX => word.push(char::from(byte)),
            Key::Backspace => drop(word.pop()),
            Key::Clear => word.clear(),
            Key::Byte(_) => {}
        }
    }
}

fn refused(word: &str) -> Option<Proof> {
    match word.trim().to_ascii_lowercase().as_str() {
        "deny" | "d" | "no" | "n" => Some(Proof::Denied),
        "stop" => Some(Proof::Halted),
        _ => None,
    }
}
