//! 500 different orders within seconds, from two clients: few cards, quick reads, flat memory, nothing executed.

use super::*;
use crate::support::sim::Sim;

/// Proportional memory of a process in KiB.
fn memory(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("its memory");
    let line = text.lines().find(|line| line.starts_with("Pss:")).expect("Pss");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Sends 250 different orders over ten seconds, with a read now and then; the latencies of the reads, and all codes.
/// Where an exit is wanted, it is sent in the middle of them; its answer comes last.
async fn pour(
    client: &mut Client,
    from: f64,
    exit: Option<Value>,
) -> (Vec<Duration>, Vec<String>, Option<Value>) {
    let mut ids = Vec::new();
    let mut reads = Vec::new();
    let mut leaving = None;
    for n in 0..250 {
        if let Some(close) = exit.as_ref().filter(|_| n == 120) {
            leaving = Some(client.send_call("ClosePosition", close).await);
        }
        let price = from + f64::from(n) * 0.25;
        ids.push(client.send_call("PlaceOrder", &bid(price)).await);
        if n % 25 == 24 {
            let began = Instant::now();
            let quote = client
                .call("GetQuote", &json!({ "instrument": "MES 12-26" }))
                .await;
            assert_ne!(quote["isError"], true, "{quote}");
            reads.push(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let mut codes = Vec::new();
    // The last ones may still stand in line, which waits for its turn at the service.
    let mut patience = Duration::from_secs(8);
    for id in ids {
        let fits = |line: &String| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            (value["id"] == json!(id)).then_some(value)
        };
        // What is held is answered when the person decides.
        if let Some(answer) = client.find(fits, patience).await
            && status(&answer["result"]) == "refused"
        {
            codes.push(code(&answer["result"]).to_owned());
        } else {
            patience = Duration::from_millis(300);
        }
    }
    let left = match leaving {
        Some(id) => Some(client.result(id).await),
        None => None,
    };
    (reads, codes, left)
}

#[tokio::test]
async fn five_hundred_orders_in_ten_seconds() {
    let desk = Desk::new().await;
    flood(desk, Duration::from_secs(1), "flood").await;
}

async fn flood(desk: Desk, bound: Duration, name: &str) {
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    // Both have asked once: what a process needs for its first card is there.
    for (client, price) in [(&mut one, 4000.0), (&mut two, 4001.0)] {
        ask_and_withdraw(&desk, client, price).await;
    }
    let processes = [one.id(), two.id()];
    let before = processes.map(memory);
    let began = Instant::now();
    let watch = async {
        let mut most = 0;
        while began.elapsed() < Duration::from_secs(10) {
            let held = desk.tickets();
            most = most.max(held.iter().filter(|ticket| ticket["state"] == "held").count());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        most
    };
    let (first, second, most) =
        tokio::join!(pour(&mut one, 5000.0, None), pour(&mut two, 5200.0, None), watch);
    let after = processes.map(memory);
    let mut reads = [first.0, second.0].concat();
    reads.sort();
    let (median, slowest) = (reads[reads.len() / 2], reads[reads.len() - 1]);
    let codes = [first.1, second.1].concat();
    let logs: u64 = std::fs::read_dir(desk.home.folder().join("logs"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum();
    let journal = desk.home.journal();
    let told = format!(
        "PSS KiB {before:?} -> {after:?}; reads median {median:?}, slowest {slowest:?}; most held {most}; journal lines {}; \
         log bytes {logs}; took {:?}",
        journal.len(),
        began.elapsed()
    );
    let artefacts = crate::support::desktop::artefacts();
    std::fs::write(artefacts.join(format!("{name}.txt")), &told).expect("a file");
    assert!(most <= 3, "{told}");
    assert_eq!(
        codes.len() + desk.tickets().len(),
        502,
        "every call was refused or has its ticket: {told}"
    );
    let braked = ["too_many_open", "too_many_asks", "paused", "too_many_at_once"];
    assert!(
        codes.iter().all(|code| braked.contains(&code.as_str())),
        "{codes:?}"
    );
    // One at a time on the screen.
    until("one card alone", async || {
        (desk.desktop.popups().len() <= 1).then_some(())
    })
    .await;
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    assert!(slowest < bound, "{told}");
    for (before, after) in before.iter().zip(after) {
        assert!(after <= before + 4096, "{told}");
    }
    // Twenty refusals of each process one by one, the rest as counts.
    assert!(journal.len() < 60, "{told}");
    assert!(logs < 256 * 1024, "{told}");
    // An exit is asked at once after all that.
    exits_get_through(&desk, &mut two, "Sim101").await;
}

/// The same with the service's own budget of requests, which all processes share, and ours as shipped: the flood costs
/// few requests, the client's reads get their turn, and an exit in the middle of it is asked, approved and executed.
#[tokio::test]
async fn five_hundred_orders_within_the_services_budget() {
    let mut desk = Desk::new().await;
    desk.sim = Sim::start_with(&["--auto-consent"]);
    desk.home.settings("");
    desk.home.login(&desk.sim, false).await;
    desk.home.login(&desk.sim, true).await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    long(&desk, "Sim101", 2).await;
    let processes = [one.id(), two.id()];
    let before = processes.map(memory);
    let asked = tool_calls(&desk).await;
    let began = Instant::now();
    let watch = async {
        let mut most = 0;
        while began.elapsed() < Duration::from_secs(10) {
            let held = |ticket: &&Value| ticket["state"] == "held" && ticket["card"]["class"] == "order";
            most = most.max(desk.tickets().iter().filter(held).count());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        most
    };
    let leave = async {
        decide(&desk, "exit", Button::Middle).await;
        began.elapsed()
    };
    let (first, second, most, left) = tokio::join!(
        pour(&mut one, 5000.0, None),
        pour(&mut two, 5200.0, Some(close("Sim101"))),
        watch,
        leave
    );
    let took = began.elapsed();
    let after = processes.map(memory);
    let cost = tool_calls(&desk).await - asked;
    let mut reads = [first.0, second.0].concat();
    reads.sort();
    let codes = [first.1, second.1].concat();
    let mut kinds = std::collections::BTreeMap::<&str, usize>::new();
    for code in &codes {
        *kinds.entry(code).or_default() += 1;
    }
    let told = format!(
        "PSS KiB {before:?} -> {after:?}; reads {reads:?}; most held {most}; tool calls {cost}, of them reads of the client {}; \
         the exit was decided after {left:?}; all took {took:?}; {kinds:?}",
        reads.len()
    );
    let artefacts = crate::support::desktop::artefacts();
    std::fs::write(artefacts.join("flood-budget.txt"), &told).expect("a file");
    assert!(most <= 3, "{told}");
    let exit = second.2.expect("the exit's answer");
    assert_eq!(status(&exit), "accepted", "{told}: {}", text(&exit));
    assert_eq!(desk.sim.executed().await, ["ClosePosition"]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
    // Five hundred orders, and the exit.
    assert_eq!(
        codes.len() + desk.tickets().len(),
        501,
        "every call has its end: {told}"
    );
    assert!(codes.len() >= 490, "{told}");
    // With the reads of the cards that stood meanwhile; a look at each order would be seven times 500.
    assert!(cost <= 150, "{told}");
    // Reads share three requests a second with the exit, which goes first, and with the card on the screen.
    assert!(reads[reads.len() / 2] < Duration::from_secs(3), "{told}");
    assert!(reads[reads.len() - 1] < Duration::from_secs(15), "{told}");
    for (before, after) in before.iter().zip(after) {
        assert!(after <= before + 10240, "{told}");
    }
}

/// Tool calls that the service has seen, with either grant.
async fn tool_calls(desk: &Desk) -> u64 {
    desk.sim.get("requests").await["tools/call"]
        .as_u64()
        .unwrap_or_default()
}
