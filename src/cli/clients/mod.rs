//! `install` and `uninstall`: our entry in the AI clients of this computer.
//!
//! Nothing is written before the plan was shown and the person said yes (or typed `--yes`).

mod list;

pub(super) use list::list;

use super::args::{Install, Uninstall};
use super::out::safe;
use super::{CROSSTRADE, Context, Exit};
use crate::clients::{self, Applied, Client, Deed, Found, Places, Plan, Standing, Trouble, Wish};
use serde_json::{Value, json};
use std::io::Write;

/// This computer, as far as clients go.
pub(super) fn places(context: &Context) -> Result<Places, String> {
    let url = context.endpoint.url();
    Places::real(&context.world, (url != CROSSTRADE).then_some(url))
}

pub(super) fn install(context: &Context, words: &Install) -> Exit {
    let places = match places(context) {
        Ok(places) => places,
        Err(why) => return fail(context, &why, "set HOME to your home folder", Exit::Config),
    };
    let chosen = match chosen(context, &places, &words.clients, Pick::of(words)) {
        Ok(chosen) => chosen,
        Err(exit) => return exit,
    };
    if words.file.config_path.is_some() && chosen.len() != 1 {
        return one_file(context, "written");
    }
    if words.print || words.deeplink {
        return shown(context, &places, &chosen, words.deeplink);
    }
    let wish = Wish {
        config_path: words.file.config_path.clone(),
    };
    let plans: Vec<_> = chosen
        .iter()
        .map(|client| (*client, clients::plan(client, &places, &wish)))
        .collect();
    let exit = carry_out(
        context,
        &places,
        plans,
        words.file.yes,
        words.dry_run,
        "Write this?",
    );
    if exit != Exit::Usage && !words.dry_run {
        warn_around(context, &places);
    }
    exit
}

pub(super) fn uninstall(context: &Context, words: &Uninstall) -> Exit {
    let places = match places(context) {
        Ok(places) => places,
        Err(why) => return fail(context, &why, "set HOME to your home folder", Exit::Config),
    };
    let pick = if words.all { Pick::Written } else { Pick::Named };
    let chosen = match chosen(context, &places, &words.clients, pick) {
        Ok(chosen) => chosen,
        Err(exit) => return exit,
    };
    if words.file.config_path.is_some() && chosen.len() != 1 {
        return one_file(context, "removed");
    }
    let wish = Wish {
        config_path: words.file.config_path.clone(),
    };
    let plans: Vec<_> = chosen
        .iter()
        .map(|client| (*client, clients::remove(client, &places, &wish)))
        .collect();
    carry_out(
        context,
        &places,
        plans,
        words.file.yes,
        words.dry_run,
        "Remove this?",
    )
}

/// Which clients are meant where none is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pick {
    Named,
    Here,
    Broken,
    Written,
}

impl Pick {
    fn of(words: &Install) -> Self {
        match (words.repair, words.all) {
            (true, _) => Self::Broken,
            (false, true) => Self::Here,
            (false, false) => Self::Named,
        }
    }
}

fn chosen(
    context: &Context,
    places: &Places,
    names: &[String],
    pick: Pick,
) -> Result<Vec<&'static Client>, Exit> {
    let mut chosen: Vec<&'static Client> = Vec::new();
    for name in names {
        let Some(client) = clients::find(name) else {
            let why = format!("no AI client is called \"{}\"; nothing was written", safe(name));
            return Err(fail(
                context,
                &why,
                &format!("say one of: {}", ids()),
                Exit::Usage,
            ));
        };
        if !chosen.iter().any(|other| other.id == client.id) {
            chosen.push(client);
        }
    }
    if !names.is_empty() {
        return Ok(chosen);
    }
    let found = clients::detected(places);
    let picked: Vec<_> = found
        .iter()
        .filter(|found| match pick {
            Pick::Named => false,
            Pick::Here => found.here && found.client.is_written(),
            Pick::Broken => found.needs_repair(),
            Pick::Written => found.files.iter().any(|file| {
                matches!(
                    file.standing,
                    Standing::Ours | Standing::Off | Standing::Lost | Standing::Differs(_)
                )
            }),
        })
        .map(|found| found.client)
        .collect();
    if !picked.is_empty() {
        return Ok(picked);
    }
    match pick {
        Pick::Named => {
            let why = "nothing was written: say which AI client is meant";
            Err(fail(
                context,
                why,
                &format!("one of: {}; or --all", ids()),
                Exit::Usage,
            ))
        }
        Pick::Here => Err(fail(
            context,
            "nothing was written: no AI client was found on this computer",
            &format!("name the one that you use: {}", ids()),
            Exit::Config,
        )),
        Pick::Broken | Pick::Written => {
            let text = if pick == Pick::Broken {
                "Nothing to repair: no entry of Countersign is lost or changed."
            } else {
                "Nothing to remove: no entry of Countersign was found."
            };
            context.out.data(text, &json!({ "clients": [] }));
            Err(Exit::Fine)
        }
    }
}

fn one_file(context: &Context, done: &str) -> Exit {
    let hint = format!("name exactly one client; nothing was {done}");
    fail(
        context,
        "--config-path is one file, for one client",
        &hint,
        Exit::Usage,
    )
}

fn ids() -> String {
    let ids: Vec<&str> = clients::all().iter().map(|client| client.id).collect();
    ids.join(", ")
}

/// `--print` and `--deeplink`: text on stdout, nothing written.
fn shown(context: &Context, places: &Places, chosen: &[&'static Client], link: bool) -> Exit {
    let mut exit = Exit::Fine;
    let mut objects = Vec::new();
    let mut texts = Vec::new();
    for client in chosen {
        let text = if link {
            client.deep_link(places)
        } else {
            Some(client.snippet(places))
        };
        objects.push(json!({ "client": client.id, "text": text }));
        let Some(text) = text else {
            context.out.say(&format!(
                "{} has no such links; see what to paste: countersign install {} --print",
                client.name, client.id
            ));
            exit = Exit::Usage;
            continue;
        };
        if chosen.len() > 1 {
            context.out.say(&format!("{}:", client.name));
        }
        texts.push(text);
    }
    if !texts.is_empty() || context.out.is_json() {
        context
            .out
            .exact(&texts.join("\n\n"), &json!({ "clients": objects }));
    }
    exit
}

type Planned = (&'static Client, Result<Plan, Trouble>);

fn carry_out(
    context: &Context,
    places: &Places,
    plans: Vec<Planned>,
    yes: bool,
    dry: bool,
    question: &str,
) -> Exit {
    let mut objects = Vec::new();
    let mut good = Vec::new();
    let (mut troubles, mut successes) = (0, 0);
    for (client, planned) in plans {
        match planned {
            Ok(plan) => {
                if !context.out.is_json() {
                    context.out.raw(&safe_lines(&plan.text()));
                }
                good.push(plan);
            }
            Err(trouble) => {
                troubles += 1;
                tell(context, client, &trouble);
                objects.push(json!({ "client": client.id, "done": false, "error": trouble.to_string(), "next": trouble.next() }));
            }
        }
    }
    let anything = good.iter().any(Plan::changes_anything);
    let may = if !anything || dry {
        false
    } else if yes {
        true
    } else if let Some(answer) = asked(context, question) {
        answer
    } else {
        let why = "nothing was written: there is nobody here to ask";
        return fail(
            context,
            why,
            "say --yes to write it, or --dry-run to see it only",
            Exit::Usage,
        );
    };
    for plan in &good {
        let applied = if may {
            clients::apply(plan, places).map(Some)
        } else {
            Ok(None)
        };
        match applied {
            Ok(applied) => {
                successes += 1;
                if let Some(applied) = &applied {
                    done(context, plan, applied);
                }
                objects.push(object(plan, applied.as_ref()));
            }
            Err(trouble) => {
                troubles += 1;
                tell(context, plan.client, &trouble);
                objects.push(json!({ "client": plan.client.id, "done": false, "error": trouble.to_string(), "next": trouble.next() }));
            }
        }
    }
    if context.out.is_json() {
        context
            .out
            .data("", &json!({ "written": may, "clients": objects }));
    } else if anything && !may {
        context.out.say("Nothing was written.");
    }
    match (troubles, successes) {
        (0, _) => Exit::Fine,
        (_, 0) => Exit::Config,
        _ => Exit::Partly,
    }
}

/// The person's word; `None` where there is no person.
fn asked(context: &Context, question: &str) -> Option<bool> {
    if !context.out.can_ask() {
        return None;
    }
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    Some(read.is_ok() && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn done(context: &Context, plan: &Plan, applied: &Applied) {
    if applied.files.is_empty() {
        return;
    }
    let out = context.out;
    out.say(&if plan.removing {
        format!(
            "Removed from {}. Restart it, so that it stops using Countersign.",
            plan.client.name
        )
    } else {
        format!("Written for {}. Next: {}.", plan.client.name, plan.client.restart)
    });
    for backup in &applied.backups {
        out.say(&format!(
            "  the file as it was before: {}",
            safe(&backup.display().to_string())
        ));
    }
    for note in &applied.notes {
        out.say(&format!("  note: {}", safe(note)));
    }
}

fn tell(context: &Context, client: &Client, trouble: &Trouble) {
    context.out.say(&format!(
        "error: {}: {}",
        client.name,
        safe_lines(&trouble.to_string())
    ));
    context.out.say(&format!("hint: {}", trouble.next()));
}

/// Makes each line safe for a terminal.
fn safe_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(safe).collect();
    lines.join("\n")
}

fn warn_around(context: &Context, places: &Places) {
    for found in clients::detected(places) {
        for line in around_lines(&found) {
            context.out.say(&line);
        }
    }
}

fn around_lines(found: &Found) -> Vec<String> {
    found
        .around
        .iter()
        .map(|around| {
            let (name, file) = (safe(&around.name), safe(&around.file.display().to_string()));
            let client = found.client.name;
            match (around.twin, around.extension) {
                (true, true) => format!(
                    "WARNING   {client}: the extension \"{name}\" starts Countersign a second time. Keep one of the two: remove the extension {}, or the entry: countersign uninstall {} ({file})",
                    around.how(),
                    found.client.id
                ),
                (true, false) => format!(
                    "WARNING   {client}: \"{name}\" starts Countersign a second time; remove one of the two ({file})"
                ),
                (false, _) => format!(
                    "WARNING   {client}: \"{name}\" reaches CrossTrade WITHOUT Countersign: orders through it are held by nobody. Remove it {} ({file})",
                    around.how()
                ),
            }
        })
        .collect()
}

fn object(plan: &Plan, applied: Option<&Applied>) -> Value {
    json!({
        "client": plan.client.id, "done": applied.is_some() || !plan.changes_anything(),
        "edits": plan.edits.iter().map(|edit| json!({ "file": edit.file, "deed": deed_word(edit.deed), "lines": edit.lines })).collect::<Vec<Value>>(),
        "byHand": plan.by_hand, "notes": plan.notes, "restart": plan.client.restart,
        "backups": applied.map(|applied| &applied.backups),
    })
}

fn deed_word(deed: Deed) -> &'static str {
    match deed {
        Deed::Nothing => "nothing",
        Deed::Create => "create",
        Deed::Add => "add",
        Deed::Change => "change",
        Deed::Remove => "remove",
        Deed::Restore => "restore",
        Deed::Delete => "delete",
        Deed::Forget => "forget",
    }
}

fn fail(context: &Context, why: &str, hint: &str, exit: Exit) -> Exit {
    context.out.error(why, hint);
    exit
}
