//! Zed: its settings file, which has comments, with servers under `context_servers`.

use super::entry::{Entry, Value};
use super::{Client, Places, Spot, System, Way, entry, nothing};

pub(super) static CLIENT: Client = Client {
    id: "zed",
    name: "Zed",
    way: Way::Json("context_servers"),
    spots,
    also: nothing,
    entry,
    calls_itself: "Zed",
    restart: "nothing to do: Zed reads its settings when they change",
    logs: |_| "in Zed: run \"zed: open log\"".to_owned(),
    gives_up: "330 s with this entry (60 s without it)",
    advice: None,
    link: None,
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = match places.system {
        System::Windows => places.config.join("Zed"),
        System::Linux => places.config.join("zed"),
        System::MacOs => places.home.join(".config").join("zed"),
    };
    vec![Spot::new(folder.join("settings.json"), &folder)]
}

fn entry(places: &Places) -> Entry {
    let mut entry = entry::start(places);
    // Seconds, at most 600.
    entry.push(("timeout", Value::Number(330)));
    entry
}
