//! A read of `CrossTrade`'s that is refused again and again: each call ends in one clear answer after a bounded number of requests,
//! no window is opened for it, and what comes after it works.

use super::*;

fn is_read(request: &Request) -> bool {
    let message = request.json();
    message["method"] == "tools/call" && message["params"]["name"] == "GetQuote"
}

/// Calls that are made under each fault: a client that repeats itself must not multiply what the service sees.
const CALLS: usize = 3;

/// One row: some calls of a tool while it is refused so, and then a call of another one; in the end the tool itself.
async fn refused(bench: &mut Bench, fault: &str, says: &str, times: usize, refusal: Answer) {
    let quote = json!({ "instrument": "MES 12-26" });
    let before = bench.front.count(is_read);
    bench
        .front
        .rule(move |request, _| is_read(request).then(|| Play::Answer(refusal.clone())));
    let began = Instant::now();
    let (mut told, mut code) = (String::new(), String::new());
    for _ in 0..CALLS {
        let result = bench.call("GetQuote", &quote).await;
        assert_eq!(result["isError"], true, "{fault}: {result}");
        text(&result).clone_into(&mut told);
        status(&result).clone_into(&mut code);
        assert!(told.contains(says), "{fault}: {told}");
    }
    let took = began.elapsed();
    let seen = bench.front.count(is_read) - before;
    assert_eq!(seen, times, "{fault}: {told}");
    assert!(took < Duration::from_secs(20), "{fault}: {took:?}");
    bench.front.heal();
    let next = bench.call("ListAccounts", &json!({})).await;
    assert_eq!(next["isError"], false, "{fault}: {next}");
    let again = bench.call("GetQuote", &quote).await;
    assert_eq!(again["isError"], false, "{fault}: {again}");
    let end = told.find(": {").unwrap_or(told.len());
    bench.table.add(Row {
        fault: fault.to_owned(),
        saw: format!("`{code}`: {}", &told[..end]),
        took,
        seen: format!("{seen} ({CALLS} calls)"),
        next: "answered".to_owned(),
    });
}

#[tokio::test]
async fn reads_that_are_refused_again_and_again() {
    let mut bench = Bench::new("reads-refused").await;
    let json = |status: u16, body: &str| Answer::new(status, "application/json", body);
    let invalid =
        json(401, r#"{"error":"invalid_token"}"#).with("www-authenticate", r#"Bearer error="invalid_token""#);
    // Access is renewed once; what is refused when it is new is not renewed again.
    refused(&mut bench, "401 again and again", "refuses", CALLS + 1, invalid).await;
    let plan = json(403, r#"{"error":"MCP requires an Elite subscription"}"#);
    refused(&mut bench, "403 about the plan, always", "Elite", CALLS, plan).await;
    let bare = json(403, r#"{"error":"no"}"#);
    refused(&mut bench, "403 without a reason, always", "403", CALLS, bare).await;
    assert_eq!(bench.sim.executed().await, [""; 0]);
    bench.done().await;
}
