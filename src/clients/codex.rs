//! `ChatGPT`'s desktop app, the Codex command line and its editor extension: they share one TOML file.

use super::entry::{Entry, Value};
use super::{Client, Places, Spot, System, Way, entry, nothing};
use std::path::PathBuf;

pub(super) static CLIENT: Client = Client {
    id: "codex",
    name: "ChatGPT desktop and Codex",
    way: Way::Toml("mcp_servers"),
    spots,
    also: nothing,
    entry,
    calls_itself: "codex-mcp-client",
    restart: "in the ChatGPT app: Settings, MCP servers, Restart; in a terminal: start a new codex session",
    logs: |_| "codex doctor --json (and RUST_LOG=debug for more)".to_owned(),
    gives_up: "330 s with this entry (300 s without it, 60 s before June 2026)",
    advice: None,
    link: None,
};

/// What a prompt on a Linux desktop needs. Codex hands its servers a short list of variables, and these are not on it.
const DESKTOP: [&str; 4] = [
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

fn spots(places: &Places) -> Vec<Spot> {
    let folder = places
        .env
        .text("CODEX_HOME")
        .map_or_else(|| places.home.join(".codex"), PathBuf::from);
    vec![Spot::new(folder.join("config.toml"), &folder)]
}

fn entry(places: &Places) -> Entry {
    let mut entry = entry::start(places);
    if places.system == System::Linux {
        let names = DESKTOP.iter().map(|name| (*name).to_owned()).collect();
        entry.push(("env_vars", Value::List(names)));
    }
    entry.push(("startup_timeout_sec", Value::Number(30)));
    entry.push(("tool_timeout_sec", Value::Number(330)));
    // Else a server has about one second before a turn's tools are gathered without it.
    entry.push(("required", Value::Yes));
    entry
}
