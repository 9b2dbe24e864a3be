//! The person, played on the PIN page: opens the link, reads the card, types the PIN, presses a button. It uses what a
//! browser would: the page's own requests. No part of the shipped program does this.

use super::Failed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The demo's own PIN: it guards paper money on a simulated service, and nothing else.
pub(super) const PIN: &str = "amber lantern walks over seven bridges";
/// The variable that names the file with the plan.
pub(super) const PLAN: &str = "CROSSTRADE_SIM_DEMO_PLAN";
/// A person reads before deciding; and an approval right after a card appears is ignored.
const READING: Duration = Duration::from_millis(1600);

/// How often the person reads again when the card changed under their eyes.
const ROUNDS: usize = 8;

/// What the person is going to do with the next page.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) pin: String,
    pub(super) approve: bool,
}

/// Visits the page at this address and acts on the plan.
///
/// # Errors
/// What the page answered instead.
pub async fn visit(address: &str) -> Result<(), Failed> {
    let path = std::env::var_os(PLAN).ok_or("there is no plan")?;
    let plan = std::fs::read(Path::new(&path)).map_err(|error| error.to_string())?;
    let plan: Plan = serde_json::from_slice(&plan).map_err(|error| error.to_string())?;
    let (base, token) = address.split_once('#').ok_or("the address has no link in it")?;
    let page = Page {
        origin: base.trim_end_matches('/').to_owned(),
        http: super::program::http()?,
    };
    let opened = page.post("open", &json!({ "token": token })).await?;
    let session = opened["session"].clone();
    let mut last = String::new();
    for _ in 0..ROUNDS {
        let state = page.post("state", &json!({ "session": session })).await?;
        tokio::time::sleep(READING).await;
        let answer = if plan.approve {
            // The version that was read: if it changed meanwhile, the page says so and the person reads again.
            let core = state["view"]["core"].clone();
            page.post(
                "approve",
                &json!({ "session": session, "core": core, "pin": plan.pin }),
            )
            .await
        } else {
            page.post("deny", &json!({ "session": session })).await
        };
        match answer {
            Ok(_) => return Ok(()),
            Err(why) => last = why,
        }
    }
    Err(last)
}

struct Page {
    origin: String,
    http: reqwest::Client,
}

impl Page {
    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        let request = self
            .http
            .post(format!("{}/{path}", self.origin))
            .header("origin", &self.origin);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match value["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(value),
        }
    }
}
