//! Gemini CLI.

use super::entry::{Entry, Value};
use super::{Client, Places, Spot, Way, entry, nothing};

pub(super) static CLIENT: Client = Client {
    id: "gemini",
    name: "Gemini CLI",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry,
    calls_itself: "gemini-cli-mcp-client",
    restart: "start a new gemini session",
    logs: |_| "type /mcp in Gemini CLI".to_owned(),
    gives_up: "330 s with this entry (600 s without it)",
    advice: None,
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = places.home.join(".gemini");
    vec![Spot::new(folder.join("settings.json"), &folder)]
}

fn entry(places: &Places) -> Entry {
    let mut entry = entry::start(places);
    // Milliseconds.
    entry.push(("timeout", Value::Number(330_000)));
    entry
}
