//! Goose: its file is YAML, and no editor of YAML that keeps comments is good enough for somebody else's file. So the person
//! gets the lines to paste, or a link that makes Goose ask.

use super::{Client, Places, Spot, System, Way, entry, link, nothing};
use serde_json::json;

pub(super) static CLIENT: Client = Client {
    id: "goose",
    name: "Goose",
    way: Way::ByHand(snippet),
    spots,
    also: nothing,
    entry: entry::start,
    calls_itself: "goose",
    restart: "start a new Goose session",
    logs: |_| "Goose's state folder (goose info -v says where)".to_owned(),
    gives_up: "330 s with this entry",
    advice: None,
    link: Some(deep_link),
};

fn spots(places: &Places) -> Vec<Spot> {
    let folder = match places.system {
        System::Windows => places.config.join("Block").join("goose").join("config"),
        System::Linux => places.config.join("goose"),
        System::MacOs => places.home.join(".config").join("goose"),
    };
    vec![Spot::new(folder.join("config.yaml"), &folder)]
}

fn snippet(places: &Places) -> String {
    // Text in JSON's quotes is text in YAML.
    let text = |text: &str| json!(text).to_string();
    let file = spots(places)
        .first()
        .map_or_else(String::new, |spot| spot.file.display().to_string());
    let arguments: Vec<String> = places.arguments.iter().map(|word| text(word)).collect();
    let home = places.countersign_home.as_ref().map_or_else(String::new, |home| {
        format!("    envs:\n      COUNTERSIGN_HOME: {}\n", text(home))
    });
    format!(
        "# {file}: put this beneath the line \"extensions:\" (add that line if it is not there)\n  {name}:\n    type: stdio\n    name: {name}\n    enabled: true\n    cmd: {cmd}\n    args: [{arguments}]\n{home}    timeout: 330",
        name = entry::NAME,
        cmd = text(&places.program),
        arguments = arguments.join(", "),
    )
}

fn deep_link(places: &Places) -> String {
    let mut arguments = String::new();
    for word in &places.arguments {
        arguments.push_str("&arg=");
        arguments.push_str(&link::percent(word));
    }
    let home = places.countersign_home.as_ref().map_or_else(String::new, |home| {
        format!("&env={}", link::percent(&format!("COUNTERSIGN_HOME={home}")))
    });
    format!(
        "goose://extension?cmd={}{arguments}&timeout=330&id={name}&name={name}&description={}{home}",
        link::percent(&places.program),
        link::percent("CrossTrade, with every order held for your approval"),
        name = entry::NAME,
    )
}
