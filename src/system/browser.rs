//! Opening the person's browser.
//!
//! Text browsers are refused: they would run in our terminal and write into our stdout, which is the protocol.

use super::{Env, mono_ms};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;

/// Browsers that draw into the terminal they are started from.
const TEXT_BROWSERS: [&str; 10] = [
    "lynx", "links", "links2", "elinks", "w3m", "eww", "netrik", "retawq", "curl", "wget",
];
/// What opens the default browser on Linux, in this order.
const OPENERS: [&str; 9] = [
    "xdg-open",
    "x-www-browser",
    "gio open",
    "kde-open",
    "kde-open5",
    "exo-open",
    "gnome-open",
    "gvfs-open",
    "wslview",
];
/// What `xdg-open` falls back to; its own list ends in text browsers.
const XDG_FALLBACK: &str = "x-www-browser:firefox:chromium:chromium-browser:google-chrome";
/// A program that ends with an error this soon (ms) showed nothing: the next one is tried. Later it may have been closed.
const AT_ONCE_MS: u64 = 5000;
/// How long [`open`] looks whether the browser ends at once.
const LOOK: Duration = Duration::from_secs(1);

/// What would open a page now, as a name for people.
///
/// # Errors
/// A sentence on what is missing.
pub fn available(env: &Env) -> Result<String, String> {
    if !cfg!(target_os = "linux") {
        return Ok("the default browser".to_owned());
    }
    if let Some(chosen) = env.text("BROWSER") {
        return graphical(chosen)
            .first()
            .map(|command| (*command).to_owned())
            .ok_or_else(|| format!("$BROWSER ({chosen}) is a text browser, which cannot be used here"));
    }
    if !env.has_display() {
        return Err("there is no desktop to open a browser on (DISPLAY is not set)".to_owned());
    }
    openers(env)
        .first()
        .map(|opener| format!("the default browser ({})", first_word(opener)))
        .ok_or_else(|| "no browser was found".to_owned())
}

/// A browser on its way: what was started may still say that it shows nothing.
#[derive(Debug)]
pub struct Opening(Option<oneshot::Receiver<String>>);

impl Opening {
    /// Returns once everything that could be started has ended with an error, with the last one; else never.
    pub async fn failed(&mut self) -> String {
        match self.ended().await {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// Returns when what was started has ended, with the error where it was one.
    async fn ended(&mut self) -> Option<String> {
        let why = self.0.as_mut()?.await.ok();
        self.0 = None;
        why
    }
}

/// Starts the person's browser on this address.
///
/// # Errors
/// A sentence: no browser, or it could not be started, or the address is not http(s).
pub async fn launch(url: &str, env: &Env) -> Result<Opening, String> {
    let (url, env) = (url.to_owned(), env.clone());
    tokio::task::spawn_blocking(move || launch_blocking(&url, &env))
        .await
        .unwrap_or_else(|_| Err("the browser could not be opened".to_owned()))
}

/// Opens this address in the person's browser, as far as a second's look can tell.
///
/// # Errors
/// As [`launch`], and where what was started ended at once with an error.
pub async fn open(url: &str, env: &Env) -> Result<(), String> {
    let mut opening = launch(url, env).await?;
    match tokio::time::timeout(LOOK, opening.ended()).await {
        Ok(Some(why)) => Err(format!("the browser could not be opened: {why}")),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn launch_blocking(url: &str, env: &Env) -> Result<Opening, String> {
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err("only web addresses are opened".to_owned());
    }
    available(env)?;
    if cfg!(target_os = "linux") {
        let commands = match env.text("BROWSER") {
            Some(chosen) => graphical(chosen),
            None => openers(env),
        };
        return start_one(commands.into_iter().map(str::to_owned).collect(), url, env);
    }
    open_default(url).map(|()| Opening(None))
}

/// The system's own way. Never `cmd /c start`: clients give their children a PATH without `cmd`, and `&` in an address would
/// end the command.
#[cfg(windows)]
fn open_default(url: &str) -> Result<(), String> {
    super::windows::shell_open(url)
        .map_err(|code| format!("the browser could not be opened: Windows says {code}"))
}

#[cfg(target_os = "macos")]
fn open_default(url: &str) -> Result<(), String> {
    let mut options = webbrowser::BrowserOptions::new();
    options.with_suppress_output(true);
    webbrowser::open_browser_with_options(webbrowser::Browser::Default, url, &options)
        .map_err(|error| format!("the browser could not be opened: {error}"))
}

#[cfg(not(any(windows, target_os = "macos")))]
fn open_default(_url: &str) -> Result<(), String> {
    Err("no browser was found".to_owned())
}

/// The openers that this machine has.
fn openers(env: &Env) -> Vec<&'static str> {
    let mut openers = OPENERS.to_vec();
    openers.retain(|opener| on_path(env, first_word(opener)).is_some());
    openers
}

fn first_word(command: &str) -> &str {
    command.split_ascii_whitespace().next().unwrap_or_default()
}

/// The entries of `$BROWSER` that are not text browsers.
fn graphical(chosen: &str) -> Vec<&str> {
    chosen
        .split(':')
        .map(str::trim)
        .filter(|command| !command.is_empty() && !is_text(command))
        .collect()
}

fn is_text(command: &str) -> bool {
    command.split_ascii_whitespace().any(|word| {
        let name = Path::new(word)
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap_or(word);
        TEXT_BROWSERS.contains(&name)
    })
}

fn on_path(env: &Env, program: &str) -> Option<PathBuf> {
    let path = env.text("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Starts the first of these commands that can be started. Where it ends at once with an error, the next one's turn comes.
fn start_one(commands: Vec<String>, url: &str, env: &Env) -> Result<Opening, String> {
    let mut commands = commands.into_iter();
    let mut running = start_next(&mut commands, url, env)?;
    let (tell, told) = oneshot::channel();
    let (url, env) = (url.to_owned(), env.clone());
    std::thread::spawn(move || {
        loop {
            let (command, mut child) = running;
            let began = mono_ms();
            let why = match child.wait() {
                Ok(status) if status.success() => return,
                Ok(status) => format!("{} ended with {status}", first_word(&command)),
                Err(error) => format!("{}: {error}", first_word(&command)),
            };
            let at_once = mono_ms().saturating_sub(began) < AT_ONCE_MS;
            let next = at_once
                .then(|| start_next(&mut commands, &url, &env).ok())
                .flatten();
            let Some(next) = next else {
                let _ = tell.send(why);
                return;
            };
            running = next;
        }
    });
    Ok(Opening(Some(told)))
}

fn start_next(
    commands: &mut impl Iterator<Item = String>,
    url: &str,
    env: &Env,
) -> Result<(String, Child), String> {
    let mut last = "no browser was found".to_owned();
    for command in commands {
        match start(&command, url, env) {
            Ok(child) => return Ok((command, child)),
            Err(error) => last = format!("{} could not be started: {error}", first_word(&command)),
        }
    }
    Err(last)
}

/// A command: `%s` stands for the address, else it comes last.
fn start(command: &str, url: &str, env: &Env) -> std::io::Result<Child> {
    let mut words = command.split_ascii_whitespace();
    let mut process = Command::new(words.next().unwrap_or_default());
    let mut placed = false;
    for word in words {
        placed |= word.contains("%s");
        process.arg(word.replace("%s", url));
    }
    if !placed {
        process.arg(url);
    }
    if first_word(command) == "xdg-open" {
        process.env("BROWSER", XDG_FALLBACK);
    }
    for name in [
        "PATH",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "DBUS_SESSION_BUS_ADDRESS",
        "XDG_RUNTIME_DIR",
        "HOME",
    ] {
        if let Some(value) = env.text(name) {
            process.env(name, value);
        }
    }
    process
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // A group of its own: an interrupt meant for us does not reach the browser.
        process.process_group(0);
    }
    process.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_browsers_are_refused() {
        for chosen in ["lynx", "/usr/bin/w3m", "xterm -e links", "links2:elinks %s"] {
            let refused = available(&Env::of([("BROWSER", chosen)]));
            assert!(refused.is_err(), "{chosen}");
            assert!(launch_blocking("http://localhost:1/", &Env::of([("BROWSER", chosen)])).is_err());
        }
        assert_eq!(
            available(&Env::of([("BROWSER", "w3m:firefox")])),
            Ok("firefox".to_owned())
        );
    }

    #[test]
    fn without_a_display_there_is_no_browser() {
        assert!(available(&Env::of([])).is_err());
    }

    #[test]
    fn only_web_addresses_are_opened() {
        assert!(launch_blocking("file:///etc/passwd", &Env::of([("BROWSER", "true")])).is_err());
    }

    #[tokio::test]
    async fn what_ends_at_once_with_an_error_has_opened_nothing() {
        let url = "http://localhost:1/";
        let failing = Env::of([("BROWSER", "false:no-such-program-here:sh -c false")]);
        let mut opening = launch(url, &failing).await.unwrap();
        assert!(opening.failed().await.contains("exit status: 1"));
        assert!(open(url, &failing).await.is_err());
        // One that works takes the place of one that does not; one that stays up is taken at its word.
        assert_eq!(open(url, &Env::of([("BROWSER", "false:true")])).await, Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let stays = format!("sh {}/stays", folder.path().display());
        std::fs::write(folder.path().join("stays"), "sleep 3").unwrap();
        assert_eq!(open(url, &Env::of([("BROWSER", &stays)])).await, Ok(()));
    }
}
