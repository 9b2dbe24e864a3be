//! Visual Studio Code and its Insiders build: the profile's own `mcp.json`, where servers stand under `servers`.

use super::{Client, Places, Spot, Way, entry, link};
use std::path::PathBuf;

pub(super) static CLIENT: Client = Client {
    id: "vscode",
    name: "VS Code",
    way: Way::Json("servers"),
    spots: |places| spots(places, "Code"),
    also: copilot,
    entry: entry::typed,
    calls_itself: "Visual Studio Code",
    restart: "in VS Code: run \"MCP: List Servers\", countersign, Start; answer its trust question once",
    logs,
    gives_up: "no setting; calls were seen to be cancelled after five minutes",
    advice: None,
    link: Some(|places| deep_link(places, "vscode")),
};

pub(super) static INSIDERS: Client = Client {
    id: "vscode-insiders",
    name: "VS Code Insiders",
    way: Way::Json("servers"),
    spots: |places| spots(places, "Code - Insiders"),
    also: copilot,
    entry: entry::typed,
    calls_itself: "Visual Studio Code - Insiders",
    restart: "in VS Code Insiders: run \"MCP: List Servers\", countersign, Start; answer its trust question once",
    logs,
    gives_up: "no setting; calls were seen to be cancelled after five minutes",
    advice: None,
    link: Some(|places| deep_link(places, "vscode-insiders")),
};

fn spots(places: &Places, folder: &str) -> Vec<Spot> {
    let folder = places.config.join(folder);
    vec![Spot::new(folder.join("User").join("mcp.json"), &folder)]
}

/// Copilot's sessions read this file, whatever editor they run in.
fn copilot(places: &Places) -> Vec<PathBuf> {
    vec![places.home.join(".copilot").join("mcp-config.json")]
}

fn logs(_: &Places) -> String {
    "\"MCP: List Servers\", countersign, Show Output".to_owned()
}

fn deep_link(places: &Places, scheme: &str) -> String {
    let mut entry = entry::typed(places);
    entry.insert(0, ("name", entry::Value::Text(entry::NAME.to_owned())));
    format!(
        "{scheme}:mcp/install?{}",
        link::percent(&entry::json_line(&entry))
    )
}
