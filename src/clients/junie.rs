//! `JetBrains`' Junie. The AI Assistant of the same editors has no file of its own that others may write: its settings page
//! takes the same JSON.

use super::{Client, Places, Spot, Way, entry, nothing};

pub(super) static CLIENT: Client = Client {
    id: "junie",
    name: "JetBrains Junie",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry: entry::start,
    calls_itself: "junie",
    restart: "in the editor: Settings, Tools, Junie, MCP Settings: switch countersign on and press Apply",
    logs: |_| "in the editor: Help, Show Log".to_owned(),
    gives_up: "taken as 60 s; not documented",
    advice: Some(
        "For JetBrains AI Assistant there is no file: paste what --print shows into Settings, Tools, AI Assistant, Model Context Protocol, Add, As JSON.",
    ),
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = places.home.join(".junie");
    vec![Spot::new(folder.join("mcp").join("mcp.json"), &folder)]
}
