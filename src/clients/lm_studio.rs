//! LM Studio.

use super::{Client, Places, Spot, Way, entry, link, nothing};

pub(super) static CLIENT: Client = Client {
    id: "lm-studio",
    name: "LM Studio",
    way: Way::Json("mcpServers"),
    spots,
    also: nothing,
    entry: entry::start,
    calls_itself: "lmstudio-mcp-bridge",
    restart: "nothing to do: LM Studio reads its file when it changes",
    logs: |_| "in LM Studio: Program, mcp.json".to_owned(),
    gives_up: "taken as 60 s; not documented",
    advice: None,
    link: Some(deep_link),
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = places.home.join(".lmstudio");
    let usual = Spot::new(folder.join("mcp.json"), &folder);
    // Where older versions kept everything.
    let old = places.home.join(".cache").join("lm-studio");
    let old = Spot::new(old.join("mcp.json"), &old);
    if usual.here || !old.here {
        vec![usual]
    } else {
        vec![old]
    }
}

fn deep_link(places: &Places) -> String {
    format!(
        "lmstudio://add_mcp?name={}&config={}",
        entry::NAME,
        link::base64(&entry::json_line(&entry::start(places)))
    )
}
