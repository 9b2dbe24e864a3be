//! The demo: the whole product on a machine with no account. It starts the service, runs the real `countersign`
//! program the way an AI client does, lets the person decide on their own desktop, and prints the journal. Where there
//! is no desktop it plays the person too, on the PIN page, with a PIN that it set itself.
//!
//! Owns: the story and its words. Refuses to know: how the program works; it only uses what every user can.

#![expect(
    clippy::indexing_slicing,
    reason = "serde_json's values answer null for what is not there"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the demo is a program of its own and reads its own environment"
)]

mod client;
mod paper;
pub mod person;
mod program;

use crate::options::Options;
use client::Client;
use paper::Paper;
use person::Plan;
use program::{Home, Program};
use serde_json::{Value, json};

/// What a demo can fail with: a plain sentence.
pub type Failed = String;

/// A breath between two proposals.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(4);

/// How the person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    /// On the notification of their own desktop.
    Desktop,
    /// Played by the demo on the PIN page.
    Played,
}

/// Tells the story from start to end.
///
/// # Errors
/// A sentence on what kept it from being told.
pub async fn run() -> Result<(), Failed> {
    let paper = Paper::new();
    paper.title("Countersign demo: your AI client may propose an order; only you can let it leave.");
    paper.plain("Everything runs on this computer, against a simulated CrossTrade. No account, no money.");
    let program = Program::find_or_build(&paper)?;
    let options = Options {
        auto_consent: true,
        ..Options::default()
    };
    let service = crate::start(options)
        .await
        .map_err(|error| format!("the simulated service: {error}"))?;
    let url = service.addresses.mcp_url.clone();
    paper.step("The simulated service is up");
    paper.fact("address", &url);
    let home = Home::new(&program, &url)?;
    sign_in(&paper, &home).await?;
    let person = choose_person(&paper, &home).await?;
    let control = Control {
        url: service.addresses.control_url.clone(),
    };
    paper.step("An AI client starts countersign and looks around");
    let mut client = Client::start(&home).await?;
    look_around(&paper, &mut client).await?;
    let approved = propose(&paper, &home, &mut client, person, &buy(), true, &control).await?;
    let denied = propose(&paper, &home, &mut client, person, &sell(), false, &control).await?;
    client.close().await;
    journal(&paper, &home).await?;
    paper.blank();
    paper.title(match (approved, denied) {
        (true, true) => {
            "One order was approved and executed exactly once; the other was denied and never left."
        }
        _ => "Every decision was kept: what was not approved was not executed.",
    });
    paper.plain("Next: countersign login, then add countersign to your AI client. README.md shows how.");
    service.stop();
    Ok(())
}

async fn sign_in(paper: &Paper, home: &Home) -> Result<(), Failed> {
    paper.step("Signing in, for reading and for trading: two separate grants");
    for (words, what) in [
        (&["login"][..], "reading"),
        (&["login", "--trade"][..], "trading"),
    ] {
        home.login(words).await?;
        let granted = home.json(&["status"]).await?;
        let kind = if what == "reading" { "read" } else { "trade" };
        let grants = granted["grants"].as_array().cloned().unwrap_or_default();
        let name = grants
            .iter()
            .find(|grant| grant["kind"] == kind)
            .and_then(|grant| grant["clientName"].as_str().map(str::to_owned));
        paper.fact(
            what,
            &format!(
                "countersign {}   granted to \"{}\"",
                words.join(" "),
                name.unwrap_or_default()
            ),
        );
    }
    Ok(())
}

/// A notification server that can ask makes the person decide; else the demo plays them.
async fn choose_person(paper: &Paper, home: &Home) -> Result<Person, Failed> {
    let doctor = home.json(&["doctor"]).await?;
    let checks = doctor["checks"].as_array().cloned().unwrap_or_default();
    let prompt = checks
        .iter()
        .find(|check| check["id"] == "prompt")
        .cloned()
        .unwrap_or_default();
    let what = prompt["what"].as_str().unwrap_or_default();
    if prompt["state"] == "ok" && what.contains("desktop notification") {
        paper.step("You will be asked on your own desktop");
        paper.fact("prompt", what);
        return Ok(Person::Desktop);
    }
    paper.step("There is no desktop here, so this demo plays the person on the PIN page");
    home.run_with(
        &["presence", "set", "pin", "--pin-stdin"],
        &format!("{}\n", person::PIN),
    )
    .await?;
    paper.fact(
        "PIN",
        "set with: countersign presence set pin   (the trade grant is now sealed under it)",
    );
    Ok(Person::Played)
}

async fn look_around(paper: &Paper, client: &mut Client) -> Result<(), Failed> {
    let tools = client.request("tools/list", &json!({})).await?;
    let count = tools["tools"].as_array().map_or(0, Vec::len);
    paper.fact("tools", &format!("{count} tools, the trading ones among them"));
    let quote = client
        .call("GetQuote", &json!({ "instrument": "MES 12-26" }))
        .await?;
    let price = quote["structuredContent"]["last"].to_string();
    paper.fact(
        "a read",
        &format!("GetQuote MES 12-26 -> last {price}   (reads pass through at once)"),
    );
    Ok(())
}

/// An order on the paper account.
fn buy() -> Value {
    json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day" })
}

/// An order that nobody asked for, on the live account.
fn sell() -> Value {
    json!({ "account": "PA-123456", "instrument": "ES 12-26", "side": "Sell", "type": "Market", "quantity": 5, "tif": "Day" })
}

/// Proposes an order; returns whether it ended as the story wants it.
async fn propose(
    paper: &Paper,
    home: &Home,
    client: &mut Client,
    person: Person,
    order: &Value,
    approve: bool,
    control: &Control,
) -> Result<bool, Failed> {
    // The service grants 3 requests a second; a person would not be quicker.
    tokio::time::sleep(PAUSE).await;
    let deed = format!(
        "{} {} {} on {}",
        order["side"].as_str().unwrap_or_default(),
        order["quantity"],
        order["instrument"].as_str().unwrap_or_default(),
        order["account"].as_str().unwrap_or_default()
    );
    paper.step(&format!("The AI calls PlaceOrder: {deed}"));
    home.plan(&Plan {
        pin: person::PIN.to_owned(),
        approve,
    })?;
    let before = control.executed().await?;
    let id = client
        .send("tools/call", &json!({ "name": "PlaceOrder", "arguments": order }))
        .await?;
    let Some(card) = home.wait_for_card().await else {
        let result = client.result(id).await?;
        return Err(format!(
            "the order was not held: {}",
            result["content"][0]["text"].as_str().unwrap_or_default()
        ));
    };
    paper.plain("   countersign holds it and shows the person this card, built from facts only:");
    paper.card(&card);
    match (person, approve) {
        (Person::Desktop, true) => {
            paper.plain("   Look at your desktop now: approve it there (or deny it, it is your order).");
        }
        (Person::Desktop, false) => {
            paper.plain("   Look at your desktop now: nobody asked for this one. Deny it.");
        }
        (Person::Played, _) => {}
    }
    let result = client.settled(id).await?;
    if person == Person::Played {
        paper.fact(
            "the person",
            if approve {
                "typed the PIN and pressed Approve"
            } else {
                "pressed Deny"
            },
        );
    }
    let said = result["content"][0]["text"].as_str().unwrap_or_default();
    paper.told("the AI is told", said);
    let after = control.executed().await?;
    paper.fact("executed", &format!("{after} at the service (before: {before})"));
    let status = result["structuredContent"]["status"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if approve && status == "accepted" {
        let order = &result["structuredContent"]["result"]["structuredContent"];
        let account = json!({ "account": "Sim101" });
        let positions = client.call("ListPositions", &account).await?;
        paper.fact(
            "fill",
            &format!(
                "order {} is {}; position now: {}",
                text(&order["order_id"]),
                text(&order["status"]),
                position(&positions)
            ),
        );
    }
    Ok(if approve {
        status == "accepted" && after == before + 1
    } else {
        status == "denied" && after == before
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn position(result: &Value) -> String {
    let inner = &result["structuredContent"];
    let list = inner["positions"]
        .as_array()
        .or(inner.as_array())
        .cloned()
        .unwrap_or_default();
    let one = |entry: &Value| {
        let side = text(
            entry
                .get("market_position")
                .or(entry.get("marketPosition"))
                .unwrap_or(&Value::Null),
        );
        format!("{side} {} {}", entry["quantity"], text(&entry["instrument"]))
    };
    list.first().map_or_else(|| "flat".to_owned(), one)
}

async fn journal(paper: &Paper, home: &Home) -> Result<(), Failed> {
    paper.step("The journal: every ticket and decision, on disk before its effect, chained by hashes");
    let shown = home.run(&["journal", "show"]).await?;
    shown.lines().for_each(|line| paper.plain(&format!("   {line}")));
    let verified = home.run(&["journal", "verify"]).await?;
    paper.fact("verify", verified.lines().next().unwrap_or_default());
    Ok(())
}

/// Asks the service itself what it executed.
struct Control {
    url: String,
}

impl Control {
    async fn executed(&self) -> Result<usize, Failed> {
        let fail = |error: reqwest::Error| format!("the control interface: {error}");
        let answer = program::http()?
            .get(format!("{}/executed", self.url))
            .send()
            .await
            .map_err(fail)?;
        let list: Value =
            serde_json::from_str(&answer.text().await.map_err(fail)?).map_err(|error| error.to_string())?;
        Ok(list.as_array().map_or(0, Vec::len))
    }
}
