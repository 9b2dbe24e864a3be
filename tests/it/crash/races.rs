//! Many hands on one ticket: at most one sending, and an audit that agrees with the service.

use super::*;
use crate::support::desktop::Button;
use crate::trade::terminal::Terminal;
use crate::trade::{Desk, bid};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn within(&mut self, bound: Duration) -> Duration {
        let micros = u64::try_from(bound.as_micros()).expect("short");
        Duration::from_micros(self.below(micros.max(1)))
    }
}

/// The journal's kinds of each order, by its price.
fn by_price(home: &Home) -> BTreeMap<String, Vec<String>> {
    let (mut prices, mut all) = (BTreeMap::new(), BTreeMap::<String, Vec<String>>::new());
    for entry in home.journal() {
        let (Some(ticket), Some(kind)) = (entry["ticket"].as_str(), entry["kind"].as_str()) else {
            continue;
        };
        if let Some(arguments) = entry["arguments"].as_str() {
            let arguments: Value = serde_json::from_str(arguments).expect("JSON");
            prices.insert(ticket.to_owned(), arguments["limit_price"].to_string());
        }
        let price = prices.get(ticket).expect("held first").clone();
        all.entry(price).or_default().push(kind.to_owned());
    }
    all
}

/// How often each price was executed.
async fn executed(yard: &Yard) -> BTreeMap<String, usize> {
    let mut executed = BTreeMap::new();
    let list = yard.sim.get("executed").await;
    for entry in list.as_array().expect("an array") {
        let price = entry["arguments"]["limit_price"].to_string();
        *executed.entry(price).or_default() += 1;
    }
    executed
}

/// What one order's lines say must be what the service did.
fn agrees(price: &str, lines: &[String], executed: usize) {
    let said = lines.join(" ");
    let (least, most) = match lines.last().map(String::as_str) {
        Some("accepted") => (1, 1),
        Some("unknown" | "looked") => (0, 1),
        Some("withdrawn" | "voided" | "denied") => (0, 0),
        other => panic!("{price} ended as {other:?}: {said}"),
    };
    assert!(
        (least..=most).contains(&executed),
        "{price}: {said}: executed {executed} times"
    );
    let sendings = lines.iter().filter(|kind| *kind == "approved").count();
    assert!(sendings <= 1, "{price}: {said}");
}

/// Compares every order; how many ended in which way.
async fn audit(yard: &Yard, homes: &[Home]) -> BTreeMap<String, usize> {
    let (executed, mut ends, mut approved) = (executed(yard).await, BTreeMap::new(), 0);
    for home in homes {
        for (price, lines) in by_price(home) {
            agrees(&price, &lines, executed.get(&price).copied().unwrap_or_default());
            approved += lines.iter().filter(|kind| *kind == "approved").count();
            *ends.entry(lines.last().expect("a line").clone()).or_default() += 1;
        }
        verified(home).await;
    }
    // Executed or not: no more requests than approvals came.
    let calls = yard.sim.calls().await;
    let order = |call: &&Value| call["tool"] == "PlaceOrder" && call["grant"] == "mcp:trade";
    let received = calls.iter().filter(order).count();
    assert!(
        received <= approved,
        "{received} requests for {approved} approvals"
    );
    ends
}

/// A call and its cancel within milliseconds, again and again: whichever wins, the journal and the service agree.
#[tokio::test]
async fn approved_and_cancelled_within_milliseconds() {
    const ROUNDS: u32 = 30;
    let yard = Yard::new().await;
    let (mut homes, mut dice) = (Vec::new(), Dice(0x5EED_0001));
    for part in 0..4 {
        let home = yard.home();
        let mut client = home.serve(&yard.sim).await.hello().await;
        let mut whole = Duration::ZERO;
        for round in 0..ROUNDS {
            let began = Instant::now();
            let price = 3000.0 + f64::from(part * ROUNDS + round);
            let id = client.send_call("PlaceOrder", &bid(price)).await;
            // Now and then one goes through undisturbed: so long does one take on this machine now.
            if round % 10 == 0 {
                client.result(id).await;
                whole = began.elapsed();
                continue;
            }
            tokio::time::sleep(dice.within(whole * 5 / 4)).await;
            let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
            client.line(&cancel.to_string()).await;
        }
        client.close().await;
        homes.push(home);
    }
    let ends = audit(&yard, &homes).await;
    assert!(
        ends["accepted"] > 12 && ends.contains_key("withdrawn"),
        "one-sided: {ends:?}"
    );
}

/// A call, and within milliseconds a denial from another process, the end of stdin, SIGTERM or SIGKILL.
#[tokio::test]
async fn approved_and_ended_within_milliseconds() {
    const ROUNDS: u32 = 40;
    let yard = Yard::new().await;
    let (mut homes, mut dice) = (Vec::new(), Dice(0x5EED_0002));
    let mut whole = Duration::ZERO;
    for round in 0..ROUNDS {
        let home = yard.home();
        let mut client = home.serve(&yard.sim).await.hello().await;
        let began = Instant::now();
        let id = client
            .send_call("PlaceOrder", &bid(3000.0 + f64::from(round)))
            .await;
        if round % 10 == 0 {
            client.result(id).await;
            whole = began.elapsed();
            client.close().await;
            homes.push(home);
            continue;
        }
        tokio::time::sleep(dice.within(whole * 5 / 4)).await;
        match dice.below(4) {
            0 => drop(client.close().await),
            1 => {
                let pid = client.id().to_string();
                let done = std::process::Command::new("kill").args(["-TERM", &pid]).status();
                assert!(done.expect("kill").success());
                client.ended().await;
            }
            2 => client.kill().await,
            _ => {
                if let Some(ticket) = tickets(&home).first() {
                    // It may be too late for that: then it says so.
                    let _ = home.run(&["deny", ticket["id"].as_str().expect("an id")]).await;
                }
                drop(client.close().await);
            }
        }
        homes.push(home);
    }
    // What was killed is recovered by the next process.
    for home in &homes {
        let next = home.serve(&yard.sim).await.hello().await;
        let open = |ticket: &Value| !ticket["ended_wall"].is_u64();
        until("the recovery", async || {
            (!tickets(home).iter().any(open)).then_some(())
        })
        .await;
        next.close().await;
    }
    let ends = audit(&yard, &homes).await;
    let undisturbed = usize::try_from(ROUNDS / 10).expect("few");
    assert!(
        ends["accepted"] > undisturbed && ends.len() > 1,
        "one-sided: {ends:?}"
    );
}

/// Many processes start at once beside a ticket whose owner is dead: one of them takes it over.
#[tokio::test]
async fn one_of_many_recovers_a_dead_ticket() {
    let yard = Yard::new().await;
    let stall = json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 20, "when": "after", "times": 1 });
    yard.sim.post("fault", &stall).await;
    let home = yard.home();
    let mut client = home.serve(&yard.sim).await.hello().await;
    client.send_call("PlaceOrder", &bid(4000.0)).await;
    until("the execution", async || {
        (yard.executed(4000.0).await == 1).then_some(())
    })
    .await;
    client.kill().await;
    let mut started = Vec::new();
    for _ in 0..6 {
        started.push(home.serve(&yard.sim).await);
    }
    let mut all = Vec::new();
    for client in started {
        all.push(client.hello().await);
    }
    let looked = async || kinds(&home).contains(&"looked".to_owned()).then_some(());
    until("the look", looked).await;
    for client in all {
        client.close().await;
    }
    assert_eq!(kinds(&home), ["held", "approved", "unknown", "looked"]);
    assert_eq!(yard.received(4000.0).await, 1);
    verified(&home).await;
}

/// One hand denies in a terminal while another approves on the desktop: one of them counts, and all agree on which.
#[tokio::test]
async fn denied_in_a_terminal_and_approved_on_the_desktop() {
    let desk = Desk::new().await;
    let terminal = Terminal::watch(&desk.home, &desk.sim);
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    terminal.until("Type approve");
    terminal.put("deny");
    let place = desk.desktop.aim(Button::Middle);
    std::thread::scope(|scope| {
        scope.spawn(|| terminal.enter());
        scope.spawn(|| desk.desktop.press(&place));
    });
    let told = client.result(id).await;
    client.close().await;
    match status(&told) {
        "denied" => desk.check(&[], &["held", "denied"]).await,
        "accepted" => {
            desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
                .await;
            assert_eq!(desk.sent("PlaceOrder").await, 1);
        }
        other => panic!("{other}: {}", text(&told)),
    }
}

/// The desktop and two terminals, all at once.
#[tokio::test]
async fn approved_in_three_places_at_once() {
    let desk = Desk::new().await;
    let terminals = [
        Terminal::watch(&desk.home, &desk.sim),
        Terminal::watch(&desk.home, &desk.sim),
    ];
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &bid(4000.0)).await;
    for terminal in &terminals {
        terminal.until("Type approve");
        terminal.put("approve");
    }
    let place = desk.desktop.aim(Button::Middle);
    std::thread::scope(|scope| {
        for terminal in &terminals {
            scope.spawn(|| terminal.enter());
        }
        scope.spawn(|| desk.desktop.press(&place));
    });
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    client.close().await;
    assert_eq!(desk.sent("PlaceOrder").await, 1);
    desk.check(&["PlaceOrder"], &["held", "approved", "accepted"])
        .await;
}
