//! `clients`: which AI clients are here, how our entry stands in each, how long an order is held for it.

use super::{around_lines, fail, places};
use crate::cli::out::safe;
use crate::cli::{Context, Exit};
use crate::clients::{self, Bundle, Client, Found, Places, Standing};
use serde_json::{Value, json};

/// `clients`: which are here, how our entry stands, how long an order is held for each.
pub(in crate::cli) fn list(context: &Context) -> Exit {
    let places = match places(context) {
        Ok(places) => places,
        Err(why) => return fail(context, &why, "set HOME to your home folder", Exit::Config),
    };
    let all: Vec<Found> = clients::all()
        .iter()
        .map(|client| clients::look(client, &places))
        .collect();
    let settings = crate::relay::settings::Settings::load(&context.world.paths).ok();
    let fixed = settings.and_then(|settings| settings.hold_seconds);
    let (found, missing): (Vec<&Found>, Vec<&Found>) = all
        .iter()
        .partition(|found| found.here || !found.files.is_empty());
    let mut lines = Vec::new();
    for found in &found {
        lines.extend(paragraph(found, &places, fixed));
        lines.push(String::new());
    }
    if found.is_empty() {
        lines.push("No AI client was found on this computer.".to_owned());
    }
    let others: Vec<&str> = missing
        .iter()
        .filter(|found| found.client.leaves_traces())
        .map(|found| found.client.id)
        .collect();
    lines.push(format!("not found here: {}", others.join(", ")));
    lines.push("ChatGPT on the web, and the API: countersign install chatgpt-tunnel".to_owned());
    lines.push("Connectors that you added on claude.ai or chatgpt.com stand in no file and cannot be seen from here: remove the ones for CrossTrade there.".to_owned());
    let objects: Vec<Value> = all
        .iter()
        .map(|found| found_object(found, &places, fixed))
        .collect();
    context
        .out
        .data(&lines.join("\n"), &json!({ "clients": objects }));
    Exit::Fine
}

fn paragraph(found: &Found, places: &Places, fixed: Option<u64>) -> Vec<String> {
    let client = found.client;
    let mut lines = vec![format!("{} ({})", client.name, client.id)];
    lines.extend(found.bundles.iter().flat_map(bundle_lines));
    for file in &found.files {
        let standing = match (&file.standing, found.bundle()) {
            // Two would be one too many.
            (Standing::NoFile | Standing::Absent | Standing::Lost, Some(_)) => {
                "not there, and not needed".to_owned()
            }
            (standing, _) => standing_line(client, standing),
        };
        lines.push(format!("  entry     {standing}"));
        lines.push(format!("            {}", safe(&file.path.display().to_string())));
    }
    if found.several {
        lines.push(
            "  entry     several installations are here: name the file of yours with --config-path"
                .to_owned(),
        );
    }
    lines.push(format!(
        "  wait      an order is held up to {} s, then the client is told that it still waits for you",
        fixed.unwrap_or_else(|| client.hold())
    ));
    lines.push(format!("  deadline  one call: {}", client.gives_up));
    lines.push(format!("  restart   {}", client.restart));
    lines.push(format!("  log       {}", safe(&(client.logs)(places))));
    lines.extend(around_lines(found));
    lines
}

/// Our extension: the program in it is its own copy, which no update of this one reaches.
fn bundle_lines(bundle: &Bundle) -> [String; 2] {
    let ours = env!("CARGO_PKG_VERSION");
    let version = bundle.version.as_deref().unwrap_or("unknown");
    let stands = if !bundle.on {
        "there, but switched off in the client".to_owned()
    } else if version == ours {
        format!("there (version {version})")
    } else {
        format!(
            "there, with version {} in it, and this is {ours}: open the newer of the two bundles in the client again",
            safe(version)
        )
    };
    [
        format!("  extension {stands}"),
        format!("            {}", safe(&bundle.file.display().to_string())),
    ]
}

fn standing_line(client: &Client, standing: &Standing) -> String {
    match standing {
        Standing::NoFile | Standing::Absent => format!("not there; countersign install {}", client.id),
        Standing::Ours => "there".to_owned(),
        Standing::Off => "there, but switched off in the client".to_owned(),
        Standing::Lost => format!(
            "LOST: we wrote it and it is gone; countersign install {} --repair",
            client.id
        ),
        Standing::Differs(keys) => format!(
            "DIFFERS in {}; countersign install {} shows how",
            keys.join(", "),
            client.id
        ),
        Standing::Unreadable(why) => format!("UNKNOWN: {}", safe(why)),
        Standing::ByHand => format!(
            "made by hand; countersign install {} shows what to paste",
            client.id
        ),
    }
}

fn standing_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::NoFile => "no_file",
        Standing::Absent => "absent",
        Standing::Ours => "ours",
        Standing::Off => "off",
        Standing::Lost => "lost",
        Standing::Differs(_) => "differs",
        Standing::Unreadable(_) => "unreadable",
        Standing::ByHand => "by_hand",
    }
}

fn found_object(found: &Found, places: &Places, fixed: Option<u64>) -> Value {
    let client = found.client;
    json!({
        "id": client.id, "name": client.name, "here": found.here, "several": found.several,
        "files": found.files.iter().map(|file| json!({ "path": file.path, "standing": standing_word(&file.standing) })).collect::<Vec<Value>>(),
        "holdSeconds": fixed.unwrap_or_else(|| client.hold()), "givesUp": client.gives_up, "restart": client.restart,
        "log": (client.logs)(places),
        "extensions": found.bundles.iter().map(|bundle| json!({ "file": bundle.file, "id": bundle.id, "version": bundle.version, "on": bundle.on })).collect::<Vec<Value>>(),
        "around": found.around.iter().map(|around| json!({ "file": around.file, "name": around.name, "twin": around.twin, "extension": around.extension })).collect::<Vec<Value>>(),
    })
}
