//! Cursor.

use super::{Client, Places, Spot, Way, entry, link, nothing};

pub(super) static CLIENT: Client = Client {
    id: "cursor",
    name: "Cursor",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry: entry::start,
    calls_itself: "cursor-vscode",
    restart: "in Cursor: Settings, MCP: switch countersign off and on",
    logs: |_| "in Cursor: View, Output, then \"MCP\" in the list".to_owned(),
    gives_up: "taken as 60 s; not documented",
    advice: None,
    link: Some(deep_link),
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = places.home.join(".cursor");
    vec![Spot::new(folder.join("mcp.json"), &folder)]
}

fn deep_link(places: &Places) -> String {
    format!(
        "cursor://anysphere.cursor-deeplink/mcp/install?name={}&config={}",
        entry::NAME,
        link::base64(&entry::json_line(&entry::start(places)))
    )
}
