//! A server that was known to speak one era, and speaks the other alone by now.

use super::*;

async fn moves_to(bench: &Bench, era: &str) {
    bench.sim.post("era", &json!({ "era": era })).await;
}

fn kept(bench: &Bench) -> Value {
    let cache = bench.home.folder().join("state/cache");
    let files = std::fs::read_dir(cache).expect("a folder");
    let is_hello = |path: &std::path::PathBuf| path.to_string_lossy().ends_with("-hello.json");
    let file = files.map(|entry| entry.expect("an entry").path()).find(is_hello);
    let text = std::fs::read_to_string(file.expect("what it said of itself")).expect("text");
    serde_json::from_str(&text).expect("JSON")
}

/// A client of each era, before and after.
async fn asks(bench: &Bench, newer: bool) -> Client {
    let mut client = bench.client();
    if newer {
        let found = client.request("server/discover", &modern(json!({}))).await;
        assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28", "{found}");
    } else {
        client.hello_as("2025-11-25", &json!({})).await;
    }
    works(&mut client, newer).await;
    client
}

async fn works(client: &mut Client, newer: bool) {
    let words = |params: Value| if newer { modern(params) } else { params };
    let listed = client.request("tools/list", &words(json!({}))).await;
    assert!(names(&listed).contains(&"ListAccounts".to_owned()), "{listed}");
    let call = words(json!({ "name": "ListAccounts", "arguments": {} }));
    let called = client.request("tools/call", &call).await;
    assert_eq!(called["result"]["isError"], false, "{called}");
}

#[tokio::test]
async fn a_server_that_moved_while_nothing_ran_is_found_out() {
    for (before, after) in [("legacy", "modern"), ("modern", "legacy")] {
        for newer in [false, true] {
            let bench = Bench::new(&["--era", before]);
            asks(&bench, newer).await.close().await;
            moves_to(&bench, after).await;
            let client = asks(&bench, newer).await;
            if after == "modern" && !newer {
                // What would be told in a session is told on a stream.
                crate::trade::until("the stream", async || {
                    let listening = bench.sim.get("status").await["listeners"] == 1;
                    listening.then_some(())
                })
                .await;
            }
            client.close().await;
            // The next start knows it.
            let now = kept(&bench);
            assert!(now[after].is_string(), "{before}, newer {newer}: {now}");
            if newer == (before == "modern") {
                assert!(now[before].is_null(), "{before}, newer {newer}: {now}");
            }
        }
    }
}

/// It moves between two requests of one client. What only reads goes again in the other era; a call is not sent twice where it
/// may have run, and the next one works.
#[tokio::test]
async fn a_server_that_moves_under_a_client() {
    for (before, after) in [("legacy", "modern"), ("modern", "legacy")] {
        let bench = Bench::new(&["--era", before]);
        let newer = before == "modern";
        let mut client = asks(&bench, newer).await;
        moves_to(&bench, after).await;
        works(&mut client, newer).await;
        moves_to(&bench, before).await;
        bench.sim.post("reset", &Value::Null).await;
        let words = |params: Value| if newer { modern(params) } else { params };
        let call = words(json!({ "name": "ListAccounts", "arguments": {} }));
        let called = client.request("tools/call", &call).await;
        assert!(
            called["result"]["isError"] == false || called["error"].is_object(),
            "{before}: {called}"
        );
        works(&mut client, newer).await;
    }
}
