//! One call read, judged and shown, with a policy of forty accounts and fifty rules, and all facts read: 20 positions,
//! 100 orders. The target for the judgement is 50 µs.

use countersign::gate::call::{Route, route};
use countersign::gate::card::{CardContext, card};
use countersign::gate::judge::{Situation, judge, judge_again};
use countersign::gate::{Call, Counters, Facts, Policy, Tier, Verdict};
use divan::{Bencher, black_box};
use std::fmt::Write as _;

const NOW: u64 = 1_795_366_800_000;
const BUY: &str = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","limit_price":6012.25,"quantity":2,"tif":"Day"}"#;
const STOP: &str = r#"{"account":"Sim101","instrument":"MES 12-26","side":"Sell","type":"Stop","stop_price":6004,"quantity":2,"tif":"Gtc"}"#;

fn call(arguments: &str) -> Option<Call> {
    match route("\"PlaceOrder\"", Some(arguments), None, &|_| false) {
        Ok(Route::Held(call)) => Some(call),
        Ok(Route::Read) | Err(_) => None,
    }
}

fn policy() -> Policy {
    let mut text =
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\nmax_quantity = { MES = 5, ES = 1 }\n".to_owned();
    for n in 0..40 {
        let _ = writeln!(
            text,
            "[account.\"PA-{n}-*\"]\nclass = \"funded\"\ntier = \"pin\"\nmax_quantity = {{ MES = 2, \"*\" = 1 }}"
        );
    }
    for n in 0..50 {
        let _ = writeln!(
            text,
            "[[rule]]\nclass = \"cancel\"\naccount = \"PA-{n}-*\"\ndo = \"ask\""
        );
    }
    // A policy that does not read would make every number worthless.
    let policy = Policy::parse(&text);
    assert!(policy.is_ok(), "{:?}", policy.err());
    policy.unwrap_or_default()
}

fn result(payload: &str) -> String {
    format!(r#"{{"content":[{{"type":"text","text":"ok"}}],"structuredContent":{payload}}}"#)
}

/// The answer to a read of a busy account.
fn answer(tool: &str) -> String {
    let list =
        |count: usize, entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().join(",");
    let payload = match tool {
        "GetAccount" => r#"{"name":"Sim101","provider":"Simulator","connectionStatus":"Connected","dailyLossLimit":600,"maxOrderSize":5,"maxPositionSize":5}"#.to_owned(),
        "ListPositions" => {
            let months = ["03-27", "06-27", "09-27", "12-26"];
            let roots = ["MNQ", "MYM", "M2K", "MGC", "MES"];
            let entry = |n: usize| {
                let (root, month) = (roots.iter().cycle().nth(n), months.iter().cycle().nth(n / 5));
                format!(r#"{{"account":"Sim101","instrument":"{} {}","marketPosition":"Long","quantity":2,"averagePrice":6010.5}}"#, root.unwrap_or(&""), month.unwrap_or(&""))
            };
            format!(r#"{{"positions":[{}]}}"#, list(20, &entry))
        }
        "ListOrders" => {
            let entry = |n: usize| {
                let status = if n < 90 { "Filled" } else { "Working" };
                let side = if n == 95 { "Sell" } else { "Buy" };
                format!(r#"{{"order_id":"O{n}","account":"Sim101","instrument":"MES 12-26","side":"{side}","type":"Limit","quantity":1,"limit_price":6020,"status":"{status}"}}"#)
            };
            format!(r#"{{"orders":[{}]}}"#, list(100, &entry))
        }
        "GetQuote" => r#"{"instrument":"MES 12-26","last":6012.25,"bid":6012.0,"ask":6012.25,"timestamp":1795366798000}"#.to_owned(),
        "GetAccountSummary" => r#"{"realized_pnl":-437.5,"unrealized_pnl":17.5}"#.to_owned(),
        "GetWatermarks" => r#"{"session":"x","high_watermark":50200,"low_watermark":49900,"current_balance":50080}"#.to_owned(),
        _ => r#"{"connections":[{"name":"Simulated Data Feed","status":"Connected"}]}"#.to_owned(),
    };
    result(&payload)
}

fn facts(call: &Call) -> Facts {
    let mut facts = Facts::default();
    for read in call.reads() {
        facts.absorb(&read, Ok(&answer(read.tool)), NOW - 500);
    }
    assert!(
        facts
            .positions
            .known()
            .is_some_and(|positions| positions.len() == 20)
    );
    assert!(facts.orders.known().is_some_and(|orders| orders.len() == 100));
    facts
}

fn counters() -> Counters {
    let mut counters = Counters::parse(None);
    if let Some(call) = call(BUY) {
        let none = counters.clone();
        let judgement = judge(&call, &facts(&call), &policy(), &situation(&none));
        for second in 0..500 {
            let ticket = format!("T{second}");
            counters.note_sent(&ticket, &judgement, NOW - 86_000_000 + second * 1000);
        }
    }
    counters
}

fn situation(counters: &Counters) -> Situation<'_> {
    Situation {
        now_wall: NOW,
        installation_tier: Tier::Click,
        counters,
        open_entry_tickets: 1,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    }
}

#[divan::bench]
fn read_a_call_strictly() -> bool {
    call(black_box(BUY)).is_some()
}

#[divan::bench]
fn read_a_call_with_its_schema() -> bool {
    let schema = r#"{"type":"object","properties":{"account":{"type":"string"},"instrument":{"type":"string"},"side":{"enum":["Buy","Sell"]},"type":{"type":"string"},"limit_price":{"type":"number"},"quantity":{"type":"integer"},"tif":{"type":"string"}}}"#;
    route("\"PlaceOrder\"", Some(black_box(BUY)), Some(schema), &|_| false).is_ok()
}

#[divan::bench(args = [BUY, STOP])]
fn judge_a_call(bencher: Bencher<'_, '_>, arguments: &str) {
    let Some(call) = call(arguments) else { return };
    let (facts, policy, counters) = (facts(&call), policy(), counters());
    assert_eq!(
        judge(&call, &facts, &policy, &situation(&counters)).verdict,
        Verdict::Ask
    );
    bencher.bench_local(|| judge(black_box(&call), &facts, &policy, &situation(&counters)));
}

#[divan::bench]
fn judge_a_call_again(bencher: Bencher<'_, '_>) {
    let Some(call) = call(STOP) else { return };
    let (facts, policy, counters) = (facts(&call), policy(), counters());
    bencher.bench_local(|| judge_again(black_box(&call), &facts, &policy, &situation(&counters)));
}

#[divan::bench]
fn build_a_card(bencher: Bencher<'_, '_>) {
    let Some(call) = call(BUY) else { return };
    let (facts, policy, counters) = (facts(&call), policy(), counters());
    let judgement = judge(&call, &facts, &policy, &situation(&counters));
    let context = CardContext {
        ticket: "7QX3",
        client: "a client",
        phrase: None,
        now_wall: NOW,
    };
    bencher.bench_local(|| card(black_box(&call), &facts, &judgement, &policy, &context).text());
}

#[divan::bench]
fn take_in_all_facts(bencher: Bencher<'_, '_>) {
    let Some(call) = call(BUY) else { return };
    let answers: Vec<_> = call
        .reads()
        .into_iter()
        .map(|read| (answer(read.tool), read))
        .collect();
    bencher.bench_local(|| {
        let mut facts = Facts::default();
        for (answer, read) in &answers {
            facts.absorb(read, Ok(black_box(answer)), NOW);
        }
        facts
    });
}

#[divan::bench]
fn read_the_policy() -> bool {
    Policy::parse(
        "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\n[[rule]]\nclass = \"order\"\ndo = \"ask\"\n",
    )
    .is_ok()
}
