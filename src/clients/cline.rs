//! Cline: its command line's file, and the one that its extension keeps in each editor.

use super::entry::{Entry, Value};
use super::{Client, Places, Spot, Way, entry, nothing};
use std::path::PathBuf;

pub(super) static CLIENT: Client = Client {
    id: "cline",
    name: "Cline",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry,
    calls_itself: "Cline",
    restart: "nothing to do: Cline reads its file when it changes",
    logs: |_| "in Cline: MCP Servers, countersign".to_owned(),
    gives_up: "330 s with this entry (60 s without it)",
    advice: Some(
        "Never put a trade tool into Cline's autoApprove list. Countersign would still hold the order, but Cline would not ask you first.",
    ),
    link: None,
};

const FILE: &str = "cline_mcp_settings.json";
const EDITORS: [&str; 4] = ["Code", "Code - Insiders", "Cursor", "Windsurf"];

fn spots(places: &Places) -> Vec<Spot> {
    if let Some(file) = places.env.text("CLINE_MCP_SETTINGS_PATH") {
        let file = PathBuf::from(file);
        return vec![Spot {
            here: true,
            file,
            rival: false,
        }];
    }
    let own = places.home.join(".cline");
    let own = Spot::new(own.join("data").join("settings").join(FILE), &own);
    let extension = |editor: &&str| {
        let folder = places.config.join(editor).join("User").join("globalStorage");
        let folder = folder.join("saoudrizwan.claude-dev");
        Spot::new(folder.join("settings").join(FILE), &folder)
    };
    let in_editors = EDITORS.iter().map(extension).filter(|spot| spot.here);
    std::iter::once(own).chain(in_editors).collect()
}

fn entry(places: &Places) -> Entry {
    let mut entry = entry::start(places);
    // Seconds.
    entry.push(("timeout", Value::Number(330)));
    entry
}
