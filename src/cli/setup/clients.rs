//! The AI clients on this computer: found, the plan shown, written after one yes, and taken back by `--undo`.
//!
//! Owns: the question, and the warnings about what goes around us. Refuses to know: how a client's file is written; that
//! is `crate::clients`.

use super::talk::Talk;
use super::{Came, Setup, Stop};
use crate::cli::clients::places;
use crate::cli::{Context, Exit, out};
use crate::clients::{self, Client, Found, Places, Plan, Wish};
use serde_json::{Value, json};

/// How the clients of this computer stand, for the summary.
pub(super) fn summary(context: &Context) -> Vec<Value> {
    let all = places(context)
        .map(|places| clients::detected(&places))
        .unwrap_or_default();
    all.iter()
        .map(|found| json!({ "id": found.client.id, "name": found.client.name, "connected": found.is_connected() }))
        .collect()
}

/// How each connected client is made to read its file again.
pub(super) fn restarts(context: &Context) -> Vec<String> {
    let all = places(context)
        .map(|places| clients::detected(&places))
        .unwrap_or_default();
    all.iter()
        .filter(|found| found.is_connected())
        .map(|found| format!("{}: {}", found.client.name, found.client.restart))
        .collect()
}

pub(super) async fn run(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if setup.flags.no_clients {
        return Ok(Came::Skipped("no AI client's file was touched".to_owned()));
    }
    let places = match places(&setup.context) {
        Ok(places) => places,
        Err(why) => {
            setup.context.out.error(&why, "no AI client's file was touched");
            return Ok(Came::Left(why));
        }
    };
    let named = wanted(setup)?;
    let all = clients::detected(&places);
    let found: Vec<Found> = if named.is_empty() {
        all.clone()
    } else {
        named
            .iter()
            .map(|client| clients::look(client, &places))
            .collect()
    };
    let open: Vec<&Found> = found.iter().filter(|found| !found.is_connected()).collect();
    if open.is_empty() && !found.is_empty() {
        around(setup.talk, &all);
        return Ok(Came::Already(format!("connected: {}", names(&found))));
    }
    setup.head("Your AI clients");
    if found.is_empty() {
        setup.talk.text(
            "No AI client that we know was found on this computer. Install one, then: countersign setup. For another one, add \
             a local (stdio) MCP server by hand:",
        );
        setup
            .talk
            .line(&format!("  {} {}", places.program, places.arguments.join(" ")));
        return Ok(Came::Left(
            "no AI client yet: countersign setup, once one is installed".to_owned(),
        ));
    }
    let came = write(setup, &places, &open).await;
    around(setup.talk, &all);
    came
}

/// The clients that the flags name.
fn wanted(setup: &Setup<'_>) -> Result<Vec<&'static Client>, Stop> {
    let find = |id: &String| {
        clients::find(id).ok_or_else(|| {
            let known: Vec<&str> = clients::all().iter().map(|client| client.id).collect();
            let hint = format!("there are: {}. No AI client's file was touched", known.join(", "));
            setup
                .context
                .out
                .error(&format!("there is no client {}", out::safe(id)), &hint);
            Stop::Failed(Exit::Usage)
        })
    };
    setup.flags.client.iter().map(find).collect()
}

/// Shows what would be written, asks once, and writes.
async fn write(setup: &Setup<'_>, places: &Places, open: &[&Found]) -> Result<Came, Stop> {
    let talk = setup.talk;
    talk.text("Found on this computer. This is all that would be written; each file is backed up first:");
    let (mut plans, mut todo): (Vec<Plan>, Vec<String>) = (Vec::new(), Vec::new());
    for found in open {
        talk.gap();
        match clients::plan(found.client, places, &Wish::default()) {
            Ok(plan) => {
                for line in plan.text().lines() {
                    talk.line(&out::safe(line));
                }
                if plan.changes_anything() {
                    plans.push(plan);
                }
            }
            Err(trouble) => {
                talk.text(&format!("{}: {trouble}", found.client.name));
                talk.text(&format!("  {}", trouble.next()));
                todo.push(found.client.name.to_owned());
            }
        }
    }
    talk.gap();
    if plans.is_empty() {
        return Ok(
            left(&todo).unwrap_or_else(|| Came::Skipped("nothing to write for the AI clients".to_owned()))
        );
    }
    let yes = !talk.asks() || talk.yes("Write this?", false).await?;
    if !yes {
        let why =
            "no AI client's file was touched; countersign setup asks again, countersign install writes one";
        return Ok(Came::Skipped(why.to_owned()));
    }
    let mut done = Vec::new();
    for plan in &plans {
        match clients::apply(plan, places) {
            Ok(applied) => {
                for note in &applied.notes {
                    talk.text(&format!("note: {}", out::safe(note)));
                }
                talk.text(&format!(
                    "Written: {}. To make it read this: {}.",
                    plan.client.name, plan.client.restart
                ));
                done.push(plan.client.name);
            }
            Err(trouble) => {
                talk.text(&format!("{}: {trouble}", plan.client.name));
                talk.text(&format!("  {}", trouble.next()));
                todo.push(plan.client.name.to_owned());
            }
        }
    }
    Ok(left(&todo).unwrap_or_else(|| Came::Done(format!("connected: {}", done.join(", ")))))
}

fn left(todo: &[String]) -> Option<Came> {
    (!todo.is_empty()).then(|| {
        Came::Left(format!(
            "not connected yet: {}; then: countersign setup",
            todo.join(", ")
        ))
    })
}

fn names(found: &[Found]) -> String {
    let names: Vec<&str> = found.iter().map(|found| found.client.name).collect();
    names.join(", ")
}

/// What reaches the service without us.
fn around(talk: Talk, all: &[Found]) {
    let mut first = true;
    for found in all {
        for other in &found.around {
            if std::mem::take(&mut first) {
                talk.gap();
                talk.text("WARNING. These reach CrossTrade too:");
            }
            let what = if other.twin {
                "starts Countersign a second time"
            } else {
                "goes around Countersign: an order through it is held by NOBODY"
            };
            let line = format!(
                "  {}: \"{}\" {what}. Remove it {} ({})",
                found.client.name,
                other.name,
                other.how(),
                other.file.display()
            );
            talk.text(&line);
        }
    }
    if !all.is_empty() {
        talk.gap();
        talk.text(
            "Connectors that you added on an AI service's own web site cannot be seen from here: if one leads to CrossTrade, \
             remove it there.",
        );
    }
}

/// Takes our entries back, by their receipts: what was done, what not, and the summary.
pub(super) async fn remove(
    context: &Context,
    talk: Talk,
    yes: bool,
) -> Result<(Vec<String>, bool, Vec<Value>), Stop> {
    let places = match places(context) {
        Ok(places) => places,
        Err(why) => {
            return Ok((
                vec![format!("No AI client's file was touched: {why}")],
                true,
                Vec::new(),
            ));
        }
    };
    let (mut lines, mut partly, mut plans) = (Vec::new(), false, Vec::new());
    for found in clients::detected(&places) {
        if !found.client.is_written() {
            continue;
        }
        match clients::remove(found.client, &places, &Wish::default()) {
            Ok(plan) if plan.changes_anything() => plans.push(plan),
            Ok(_) => {}
            Err(trouble) => {
                partly = true;
                lines.push(format!("{}: {trouble}. {}", found.client.name, trouble.next()));
            }
        }
    }
    if plans.is_empty() {
        return Ok((lines, partly, Vec::new()));
    }
    talk.text("These entries go; nothing else in the files changes:");
    for plan in &plans {
        for line in plan.text().lines() {
            talk.line(&out::safe(line));
        }
    }
    talk.gap();
    if !yes && !talk.yes("Take them out?", false).await? {
        lines.push("The AI clients' entries stay.".to_owned());
        return Ok((lines, partly, Vec::new()));
    }
    let mut gone = Vec::new();
    for plan in &plans {
        match clients::apply(plan, &places) {
            Ok(_) => {
                lines.push(format!(
                    "Taken out of {}. {}",
                    plan.client.name, plan.client.restart
                ));
                gone.push(plan.client.id.into());
            }
            Err(trouble) => {
                partly = true;
                lines.push(format!("{}: {trouble}. {}", plan.client.name, trouble.next()));
            }
        }
    }
    Ok((lines, partly, gone))
}
