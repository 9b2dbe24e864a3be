//! Charts, workspaces, drawings and alerts.

use serde_json::{Value, json};

use super::Caller;
use super::args::Args;
use super::platform::{Drawing, Platform};
use crate::clock;
use crate::market::Refusal;
use crate::market::instrument::Contract;
use crate::service::State;

type Outcome = Result<Value, Refusal>;

/// Channels that the user has set up.
const CHANNELS: [&str; 2] = ["in_app", "email"];

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    Some(match name {
        "ListWorkspaces" => Ok(workspaces(state, caller)),
        "ListDrawings" => drawings(state, caller, args),
        "ListAlerts" => Ok(json!({"alerts": alerts(state, caller)})),
        "OpenChart" => open_chart(state, caller, args),
        "SaveWorkspace" => save(state, caller, args),
        "LoadWorkspace" => load(state, caller, args),
        "AddDrawing" => draw(state, caller, args),
        "RemoveDrawing" => erase(state, caller, args),
        "EmitMcpAlert" => emit(state, caller, args),
        "CreateAlert" => create(state, caller, args),
        _ => return None,
    })
}

fn charts(state: &State, caller: &Caller) -> Vec<String> {
    state
        .platform
        .charts
        .get(&caller.user)
        .cloned()
        .unwrap_or_default()
}

fn workspaces(state: &State, caller: &Caller) -> Value {
    let mine = state
        .platform
        .workspaces
        .iter()
        .filter(|((user, _), _)| *user == caller.user);
    let rows: Vec<Value> = mine
        .map(|((_, name), charts)| json!({"name": name, "charts": charts}))
        .collect();
    json!({"workspaces": rows, "open_charts": charts(state, caller)})
}

fn open_chart(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let contract = args
        .contract_if_given()?
        .map_or_else(|| "ES 12-26".to_owned(), Contract::name);
    let period = args.count("period")?.unwrap_or(5);
    let title = format!(
        "{contract} {period} {}",
        args.text("period_type").unwrap_or("Minute")
    );
    let open = state.platform.charts.entry(caller.user.clone()).or_default();
    Platform::room(open.len())?;
    open.push(title.clone());
    Ok(json!({"success": true, "chart": title, "open_charts": open.len()}))
}

fn save(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let name = args.text("name").unwrap_or("Default").to_owned();
    let charts = charts(state, caller);
    Platform::room(state.platform.workspaces.len())?;
    let before = state
        .platform
        .workspaces
        .insert((caller.user.clone(), name.clone()), charts);
    Ok(json!({"success": true, "name": name, "overwritten": before.is_some()}))
}

fn load(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let name = args.text("name").unwrap_or("Default").to_owned();
    let Some(saved) = state
        .platform
        .workspaces
        .get(&(caller.user.clone(), name.clone()))
        .cloned()
    else {
        return Err(Refusal::new(
            "workspace_not_found",
            format!("no workspace {name:?}"),
        ));
    };
    let closed = state
        .platform
        .charts
        .insert(caller.user.clone(), saved.clone())
        .unwrap_or_default();
    Ok(json!({"success": true, "name": name, "closed_charts": closed, "open_charts": saved}))
}

fn show(drawing: &Drawing) -> Value {
    json!({"drawing_id": drawing.id, "instrument": drawing.contract.name(), "kind": drawing.kind, "price": drawing.price})
}

fn drawings(state: &State, caller: &Caller, args: &Args) -> Outcome {
    let contract = args.contract_if_given()?;
    let mine = state
        .platform
        .drawings
        .iter()
        .filter(|(user, _)| *user == caller.user);
    let rows: Vec<Value> = mine
        .filter(|(_, d)| contract.is_none_or(|c| c == d.contract))
        .map(|(_, d)| show(d))
        .collect();
    Ok(json!({"drawings": rows}))
}

fn draw(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let contract = args.contract()?;
    Platform::room(state.platform.drawings.len())?;
    let drawing = Drawing {
        id: state.platform.id("draw"),
        contract,
        kind: args.text("kind").unwrap_or("HorizontalLine").to_owned(),
        price: args.number("price"),
    };
    let shown = show(&drawing);
    state.platform.drawings.push((caller.user.clone(), drawing));
    Ok(json!({"success": true, "drawing": shown}))
}

fn erase(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let id = args.needed("drawing_id")?;
    let before = state.platform.drawings.len();
    state
        .platform
        .drawings
        .retain(|(user, d)| *user != caller.user || d.id != id);
    if state.platform.drawings.len() < before {
        return Ok(json!({"success": true, "drawing_id": id}));
    }
    Err(Refusal::new("drawing_not_found", format!("no drawing {id:?}")))
}

fn alerts(state: &State, caller: &Caller) -> Vec<Value> {
    state
        .platform
        .alerts
        .iter()
        .filter(|(user, _)| *user == caller.user)
        .map(|(_, a)| a.clone())
        .collect()
}

fn keep(state: &mut State, caller: &Caller, alert: Value) -> Result<(), Refusal> {
    Platform::room(state.platform.alerts.len())?;
    state.platform.alerts.push((caller.user.clone(), alert));
    Ok(())
}

fn emit(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let channels = args.texts("channels").unwrap_or_else(|| vec!["in_app"]);
    if let Some(missing) = channels.iter().find(|c| !CHANNELS.contains(c)) {
        return Err(Refusal::new(
            "channel_unconfigured",
            format!("{missing} is not set up"),
        ));
    }
    let id = state.platform.id("alert");
    let alert = json!({
        "alert_id": id,
        "subtype": args.text("subtype"),
        "title": args.text("title"),
        "body": args.text("body"),
        "delivered": channels,
        "created_at": clock::rfc3339(caller.now),
    });
    keep(state, caller, alert)?;
    Ok(json!({"success": true, "alert_id": id, "delivered": channels}))
}

fn create(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let contract = args.contract_if_given()?.map(Contract::name);
    let id = state.platform.id("alert");
    let alert = json!({
        "alert_id": id,
        "instrument": contract,
        "condition": args.text("condition"),
        "price": args.number("price"),
        "message": args.text("message"),
        "created_at": clock::rfc3339(caller.now),
    });
    keep(state, caller, alert.clone())?;
    Ok(json!({"success": true, "alert": alert}))
}
