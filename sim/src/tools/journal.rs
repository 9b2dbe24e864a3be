//! What happened: matched trades, webhooks that came in, the add-on's log.

use serde_json::{Value, json};

use super::Caller;
use super::args::Args;
use super::show::money;
use crate::clock;
use crate::market::Refusal;
use crate::market::account::Trade;
use crate::service::State;

type Outcome = Result<Value, Refusal>;

/// Webhooks that this paper service has received, as `(status, command, payload, error)`.
const SIGNALS: [(&str, &str, &str, &str); 4] = [
    (
        "success",
        "PLACE",
        "key=***;command=PLACE;account=sim101;instrument=ES 12-26;action=BUY;qty=1;order_type=MARKET;tif=DAY;",
        "",
    ),
    (
        "success",
        "CLOSEPOSITION",
        "key=***;command=CLOSEPOSITION;account=sim101;instrument=ES 12-26;",
        "",
    ),
    (
        "warning",
        "FLATTENEVERYTHING",
        "key=***;command=FLATTENEVERYTHING;",
        "nothing to flatten",
    ),
    (
        "failed",
        "PLACE",
        "key=***;command=PLACE;account=nobody;instrument=NQ 12-26;action=SELL;qty=2;order_type=MARKET;tif=DAY;",
        "account not found",
    ),
];

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    Some(match name {
        "GetJournalTrades" => trades(state, caller, args),
        "GetSignalHistory" => Ok(signals(state, caller, args)),
        "GetActivityLog" => log(state, caller, args),
        _ => return None,
    })
}

fn trades(state: &State, caller: &Caller, args: &Args) -> Outcome {
    let account = args
        .text("account")
        .map(|a| state.market.account(&caller.user, a).map(|a| a.name))
        .transpose()?;
    let contract = args.contract_if_given()?;
    let (from, to) = (args.time("from")?, args.time("to")?);
    let sync = args.flag("sync_first") == Some(true);
    if sync && !state.switches.addon {
        return Err(Refusal::new(
            "addon_disconnected",
            "the add-on has the rows and is not connected",
        ));
    }
    let mine = |t: &&Trade| state.market.account(&caller.user, &t.account).is_ok();
    let wanted = |t: &&Trade| {
        account.is_none_or(|a| a == t.account)
            && contract.is_none_or(|c| c == t.contract)
            && from.is_none_or(|f| t.exit_ms >= f)
            && to.is_none_or(|u| t.exit_ms <= u)
    };
    let all = state.market.trades.iter().filter(mine);
    let synced = sync.then(|| all.clone().count());
    let rows: Vec<Value> = all
        .filter(wanted)
        .rev()
        .take(args.limit(100, 1000))
        .map(trade)
        .collect();
    Ok(json!({"trades": rows, "synced": synced}))
}

fn trade(trade: &Trade) -> Value {
    json!({
        "id": trade.id,
        "entry_ts": clock::rfc3339(trade.entry_ms),
        "exit_ts": clock::rfc3339(trade.exit_ms),
        "account": trade.account,
        "instrument": trade.contract.name(),
        "side": if trade.long { "Long" } else { "Short" },
        "quantity": trade.quantity,
        "entry_price": trade.entry,
        "exit_price": trade.contract.price(trade.exit_ticks),
        "realized_pnl": money(trade.profit_cents),
        "fees": money(trade.fees_cents),
        "setup": Value::Null,
    })
}

fn signals(state: &State, caller: &Caller, args: &Args) -> Value {
    let status = args.text("status").filter(|s| *s != "*");
    let search = args.text("search").unwrap_or_default().to_ascii_lowercase();
    let help = args.flag("include_help") != Some(false);
    let mut rows: Vec<Value> = (1_u64..)
        .zip(SIGNALS)
        .filter(|(_, (s, _, payload, _))| {
            status.is_none_or(|w| w == *s) && payload.to_ascii_lowercase().contains(&search)
        })
        .map(|(id, (status, command, payload, error))| {
            let at = state.platform.started_ms.saturating_add(id);
            let help = (help && !error.is_empty()).then(|| format!("{command}: {error}"));
            json!({
                "id": id, "timestamp": clock::rfc3339(at), "user": caller.user, "command": command,
                "status": status, "payload": payload, "error": error, "help": help,
            })
        })
        .collect();
    if args.text("direction") != Some("asc") {
        rows.reverse();
    }
    let total = rows.len();
    let offset = args
        .number("offset")
        .and_then(super::args::whole)
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(0);
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(args.limit(50, 200)).collect();
    json!({"signals": rows, "total": total, "offset": offset})
}

fn log(state: &State, caller: &Caller, args: &Args) -> Outcome {
    let (from, to) = (args.time("from")?, args.time("to")?);
    let (level, account) = (args.text("level"), args.text("account"));
    let rows: Vec<Value> = state
        .platform
        .log
        .iter()
        .filter(|l| l.user == caller.user && level.is_none_or(|w| w == l.level))
        .filter(|l| account.is_none_or(|a| l.account.as_deref().is_some_and(|b| b.eq_ignore_ascii_case(a))))
        .filter(|l| from.is_none_or(|f| l.at_ms >= f) && to.is_none_or(|t| l.at_ms <= t))
        .map(|l| {
            json!({
                "ts": clock::rfc3339(l.at_ms), "level": l.level, "category": "mcp", "account": l.account, "message": l.message,
            })
        })
        .collect();
    Ok(json!({"entries": rows}))
}
