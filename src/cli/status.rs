//! `status`: am I signed in, is trading on, what is waiting.

use super::{Context, Exit, waiting};
use crate::oauth::{GrantInfo, GrantKind, StoreKind, TokenError};
use crate::relay::load_policy_at;
use crate::relay::settings::Settings;
use crate::relay::tickets::Tickets;
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
    let halted = paths.halt().exists();
    let tickets = Tickets::of(paths).all();
    let day_ago = clock::wall_ms().saturating_sub(24 * 3600 * 1000);
    let open: Vec<_> = tickets.iter().filter(|ticket| ticket.state.is_open()).collect();
    let unknown: Vec<_> = tickets.iter().filter(|t| t.state == crate::gate::ticket::State::Unknown && t.created_wall >= day_ago).collect();
    let mut lines = vec![format!("service   {}", context.endpoint.url())];
    lines.extend(trouble.iter().map(|why| format!("sign-in   {why}")));
    lines.push(grant_line("reading", grants.iter().find(|grant| grant.kind == GrantKind::Read)));
    lines.push(grant_line("trading", grants.iter().find(|grant| grant.kind == GrantKind::Trade)));
    if let Some(grant) = grants.first() {
        lines.push(format!("keys      {}", store(grant)));
    }
    match &settings {
        Ok(settings) => {
            lines.push(format!("approval  {:?}", settings.tier).to_lowercase());
            if settings.single_grant {
                lines.push("warning   one grant serves reading and trading: a call that Countersign misjudged as harmless would not be refused by CrossTrade".to_owned());
            }
        }
        Err(why) => lines.push(format!("settings  WRONG, trade calls are refused: {why}")),
    }
    lines.push(match &policy {
        Ok(_) if paths.policy().exists() => format!("policy    {}", paths.policy().display()),
        Ok(_) => "policy    built in: reads pass, everything else asks you".to_owned(),
        Err(why) => format!("policy    WRONG, trade calls are refused: {why}"),
    });
    lines.push(format!("trading   {}", if halted { "STOPPED by you (countersign resume allows it again)" } else { "every trade call is held for your approval" }));
    lines.push(format!("waiting   {}", if open.is_empty() { "nothing".to_owned() } else { String::new() }));
    lines.extend(open.iter().map(|ticket| format!("  {}", waiting::line(ticket))));
    if !unknown.is_empty() {
        lines.push("OUTCOME UNKNOWN in the last 24 hours; check NinjaTrader:".to_owned());
        lines.extend(unknown.iter().map(|ticket| format!("  {}", waiting::line(ticket))));
    }
    let object = json!({
        "endpoint": context.endpoint.url(), "halted": halted, "trouble": trouble,
        "tier": settings.as_ref().ok().map(|settings| settings.tier), "settingsError": settings.as_ref().err(),
        "policyError": policy.as_ref().err(),
        "grants": grants.iter().map(grant_object).collect::<Vec<Value>>(),
        "pending": open.iter().map(|ticket| waiting::object(ticket)).collect::<Vec<Value>>(),
        "unknown": unknown.iter().map(|ticket| waiting::object(ticket)).collect::<Vec<Value>>(),
    });
    context.out.data(&lines.join("\n"), &object);
    if grants.is_empty() { Exit::NotSignedIn } else { Exit::Fine }
}

fn grant_line(what: &str, grant: Option<&GrantInfo>) -> String {
    match grant {
        None if what == "reading" => "reading   not signed in: countersign login".to_owned(),
        None => "trading   not enabled: countersign login --trade".to_owned(),
        Some(grant) => {
            let sealed = if grant.sealed { ", sealed under your PIN" } else { "" };
            let name = &grant.client_name;
            format!("{what:<9} signed in as \"{name}\"{sealed}")
        }
    }
}

/// Where the vault's key lies, in words.
pub(super) fn store(grant: &GrantInfo) -> &'static str {
    match grant.store {
        StoreKind::Keychain => "in the keychain of this system",
        StoreKind::File => "in a FILE that your user's programs can read (COUNTERSIGN_STORE=file)",
    }
}

fn grant_object(grant: &GrantInfo) -> Value {
    json!({
        "kind": format!("{:?}", grant.kind).to_lowercase(), "scope": grant.scope, "clientName": grant.client_name,
        "issuer": grant.issuer, "sealed": grant.sealed, "store": store(grant),
    })
}
