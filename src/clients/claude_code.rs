//! Claude Code: the person's own file, not a project's. It is written by Claude Code all the time, so it is read again just
//! before ours is put in its place.

use super::entry::{Entry, Value};
use super::{Client, Places, Spot, Way, entry, nothing};
use std::path::PathBuf;

pub(super) static CLIENT: Client = Client {
    id: "claude-code",
    name: "Claude Code",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry,
    calls_itself: "claude-code",
    restart: "type /mcp in Claude Code and reconnect, or start a new session",
    logs: |places| folder(places).join("debug").display().to_string(),
    gives_up: "330 s with this entry (hours without it); about 60 s inside Claude Desktop's Code tab",
    advice: None,
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    // Where its folder has been moved, the file lies in it; else beside it.
    let file = if places.env.text("CLAUDE_CONFIG_DIR").is_some() {
        folder(places).join(".claude.json")
    } else {
        places.home.join(".claude.json")
    };
    vec![Spot::new(file, &folder(places))]
}

fn folder(places: &Places) -> PathBuf {
    places
        .env
        .text("CLAUDE_CONFIG_DIR")
        .map_or_else(|| places.home.join(".claude"), PathBuf::from)
}

fn entry(places: &Places) -> Entry {
    let mut entry = entry::typed(places);
    // Milliseconds by the wall clock.
    entry.push(("timeout", Value::Number(330_000)));
    entry
}
