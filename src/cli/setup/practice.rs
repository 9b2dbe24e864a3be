//! The practice order: held by the very relay that holds an AI client's calls, first denied, then approved.
//!
//! Owns: which order, and what is said about it. Refuses to know: how it is judged, asked or sent; that is the relay's,
//! as with every call. An account takes part only where the service itself says that it is play money.

use super::accounts::{self, Known};
use super::{Came, Setup, Stop};
use crate::approve::Desk;
use crate::cli::{out, waiting};
use crate::gate::facts::{Facts, Order, StateRead};
use crate::gate::instrument::Instrument;
use crate::gate::value::{Decimal, OrderKind};
use crate::relay::lists::{Lists, Pin};
use crate::relay::one_call_as;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const INSTRUMENT: &str = "MES";
/// How often the new order is looked for, and how far apart: ten seconds in all.
const LOOKS: u32 = 6;
const BETWEEN: Duration = Duration::from_millis(1700);
/// What is shown as the one who asks.
const CLIENT: &str = "countersign setup";

/// The order, and how the service spells its arguments.
struct Order1 {
    account: String,
    /// The contract with its month, where the service says which it means: the same one from question to approval.
    instrument: String,
    limit: i64,
    snake: bool,
}

impl Order1 {
    fn place(&self) -> Value {
        if self.snake {
            json!({ "account": self.account, "instrument": self.instrument, "side": "Buy", "type": "Limit", "quantity": 1, "limit_price": self.limit, "tif": "Day" })
        } else {
            json!({ "account": self.account, "instrument": self.instrument, "action": "BUY", "orderType": "LIMIT", "quantity": 1, "limitPrice": self.limit, "timeInForce": "DAY" })
        }
    }

    fn cancel(&self, id: &str) -> Value {
        let key = if self.snake { "order_id" } else { "orderId" };
        json!({ "account": self.account, key: id })
    }

    /// The working orders that this one may be.
    fn among(&self, orders: &[Order]) -> Vec<String> {
        orders
            .iter()
            .filter(|order| {
                order.working
                    && order.kind == Some(OrderKind::Limit)
                    && order.size == 1
                    && order.limit == Some(Decimal::whole(self.limit))
            })
            .map(|order| order.id.clone())
            .collect()
    }
}

pub(super) async fn run(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if !setup.trade {
        return Ok(Came::Skipped(String::new()));
    }
    if setup.memo.practised {
        return Ok(Came::Already("done before".to_owned()));
    }
    if setup.flags.no_practice {
        return Ok(Came::Skipped("no practice order".to_owned()));
    }
    if !setup.talk.asks() {
        return Ok(Came::Skipped(
            "the practice order needs you in a terminal: countersign setup".to_owned(),
        ));
    }
    setup.head("A practice order, with play money");
    let order = match prepare(setup).await {
        Ok(order) => order,
        Err(why) => {
            setup.talk.text(&format!(
                "No practice now: {why}. Nothing was sent. `countersign setup` offers it again."
            ));
            return Ok(Came::Skipped(format!("practice: {why}")));
        }
    };
    setup.talk.text(&format!(
        "Setup now proposes an order as your AI would: BUY 1 {} on {}, at {}. That is far below the market, so it \
         cannot fill. {} is play money. You are asked twice: DENY the first, APPROVE the second.",
        order.instrument,
        out::safe(&order.account),
        order.limit,
        out::safe(&order.account)
    ));
    setup.talk.gap();
    if !setup.talk.yes("Practise now?", true).await? {
        return Ok(Came::Skipped(
            "no practice order; `countersign setup` offers it again".to_owned(),
        ));
    }
    if let Some(came) = denied(setup, &order).await? {
        return Ok(came);
    }
    approved(setup, &order).await
}

/// Finds account, price and spelling.
async fn prepare(setup: &mut Setup<'_>) -> Result<Order1, String> {
    let known = setup.accounts().await?;
    let sims = || known.iter().filter(|account| account.sim);
    let named = |account: &&Known| account.name.eq_ignore_ascii_case("Sim101");
    let account = sims()
        .find(named)
        .or_else(|| sims().next())
        .ok_or("there is no account that CrossTrade says is play money (Sim101)")?
        .name
        .clone();
    let lists = Lists::load(&setup.context.world.paths, setup.context.endpoint.url());
    let Pin::Holds(schema) = lists.pin("PlaceOrder") else {
        return Err("CrossTrade offers no PlaceOrder here".to_owned());
    };
    let schema: Value = serde_json::from_str(&schema).unwrap_or_default();
    let snake = schema
        .get("properties")
        .is_none_or(|properties| properties.get("side").is_some());
    let mut facts = Facts::default();
    read(
        setup,
        &mut facts,
        &StateRead::new("GetQuote", Some(("instrument", INSTRUMENT))),
    )
    .await?;
    let quote = facts.quote.known();
    let instrument = quote
        .and_then(|quote| quote.instrument.as_ref())
        .filter(|meant| meant.root == INSTRUMENT)
        .map_or_else(|| INSTRUMENT.to_owned(), Instrument::canonical);
    let price = quote
        .and_then(crate::gate::facts::Quote::price)
        .and_then(|price| price.steps(Decimal::whole(1)))
        .map(|(points, _)| points)
        .filter(|points| *points > 20)
        .ok_or_else(|| format!("there is no price for {INSTRUMENT}; the market may be closed"))?;
    // Whole points are whole ticks. Five percent away is out of reach for the minutes that this takes.
    let limit = price.saturating_mul(95).checked_div(100).unwrap_or_default();
    Ok(Order1 {
        account,
        instrument,
        limit,
        snake,
    })
}

async fn read(setup: &Setup<'_>, facts: &mut Facts, what: &StateRead) -> Result<(), String> {
    let lane = accounts::lane(&setup.context);
    let came = accounts::ask(&lane, facts, what).await;
    lane.close().await;
    came.map_err(|failure| failure.to_string())
}

/// The ids of the working orders that look like ours; `None` where they could not be read.
async fn working(setup: &Setup<'_>, order: &Order1) -> Option<Vec<String>> {
    let mut facts = Facts::default();
    let what = StateRead::new("ListOrders", Some(("account", &order.account)));
    read(setup, &mut facts, &what).await.ok()?;
    facts.orders.known().map(|orders| order.among(orders))
}

/// The working orders that look like ours and were not there before. The service may answer a little late, and lists a new
/// order a little after it took it.
async fn fresh(setup: &Setup<'_>, order: &Order1, before: &[String]) -> Vec<String> {
    for _ in 0..LOOKS {
        let mut ids = working(setup, order).await.unwrap_or_default();
        ids.retain(|id| !before.contains(id));
        if !ids.is_empty() {
            return ids;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Vec::new()
}

/// The first round. `None`: it was denied; else setup goes on without the second.
async fn denied(setup: &Setup<'_>, order: &Order1) -> Result<Option<Came>, Stop> {
    let before = working(setup, order).await.unwrap_or_default();
    loop {
        announce(setup, "DENY this one").await?;
        let came = call(setup, "PlaceOrder", &order.place()).await;
        setup.talk.gap();
        match Went::of(&came) {
            Went::Denied => break,
            Went::Sent => {
                setup
                    .talk
                    .text("You approved it, so it was sent: that is how an order leaves.");
                return take_back(setup, order, &before).await.map(Some);
            }
            Went::Not(why) => {
                setup.talk.text(&why);
                if !setup.talk.yes("Nothing was sent. Try again?", true).await? {
                    return Ok(Some(Came::Skipped("the practice was left out".to_owned())));
                }
            }
            Went::Open(why) => return Ok(Some(open(setup, &why))),
        }
    }
    let mut now = working(setup, order).await;
    if now.is_none() {
        tokio::time::sleep(BETWEEN).await;
        now = working(setup, order).await;
    }
    let seen = match now {
        Some(after) if after.iter().all(|id| before.contains(id)) => {
            format!(
                "Looked it up: NinjaTrader has no such order on {}.",
                out::safe(&order.account)
            )
        }
        Some(_) => "NinjaTrader does show such an order. It is not from here: look at it.".to_owned(),
        None => "NinjaTrader's orders could not be read just now.".to_owned(),
    };
    setup.talk.text(&format!(
        "Denied. NOTHING was sent to CrossTrade. {seen} Your AI is told the same."
    ));
    setup.talk.gap();
    Ok(None)
}

/// The second round.
async fn approved(setup: &mut Setup<'_>, order: &Order1) -> Result<Came, Stop> {
    let before = working(setup, order).await.unwrap_or_default();
    loop {
        announce(setup, "Read it, then APPROVE this one").await?;
        let came = call(setup, "PlaceOrder", &order.place()).await;
        setup.talk.gap();
        match Went::of(&came) {
            Went::Sent => break,
            Went::Denied => {
                if !setup
                    .talk
                    .yes("Denied again; nothing was sent. Once more?", true)
                    .await?
                {
                    return Ok(Came::Skipped("the practice ended with a denial".to_owned()));
                }
            }
            Went::Not(why) => {
                setup.talk.text(&why);
                if !setup.talk.yes("Nothing was sent. Try again?", true).await? {
                    return Ok(Came::Skipped("the practice was left out".to_owned()));
                }
            }
            Went::Open(why) => return Ok(open(setup, &why)),
        }
    }
    setup.memo.practised = true;
    setup.keep_memo();
    setup
        .talk
        .text("Approved, and sent ONCE, at the moment of your approval.");
    take_back(setup, order, &before).await
}

/// The order works now: the person takes it back, with one more question.
async fn take_back(setup: &Setup<'_>, order: &Order1, before: &[String]) -> Result<Came, Stop> {
    let leave = |setup: &Setup<'_>, why: &str| {
        setup.talk.text(&format!(
            "{why}The practice order is STILL WORKING on {}: cancel it in NinjaTrader.",
            out::safe(&order.account)
        ));
        Came::Done(format!(
            "practised; the order on {} is still working",
            out::safe(&order.account)
        ))
    };
    let mut ids = fresh(setup, order, before).await.into_iter();
    let (Some(id), None) = (ids.next(), ids.next()) else {
        return Ok(leave(setup, "It was not found for certain among your orders. "));
    };
    setup.talk.text(&format!(
        "NinjaTrader shows it working, with the id {}.",
        out::safe(&id)
    ));
    setup.talk.text(
        "Now it should go again. Cancelling is a trade call too, because a cancel can take a stop away, so it is held like \
         the order was: approve the cancel.",
    );
    setup.talk.gap();
    loop {
        announce(setup, "APPROVE the cancel").await?;
        let came = call(setup, "CancelOrder", &order.cancel(&id)).await;
        setup.talk.gap();
        let why = match Went::of(&came) {
            Went::Sent => {
                setup
                    .talk
                    .text("Cancelled. Your practice account is as it was before.");
                return Ok(Came::Done(
                    "sent after your approval, and cancelled again".to_owned(),
                ));
            }
            Went::Denied => "You denied the cancel.".to_owned(),
            Went::Not(why) | Went::Open(why) => why,
        };
        setup.talk.text(&why);
        if !setup.talk.yes("The order still works. Ask again?", true).await? {
            return Ok(leave(setup, ""));
        }
    }
}

/// Says what to do, and waits until the person is ready.
async fn announce(setup: &Setup<'_>, deed: &str) -> Result<(), Stop> {
    let place = if here(setup).await {
        "right here"
    } else {
        "on your screen"
    };
    setup
        .talk
        .text(&format!("{deed}: the question comes up {place}."));
    setup.talk.word("Enter when you are ready", "").await.map(drop)
}

/// Whether this terminal asks, for want of a screen.
async fn here(setup: &Setup<'_>) -> bool {
    Desk::new(&setup.context.world)
        .channel(setup.settings.tier, false)
        .await
        .is_err()
}

/// One held call, the way an AI client makes it. Where no screen can show the question, this terminal watches meanwhile,
/// as `countersign watch` does.
async fn call(setup: &Setup<'_>, tool: &str, arguments: &Value) -> Result<Value, String> {
    let context = &setup.context;
    let (world, endpoint) = (context.world.clone(), context.endpoint.clone());
    let arguments = arguments.to_string();
    let called = one_call_as(world, endpoint, (CLIENT, tool), &arguments);
    let result = if here(setup).await {
        let stop = CancellationToken::new();
        let mut called = std::pin::pin!(called);
        let mut watching = Box::pin(waiting::watch_until(context, stop.clone()));
        // The watch takes its lock before the call looks whether anybody watches.
        let early = tokio::select! {
            biased;
            _ = &mut watching => None,
            result = &mut called => Some(result),
        };
        match early {
            Some(result) => {
                stop.cancel();
                let _ = watching.await;
                result
            }
            None => called.await,
        }
    } else {
        called.await
    };
    let result = result.map_err(|why| out::safe(&why))?;
    serde_json::from_str(&result).map_err(|error| error.to_string())
}

/// How a held call ended.
enum Went {
    Denied,
    /// Sent and accepted.
    Sent,
    /// Not sent, for this reason.
    Not(String),
    /// Sent, or perhaps sent, and not as asked: a person looks first.
    Open(String),
}

impl Went {
    fn of(came: &Result<Value, String>) -> Self {
        let inner = match came {
            Ok(result) => result.get("structuredContent"),
            Err(why) => {
                return Self::Open(format!(
                    "What became of it is not known ({why}). `countersign journal show` has it."
                ));
            }
        };
        let text = |key: &str| {
            let text = inner.and_then(|inner| inner.get(key)).and_then(Value::as_str);
            text.map(out::safe).unwrap_or_default()
        };
        match (text("status").as_str(), text("sent").as_str()) {
            ("denied", "no") => Self::Denied,
            ("accepted", _) => Self::Sent,
            ("expired", "no") => Self::Not("Nobody decided in time, and that means no.".to_owned()),
            (_, "no") => Self::Not(format!(
                "It was not sent: {}.",
                text("reason").trim_end_matches('.')
            )),
            (status, _) => Self::Open(format!(
                "It ended as \"{status}\". Look at your orders in NinjaTrader."
            )),
        }
    }
}

fn open(setup: &Setup<'_>, why: &str) -> Came {
    setup.talk.text(why);
    Came::Left(format!("look at the practice order first. {why}"))
}
