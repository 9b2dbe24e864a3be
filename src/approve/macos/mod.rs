//! The macOS prompt: a dialog through `osascript`, Deny as default (DESIGN §6).
//!
//! Owns: the dialog's life: look whether anybody can see one, show, wait, close. Refuses to know: tickets, PINs, the page;
//! what the dialog says and what its answer means (`dialog::script`).
//! The text goes to the script as arguments, never into it. The dialog cannot be rewritten while it stands: it is opened
//! anew where something changed that is news, not for a price that moved.

use super::desk::{Screen, Shared};
use super::dialog::layout::{self, Face};
use super::dialog::script::{self, Dialog, Said};
use super::{Answer, Ask, DWELL_MS, Notice, Ready, text};
use crate::gate::card::Card;
use crate::system::{Env, mono_ms};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;

const VIA: &str = "notification";
const OSASCRIPT: &str = "/usr/bin/osascript";
const IOREG: &str = "/usr/sbin/ioreg";
const LAUNCHCTL: &str = "/bin/launchctl";
/// What the system takes to draw the dialog, in milliseconds, once the script has come to it.
const START_MS: u64 = 300;
/// How long the system's own programs may take to answer.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// The most bytes of an answer that are looked at.
const ANSWER_MAX: u64 = 64 * 1024;
/// How long a notice stays that does not last, in seconds: its banner is the system's own.
const LASTING_S: u64 = 24 * 3600;

/// A banner. Arguments: title and text.
const BANNER: &str = r#"on run argv
    display notification (item 2 of argv) with title "Countersign" subtitle (item 1 of argv) sound name "Glass"
end run"#;

/// The running osascript of our card; killed when it goes.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<Option<Child>>);

/// Whether a dialog could be seen now.
///
/// # Errors
/// A sentence on why it could not.
pub(super) async fn ready(env: &Env) -> Result<Ready, String> {
    match locked(env).await {
        Some(why) => Err(why.to_owned()),
        None => Ok(Ready {
            server: "macOS, as a dialog".to_owned(),
            only_denies: None,
        }),
    }
}

/// Shows the card and waits for the decision. With `page`, the dialog stands beside a page: it can deny and open the page
/// (by that [`Notify`]), never approve.
pub(super) async fn ask(
    shared: &Shared,
    ask: &Ask,
    mut updates: watch::Receiver<Card>,
    screen: &Screen,
    page: Option<&Notify>,
) -> Answer {
    if let Some(why) = locked(&shared.world.env).await {
        return Answer::Nobody(why.to_owned());
    }
    let decides = page.is_none() && ask.by_click();
    let mut card = updates.borrow_and_update().clone();
    loop {
        let face = layout::face(&card, decides);
        let dialog = script::card(&card, &face, decides, screen.left_ms());
        let started = mono_ms();
        let pipes = match show(shared, &dialog).await {
            Ok(pipes) => pipes,
            Err(why) => return Answer::Nobody(why),
        };
        screen.mark();
        let (said, shown) = tokio::select! {
            biased;
            ended = ended(pipes, &dialog) => ended,
            newer = news(&card, &face, decides, &mut updates) => {
                sweep(shared).await;
                card = newer;
                continue;
            }
        };
        let latest = updates.borrow_and_update().clone();
        let readable = script::readable_from(started, shown, START_MS);
        match said {
            Said::NoScreen(why) => return Answer::Nobody(why),
            Said::Denied => return Answer::Denied { via: VIA },
            Said::Halted => return Answer::Halted { via: VIA },
            Said::GaveUp => return Answer::Expired,
            Said::OpenPage => {
                if let Some(page) = page {
                    page.notify_one();
                }
            }
            Said::Approved if mono_ms().saturating_sub(readable) >= DWELL_MS => {
                if let Some(why) = locked(&shared.world.env).await {
                    return Answer::Tampered(format!("an approval came while nobody could: {why}"));
                }
                // A newer deed that came in between is asked for itself.
                if text::same_deed(&card, &latest) {
                    return Answer::Approved { via: VIA };
                }
            }
            // Too soon: it is asked again.
            Said::Approved => {}
            Said::Foreign(why) => return Answer::Tampered(why),
        }
        card = latest;
    }
}

/// Starts the dialog. What it will say comes through the pipe; the process itself is where [`sweep`] finds it.
async fn show(shared: &Shared, dialog: &Dialog) -> Result<Pipes, String> {
    sweep(shared).await;
    let mut child = osascript(dialog)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{OSASCRIPT} cannot be started: {error}"))?;
    let stdout = child.stdout.take().ok_or("osascript has no output")?;
    let stderr = child.stderr.take().ok_or("osascript has no second output")?;
    *shared.live.0.lock().await = Some(child);
    Ok(Pipes { stdout, stderr })
}

/// What the running dialog says.
struct Pipes {
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// What the dialog ended with, and when it came up (monotonic ms), where it said that.
async fn ended(pipes: Pipes, dialog: &Dialog) -> (Said, Option<u64>) {
    let told = async {
        let mut lines = BufReader::new(pipes.stderr.take(ANSWER_MAX)).lines();
        let mut shown = None;
        while let Ok(Some(line)) = lines.next_line().await {
            if shown.is_none() && line.trim() == script::SHOWN {
                shown = Some(mono_ms());
            }
        }
        shown
    };
    let mut output = String::new();
    let read = async { pipes.stdout.take(ANSWER_MAX).read_to_string(&mut output).await };
    let (read, shown) = tokio::join!(read, told);
    let said = match read {
        Ok(_) => dialog.ended(&output, shown.is_some()),
        Err(error) => Said::Foreign(format!("the dialog's answer cannot be read: {error}")),
    };
    (said, shown)
}

fn osascript(dialog: &Dialog) -> Command {
    let mut command = Command::new(OSASCRIPT);
    command
        .args(["-e", script::SCRIPT])
        .args(&dialog.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

async fn said(stdout: ChildStdout, dialog: &Dialog) -> Said {
    let mut text = String::new();
    match stdout.take(ANSWER_MAX).read_to_string(&mut text).await {
        Ok(_) => dialog.said(&text),
        Err(error) => Said::Foreign(format!("the dialog's answer cannot be read: {error}")),
    }
}

/// The next version of the card for which the dialog is opened anew; never, once nobody can send one any more.
async fn news(card: &Card, face: &Face, decides: bool, updates: &mut watch::Receiver<Card>) -> Card {
    while updates.changed().await.is_ok() {
        let newer = updates.borrow_and_update().clone();
        if !text::same_news(card, &newer) || layout::face(&newer, decides).whole != face.whole {
            return newer;
        }
    }
    std::future::pending().await
}

/// Why nobody could see anything on the screen; `None` where somebody could, or nobody tells.
pub(super) async fn locked(_env: &Env) -> Option<&'static str> {
    if let Some(manager) = output(LAUNCHCTL, &["managername"]).await
        && let Some(why) = script::no_desktop(&manager)
    {
        return Some(why);
    }
    let registry = output(IOREG, &["-n", "Root", "-d", "1", "-w", "0"]).await?;
    script::away(&registry, rustix::process::getuid().as_raw())
}

async fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LOOK_LIMIT, run).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Tells the person something; whether it was shown. One that lasts is a dialog which outlives this process.
pub(super) async fn notice(_shared: &Shared, notice: &Notice) -> bool {
    let (title, lines) = plain(notice);
    if notice.lasting {
        let dialog = script::plain(&title, &lines, None, LASTING_S);
        return osascript(&dialog).stdout(Stdio::null()).spawn().is_ok();
    }
    let run = Command::new(OSASCRIPT)
        .args(["-e", BANNER])
        .args([&title, &lines])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    matches!(tokio::time::timeout(LOOK_LIMIT, run).await, Ok(Ok(status)) if status.success())
}

/// Tells the person something that has one button; whether they pressed it before `stop`.
pub(super) async fn offer(_shared: &Shared, notice: &Notice, button: &str, stop: CancellationToken) -> bool {
    let (title, lines) = plain(notice);
    let dialog = script::plain(&title, &lines, Some(button), LASTING_S);
    let Ok(mut child) = osascript(&dialog).kill_on_drop(true).spawn() else {
        return false;
    };
    let Some(stdout) = child.stdout.take() else {
        return false;
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        said = said(stdout, &dialog) => said == Said::OpenPage,
    }
}

/// Title and text of a notice, as plain ASCII.
fn plain(notice: &Notice) -> (String, String) {
    let lines: Vec<String> = notice.lines.iter().map(|line| text::ascii(line)).collect();
    (text::ascii(&notice.title), lines.join("\n"))
}

/// Nothing to do: the dialogs that last are processes of their own.
#[expect(clippy::unused_async, reason = "the same shape on every system")]
pub(super) async fn leave(_shared: &Shared) {}

/// Closes the card that this process has on the screen.
pub(super) async fn sweep(shared: &Shared) {
    if let Some(mut child) = shared.live.0.lock().await.take() {
        // It may have ended by itself.
        let _ = child.kill().await;
    }
}
