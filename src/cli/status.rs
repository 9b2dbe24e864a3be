//! `status`: am I signed in, is trading on, what is waiting.

use super::{Context, Exit, apply, waiting};
use crate::oauth::{GrantInfo, GrantKind, StoreKind, TokenError};
use crate::relay::past::Past;
use crate::relay::settings::Settings;
use crate::relay::tickets::Tickets;
use crate::relay::{counters_at, load_policy_at, under_seal};
use crate::system::clock;
use serde_json::{Value, json};

pub(super) async fn status(context: &Context) -> Exit {
    let paths = &context.world.paths;
    let (grants, trouble) = match context.grants().overview().await {
        Ok(grants) => (grants, None),
        Err(TokenError::NotSignedIn) => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let settings = Settings::load(paths);
    let policy = load_policy_at(&paths.policy());
    let past = Past::of(paths);
    let halted = under_seal::is_stopped(paths, &past.look_now().unwrap_or_default());
    let changes = apply::waiting(context).await;
    let tickets = Tickets::of(paths).all();
    let paused = counters_at(paths, false, &past).paused_until(clock::wall_ms());
    let open: Vec<_> = tickets.iter().filter(|ticket| ticket.state.is_open()).collect();
    let unknown = waiting::doubts(&Tickets::of(paths));
    let mut lines = vec![format!("service   {}", context.endpoint.url())];
    lines.extend(trouble.iter().map(|why| format!("sign-in   {why}")));
    let trade = grants.iter().find(|grant| grant.kind == GrantKind::Trade);
    let single = trade.filter(|grant| grant.single);
    let read = grants
        .iter()
        .find(|grant| grant.kind == GrantKind::Read)
        .or(single);
    if trouble.is_none() {
        lines.push(grant_line("reading", read));
        lines.push(grant_line("trading", trade));
    }
    if single.is_some() {
        lines.push("warning   one sign-in serves reading and trading: a call that Countersign took for harmless by mistake would not be refused by CrossTrade".to_owned());
    }
    if let Some(grant) = grants.first() {
        lines.push(format!("keys      {}", store(grant)));
    }
    match &settings {
        Ok(settings) => lines.push(format!("approval  by {}", super::rules::word(settings.tier))),
        Err(why) => lines.push(format!("settings  WRONG, trade calls are refused: {why}")),
    }
    lines.push(match &policy {
        Ok(_) if paths.policy().exists() => format!("policy    {}", paths.policy().display()),
        Ok(_) => "policy    built in: reads pass, everything else asks you".to_owned(),
        Err(why) => format!("policy    WRONG, trade calls are refused: {why}"),
    });
    lines.extend(
        changes
            .iter()
            .map(|change| format!("CHANGED   {}", apply::line(context, change))),
    );
    lines.push(match (halted, trade) {
        (true, _) => {
            "orders    STOPPED by you: every trade call is refused (countersign resume allows it again)"
                .to_owned()
        }
        (false, Some(_)) => "orders    every trade call is held until you approve it".to_owned(),
        (false, None) => "orders    none can be placed from here".to_owned(),
    });
    if let Some(until) = paused {
        lines.push(format!(
            "paused    new orders until {}, exits are not (countersign resume ends the pause)",
            clock::local_time(until)
        ));
    }
    lines.push(format!(
        "waiting   {}",
        if open.is_empty() {
            "nothing".to_owned()
        } else {
            String::new()
        }
    ));
    lines.extend(open.iter().map(|ticket| format!("  {}", waiting::line(ticket))));
    if !unknown.is_empty() {
        lines.push("OUTCOME UNKNOWN; look in NinjaTrader, then: countersign acknowledge TICKET".to_owned());
        lines.extend(
            unknown
                .iter()
                .map(|doubt| format!("  {}", waiting::doubt_line(doubt))),
        );
    }
    let object = json!({
        "endpoint": context.endpoint.url(), "halted": halted, "trouble": trouble,
        "tier": settings.as_ref().ok().map(|settings| settings.tier), "settingsError": settings.as_ref().err(),
        "policyError": policy.as_ref().err(), "changed": changes.iter().map(apply::object).collect::<Vec<Value>>(),
        "grants": grants.iter().map(grant_object).collect::<Vec<Value>>(),
        "pending": open.iter().map(|ticket| waiting::object(ticket)).collect::<Vec<Value>>(),
        "entriesPausedUntil": paused.map(clock::rfc3339),
        "unknown": unknown.iter().map(waiting::doubt_object).collect::<Vec<Value>>(),
    });
    context.out.data(&lines.join("\n"), &object);
    match read {
        _ if trouble.is_some() => Exit::Failure,
        Some(read) if read.withdrawn.is_none() => Exit::Fine,
        _ => Exit::NotSignedIn,
    }
}

fn grant_line(what: &str, grant: Option<&GrantInfo>) -> String {
    match grant {
        None if what == "reading" => "reading   not signed in: countersign login".to_owned(),
        None => "trading   not enabled: countersign login --trade".to_owned(),
        Some(GrantInfo {
            withdrawn: Some(why), ..
        }) => {
            let verb = if what == "reading" {
                "countersign login"
            } else {
                "countersign login --trade"
            };
            format!("{what:<9} ENDED: {why}; sign in again: {verb}")
        }
        Some(grant) => {
            let sealed = if grant.sealed {
                ", sealed under your PIN"
            } else {
                ""
            };
            let name = &grant.client_name;
            format!("{what:<9} signed in as \"{name}\"{sealed}")
        }
    }
}

/// Where the vault's key lies, in words.
pub(super) fn store(grant: &GrantInfo) -> &'static str {
    match grant.store {
        StoreKind::Keychain => "in the keychain of this system",
        StoreKind::File => {
            "in a FILE, not in a keychain: any program that runs as you can read it and use your sign-in"
        }
    }
}

fn grant_object(grant: &GrantInfo) -> Value {
    json!({
        "kind": format!("{:?}", grant.kind).to_lowercase(), "scope": grant.scope, "clientName": grant.client_name,
        "issuer": grant.issuer, "sealed": grant.sealed, "withdrawn": grant.withdrawn, "single": grant.single,
        "expiresAt": grant.expires_at_ms.map(clock::rfc3339), "store": grant.store.as_str(),
    })
}
