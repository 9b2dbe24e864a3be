//! Devin Desktop, which was called Windsurf until June 2026: the new place, and the older one where it is still there.

use super::{Client, Places, Spot, Way, entry, nothing};

pub(super) static CLIENT: Client = Client {
    id: "windsurf",
    name: "Devin Desktop (Windsurf)",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry: entry::start,
    calls_itself: "windsurf-client",
    restart: "in Devin Desktop: open the list of MCP servers and press Refresh",
    logs: |_| "in the app, in its list of MCP servers".to_owned(),
    gives_up: "taken as 60 s; not documented",
    advice: None,
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    let devin = places.config.join("devin");
    let windsurf = places.home.join(".codeium").join("windsurf");
    // Devin keeps to ~/.config on macOS as well.
    let devin = match places.system {
        super::System::MacOs => places.home.join(".config").join("devin"),
        super::System::Linux | super::System::Windows => devin,
    };
    vec![
        Spot::new(devin.join("mcp_config.json"), &devin),
        Spot::new(windsurf.join("mcp_config.json"), &windsurf),
    ]
}
