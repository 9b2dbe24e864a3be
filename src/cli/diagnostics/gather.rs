//! What goes into the diagnostics: each part with its name and what was done to it.

use super::blank::Blank;
use crate::cli::{Context, doctor, status};
use crate::journal;
use crate::relay::tickets::Tickets;
use crate::system::{file, log};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// The newest log files that are packed, and how much of the end of each (bytes).
const LOGS: (usize, u64) = (3, 256 * 1024);
/// The last lines of the journal that are told, by kind alone.
const EVENTS: usize = 300;
/// The largest file of the person's that is packed (bytes).
const MAX_FILE: u64 = 256 * 1024;
/// Variables of the environment whose being set matters. Their values are not packed.
const VARIABLES: [&str; 26] = [
    "ALL_PROXY",
    "BROWSER",
    "CODEX_HOME",
    "COUNTERSIGN_HOME",
    "COUNTERSIGN_LOG",
    "COUNTERSIGN_STORE",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "FLATPAK_ID",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "NO_PROXY",
    "PATH",
    "RUST_LOG",
    "SESSIONNAME",
    "SNAP",
    "SSH_CONNECTION",
    "TERM",
    "TZ",
    "USERPROFILE",
    "WAYLAND_DISPLAY",
    "XDG_CURRENT_DESKTOP",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
];

/// One file of the archive.
pub(super) struct Part {
    pub(super) name: String,
    /// What it is, and what was taken out.
    pub(super) what: &'static str,
    pub(super) text: String,
}

impl Part {
    pub(super) fn object(&self) -> Value {
        json!({ "name": self.name, "bytes": self.text.len(), "what": self.what })
    }
}

pub(super) async fn parts(context: &Context) -> Vec<Part> {
    let paths = &context.world.paths;
    let blank = Blank::of(context);
    let part = |name: &str, what, text: String| Part {
        name: name.to_owned(),
        what,
        text,
    };
    let doctor = blank.object(doctor::data(context).await);
    let status = blank.object(brief(status::data(context).await));
    let mut parts = vec![
        part("README.txt", "what is in here", README.to_owned()),
        part(
            "doctor.json",
            "all checks of `countersign doctor`",
            pretty(&doctor),
        ),
        part(
            "status.json",
            "`countersign status`, without what the orders say",
            pretty(&status),
        ),
        part(
            "environment.txt",
            "which variables are set, not their values",
            environment(context),
        ),
        part(
            "files.txt",
            "names, sizes and permissions in our folders",
            blank.text(&files(context)),
        ),
        part(
            "journal.txt",
            "when what kind of thing happened; no orders, no prices",
            events(context),
        ),
    ];
    for path in [paths.policy(), paths.settings()] {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if let Ok(Some(text)) = file::read_bounded(&path, MAX_FILE) {
            let text = blank.config(&String::from_utf8_lossy(&text));
            parts.push(part(
                &format!("config/{name}"),
                "without comments, phrase and account names",
                text,
            ));
        }
    }
    for (path, _) in log::files_of(paths.logs()).into_iter().rev().take(LOGS.0) {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if let Ok(text) = tail(&path, LOGS.1) {
            parts.push(part(
                &format!("logs/{name}"),
                "the end of a log file, blanked",
                blank.text(&text),
            ));
        }
    }
    parts
}

/// Without the members that say what an order is about.
fn brief(mut status: Value) -> Value {
    for list in ["pending", "unknown"] {
        for order in status
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(order) = order.as_object_mut() {
                order.retain(|key, _| {
                    ["ticket", "state", "tool", "heldAt", "closesAt", "secondsLeft"].contains(&key.as_str())
                });
            }
        }
    }
    status
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn environment(context: &Context) -> String {
    let mut text = String::new();
    for name in VARIABLES {
        let set = context.world.env.text(name).is_some();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name}: {}", if set { "set" } else { "not set" });
    }
    text
}

fn files(context: &Context) -> String {
    let paths = &context.world.paths;
    let mut text = String::new();
    for folder in [paths.config(), paths.state(), paths.logs()] {
        list(folder, &mut text, 0);
    }
    text
}

fn list(folder: &Path, text: &mut String, depth: u32) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{}", folder.display());
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries.iter().take(500) {
        let Ok(found) = entry.path().symlink_metadata() else {
            continue;
        };
        let _ = writeln!(
            text,
            "  {} {:>9} {}{}",
            mode(&found),
            found.len(),
            entry.file_name().to_string_lossy(),
            if found.is_dir() { "/" } else { "" }
        );
    }
    for entry in entries.iter().filter(|entry| entry.path().is_dir() && depth < 2) {
        list(&entry.path(), text, depth.saturating_add(1));
    }
}

#[cfg(unix)]
fn mode(found: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{:06o}", found.mode())
}

#[cfg(not(unix))]
fn mode(found: &std::fs::Metadata) -> String {
    if found.permissions().readonly() {
        "r-"
    } else {
        "rw"
    }
    .to_owned()
}

/// The journal as a row of events: what kind, when, for which ticket. What was ordered stays here.
fn events(context: &Context) -> String {
    let source = match journal::open(&context.world.paths.journal()) {
        Ok(Some(source)) => source,
        Ok(None) => return "there is no journal\n".to_owned(),
        Err(error) => return format!("the journal cannot be read: {error}\n"),
    };
    let mut last = std::collections::VecDeque::new();
    for entry in journal::entries(source).map_while(Result::ok) {
        let ticket = entry
            .object
            .get("ticket")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let word = |text: &str| {
            text.chars()
                .filter(|c| c.is_ascii_alphanumeric() || "_-:.".contains(*c))
                .take(40)
                .collect::<String>()
        };
        last.push_back(format!(
            "{} {} {}\n",
            word(&entry.at),
            word(&entry.kind),
            word(ticket)
        ));
        if last.len() > EVENTS {
            last.pop_front();
        }
    }
    let mut text: String = last.into_iter().collect();
    let tickets = Tickets::of(&context.world.paths).survey();
    let _ = writeln!(
        text,
        "{} tickets, {} of them cannot be read",
        tickets.tickets.len(),
        tickets.unreadable.len()
    );
    text
}

/// The end of a file, from the beginning of a line.
fn tail(path: &Path, bytes: u64) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(bytes);
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(match text.split_once('\n') {
        Some((_, rest)) if from > 0 => rest.to_owned(),
        _ => text,
    })
}

const README: &str = "\
Made by `countersign diagnostics` to find a fault. Look through it before you give it to anybody.

doctor.json      what was checked, what was found, what to do
status.json      how things stood; orders only by ticket and state
environment.txt  which variables are set, without their values
files.txt        names, sizes and permissions of the files in Countersign's folders
journal.txt      the last events of the journal: time, kind, ticket
config/          your rules and settings, without comments, phrase and account names
logs/            the ends of the newest log files

Of account names the last three letters are left (\"...101\"). Keys, codes and PINs are never written down by
Countersign; what looks like one is blanked all the same (\"[blanked]\"). Your home folder is \"~\", this computer's name
is \"HOST\". Sign-ins, tickets, cards and the keychain are not in here.
";
