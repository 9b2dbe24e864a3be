//! Opening the person's browser.
//!
//! Text browsers are refused: they would run in our terminal and write into our stdout, which is the protocol.

use super::Env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Browsers that draw into the terminal they are started from.
const TEXT_BROWSERS: [&str; 10] = [
    "lynx", "links", "links2", "elinks", "w3m", "eww", "netrik", "retawq", "curl", "wget",
];
/// What opens the default browser on Linux, as the `webbrowser` crate tries them.
const OPENERS: [&str; 9] = [
    "xdg-open",
    "x-www-browser",
    "gio",
    "kde-open",
    "kde-open5",
    "exo-open",
    "gnome-open",
    "gvfs-open",
    "wslview",
];

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
    OPENERS
        .iter()
        .find(|opener| on_path(env, opener).is_some())
        .map(|opener| format!("the default browser ({opener})"))
        .ok_or_else(|| "no browser was found".to_owned())
}

/// Opens this address in the person's browser. Blocks for a moment: call it off the loop.
///
/// # Errors
/// A sentence: no browser, or it could not be started, or the address is not http(s).
pub fn open_blocking(url: &str, env: &Env) -> Result<(), String> {
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err("only web addresses are opened".to_owned());
    }
    available(env)?;
    if cfg!(target_os = "linux")
        && let Some(chosen) = env.text("BROWSER")
    {
        return open_chosen(chosen, url, env);
    }
    let mut options = webbrowser::BrowserOptions::new();
    options.with_suppress_output(true);
    webbrowser::open_browser_with_options(webbrowser::Browser::Default, url, &options)
        .map_err(|error| format!("the browser could not be opened: {error}"))
}

/// Opens this address in the person's browser.
///
/// # Errors
/// As [`open_blocking`].
pub async fn open(url: &str, env: &Env) -> Result<(), String> {
    let (url, env) = (url.to_owned(), env.clone());
    tokio::task::spawn_blocking(move || open_blocking(&url, &env))
        .await
        .unwrap_or_else(|_| Err("the browser could not be opened".to_owned()))
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

/// `$BROWSER`: commands divided by colons, `%s` for the address, else it comes last.
fn open_chosen(chosen: &str, url: &str, env: &Env) -> Result<(), String> {
    let mut last = "no browser was found".to_owned();
    for command in graphical(chosen) {
        match start(command, url, env) {
            Ok(()) => return Ok(()),
            Err(error) => last = format!("{command} could not be started: {error}"),
        }
    }
    Err(last)
}

fn start(command: &str, url: &str, env: &Env) -> std::io::Result<()> {
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
    for name in [
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
    let mut child = process.spawn()?;
    std::thread::spawn(move || {
        let _ = child.wait();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_browsers_are_refused() {
        for chosen in ["lynx", "/usr/bin/w3m", "xterm -e links", "links2:elinks %s"] {
            let refused = available(&Env::of([("BROWSER", chosen)]));
            assert!(refused.is_err(), "{chosen}");
            assert!(open_blocking("http://localhost:1/", &Env::of([("BROWSER", chosen)])).is_err());
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
        assert!(open_blocking("file:///etc/passwd", &Env::of([("BROWSER", "true")])).is_err());
    }
}
