//! Our entries in the AI clients' files, and entries that go around us.

use super::{Check, Context, Seen, ok, skipped, warn};
use crate::cli::clients::places;
use crate::clients::{Found, Standing, detected};

pub(super) fn checks(context: &Context) -> Vec<Check> {
    let found = match places(context) {
        Ok(places) => detected(&places),
        Err(why) => {
            return vec![
                Check::new("clients", skipped(why.clone())),
                Check::new("around", skipped(why)),
            ];
        }
    };
    vec![
        Check::new("clients", entries(&found)),
        Check::new("around", around(&found)),
    ]
}

/// What is wrong with our entry in a client, if anything.
pub(in crate::cli) fn broken(found: &Found) -> Option<String> {
    let name = found.client.name;
    found.files.iter().find_map(|file| {
        let shown = file.path.display();
        match &file.standing {
            // The extension has taken its place.
            Standing::Lost if found.bundle().is_some() => None,
            Standing::Lost => Some(format!("{name}: our entry is gone from {shown}")),
            Standing::Differs(keys) => Some(format!(
                "{name}: our entry in {shown} says something else ({})",
                keys.join(", ")
            )),
            Standing::Unreadable(why) => Some(format!("{name}: {shown} cannot be read: {why}")),
            Standing::NoFile | Standing::Absent | Standing::Ours | Standing::Off | Standing::ByHand => None,
        }
    })
}

fn entries(found: &[Found]) -> Seen {
    let wrong: Vec<String> = found.iter().filter_map(broken).collect();
    if !wrong.is_empty() {
        let todo = if found.iter().any(Found::needs_repair) {
            "countersign install --repair, then start that AI client again"
        } else {
            "correct that file, or move it away"
        };
        return warn(wrong.join("; "), todo);
    }
    if let Some(several) = found.iter().find(|found| found.several && !found.is_connected()) {
        return warn(
            format!("{} has several files, of which one is read", several.client.name),
            format!(
                "say which: countersign install {} --config-path FILE",
                several.client.id
            ),
        );
    }
    let connected: Vec<&str> = found
        .iter()
        .filter(|found| found.is_connected())
        .map(|found| found.client.name)
        .collect();
    match found.iter().find(|found| found.here && found.client.is_written()) {
        _ if !connected.is_empty() => ok(format!("set up in {}", connected.join(", "))),
        Some(one) => warn(
            format!("{} is here, and does not know Countersign yet", one.client.name),
            format!("countersign install {}", one.client.id),
        ),
        None => warn(
            "no AI client was found on this computer",
            "name the one that you use: countersign install CLIENT",
        ),
    }
}

/// An order through one of these is held by nobody.
fn around(found: &[Found]) -> Seen {
    let mut all = found.iter().flat_map(|found| &found.around);
    let Some(first) = all.next() else {
        return ok("no entry reaches CrossTrade without Countersign, as far as files tell");
    };
    let more = match all.count() {
        0 => String::new(),
        many => format!(" and {many} more"),
    };
    let place = format!("\"{}\" in {}{more}", first.name, first.file.display());
    if first.twin {
        warn(
            format!("Countersign is there twice: {place}"),
            format!("remove the second one {}", first.how()),
        )
    } else {
        warn(
            format!("{place} reaches CrossTrade without Countersign: an order there is held by nobody"),
            format!(
                "remove it {}, and revoke it on CrossTrade's AI Clients page",
                first.how()
            ),
        )
    }
}
