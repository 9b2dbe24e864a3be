//! Files of the installation that are broken, empty, far too long, gone, or folders: a clear answer, nothing sent, reads go
//! on where they can, and the program lives.

use super::*;
use crate::support::program::Client;
use crate::trade::bid;

/// What is in a file's place.
const DAMAGES: [&str; 5] = ["garbage", "empty", "huge", "zeros", "folder"];

fn damage(home: &Home, name: &str, how: &str) {
    let path = home.folder().join(name);
    let _ = std::fs::remove_file(&path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    let content = match how {
        "folder" => return std::fs::create_dir(&path).expect("a folder"),
        "garbage" => b"{\"half\":".to_vec(),
        "empty" => Vec::new(),
        "huge" => vec![b' '; 20 << 20],
        _ => vec![0; 4096],
    };
    std::fs::write(&path, content).expect("written");
}

async fn order(client: &mut Client, price: f64) -> Value {
    let told = client.call("PlaceOrder", &bid(price)).await;
    let ping = client.request("ping", &json!({})).await;
    assert!(ping.get("result").is_some(), "it lives: {ping}");
    told
}

/// Refused with a reason, for the program that runs and for one that starts; nobody was asked and nothing sent.
async fn refuses(name: &str, damages: &[&str], codes: &[&str], reads: bool) {
    let yard = Yard::new().await;
    for (n, how) in (0..).zip(damages) {
        let home = yard.home();
        let mut before = home.serve(&yard.sim).await.hello().await;
        damage(&home, name, how);
        let mut after = home.serve(&yard.sim).await.hello().await;
        for (m, client) in (0..).zip([&mut before, &mut after]) {
            let price = 4000.0 + f64::from(10 * n + m);
            let told = order(client, price).await;
            let code = told["structuredContent"]["code"]
                .as_str()
                .unwrap_or_else(|| status(&told));
            assert!(codes.contains(&code), "{name} {how}: {told}");
            assert!(
                !text(&told).is_empty() && !text(&told).contains("panicked"),
                "{told}"
            );
            assert_eq!(yard.received(price).await, 0, "{name} {how}: {told}");
            if reads {
                let read = client.call("ListAccounts", &json!({})).await;
                assert_ne!(read["isError"], true, "{name} {how}: reads go on: {read}");
            }
        }
        before.close().await;
        after.close().await;
    }
}

#[tokio::test]
async fn counters() {
    refuses("state/counters.json", &DAMAGES, &["counters_unreadable"], true).await;
}

#[tokio::test]
async fn settings() {
    // An empty settings file is one that sets nothing.
    let damages = ["garbage", "huge", "zeros", "folder"];
    refuses("config/settings.toml", &damages, &["settings"], true).await;
}

#[tokio::test]
async fn policy() {
    refuses("config/policy.toml", &DAMAGES, &["policy"], true).await;
}

#[tokio::test]
async fn journal() {
    // An empty journal and zeros are what a power failure leaves: there it goes on.
    refuses("state/journal.jsonl", &["folder"], &["disk"], true).await;
}

#[tokio::test]
async fn lock_files_that_are_folders() {
    refuses("state/locks/journal.lock", &["folder"], &["disk"], true).await;
    // It stops the order when it is approved: it was held, and nothing was sent.
    refuses("state/locks/counters.lock", &["folder"], &["voided"], true).await;
}

/// The vault in one piece or not at all: a program that has read it may still use what it has, and one that starts cannot.
#[tokio::test]
async fn vault() {
    let yard = Yard::new().await;
    for (n, how) in (0..).zip(DAMAGES) {
        let (price, home) = (4000.0 + f64::from(n), yard.home());
        damage(&home, "state/vault", how);
        let mut client = home.serve(&yard.sim).await.hello().await;
        let told = order(&mut client, price).await;
        assert_eq!(told["isError"], true, "{how}: {told}");
        assert_eq!(yard.received(price).await, 0, "{how}: {told}");
        client.close().await;
    }
}

/// Gone is a first start for lists: no tool is known, so none that trades is let through.
#[tokio::test]
async fn lists() {
    let yard = Yard::new().await;
    let names = |home: &Home| -> Vec<String> {
        let folder = std::fs::read_dir(home.folder().join("state/cache")).expect("a folder");
        folder
            .flatten()
            .map(|entry| format!("state/cache/{}", entry.file_name().to_string_lossy()))
            .collect()
    };
    for (n, how) in (0..).zip(DAMAGES) {
        let (price, home) = (4000.0 + f64::from(n), yard.home());
        let all = names(&home);
        assert!(!all.is_empty());
        for name in all {
            damage(&home, &name, how);
        }
        let mut client = home.serve(&yard.sim).await.hello().await;
        let told = order(&mut client, price).await;
        assert_eq!(told["isError"], true, "{how}: {told}");
        assert_eq!(yard.received(price).await, 0, "{how}: {told}");
        client.close().await;
    }
}

/// The file of an order that was sent is broken: it may have been anything, so entries on live accounts wait until the
/// person has looked, and no answer says that nothing was sent.
#[tokio::test]
async fn a_ticket() {
    let yard = Yard::new().await;
    for (n, how) in (0..).zip(DAMAGES) {
        let (price, home) = (4000.0 + f64::from(n), yard.home());
        let mut client = home.serve(&yard.sim).await.hello().await;
        assert_eq!(status(&order(&mut client, price).await), "accepted");
        let id = tickets(&home)[0]["id"].as_str().expect("an id").to_owned();
        damage(&home, &format!("state/tickets/{id}.json"), how);
        let told = client
            .call("countersign_await_approval", &json!({ "ticket": id }))
            .await;
        assert_eq!(status(&told), "unreadable", "{how}: {told}");
        let mut live = bid(price);
        live["account"] = "PA-123456".into();
        let refused = client.call("PlaceOrder", &live).await;
        assert_eq!(
            refused["structuredContent"]["code"], "unknown_outcome",
            "{how}: {refused}"
        );
        let (code, listed, _) = home.run(&["acknowledge"]).await;
        assert!(
            code == 0 && listed.contains(&id) && listed.contains("cannot be read"),
            "{listed}"
        );
        let (code, _, stderr) = home.run(&["acknowledge", &id]).await;
        assert_eq!(code, 0, "{stderr}");
        let asked = client.call("PlaceOrder", &live).await;
        assert_ne!(
            asked["structuredContent"]["code"], "unknown_outcome",
            "{how}: {asked}"
        );
        assert_eq!(yard.executed(price).await, 1, "{how}");
        client.close().await;
        verified(&home).await;
    }
}

/// The files beside a ticket that is being sent: whatever they are, it is sent once and its outcome is known.
#[tokio::test]
async fn the_files_beside_a_ticket() {
    let yard = Yard::new().await;
    let stall = json!({ "kind": "stall", "tool": "PlaceOrder", "scope": "mcp:trade", "seconds": 2, "when": "after", "times": 0 });
    yard.sim.post("fault", &stall).await;
    for (n, end) in (0..).zip(["json", "owner", "turn", "sender", "notes", "all"]) {
        let (price, home) = (4000.0 + f64::from(n), yard.home());
        let mut client = home.serve(&yard.sim).await.hello().await;
        let call = client.send_call("PlaceOrder", &bid(price)).await;
        until("the execution", async || {
            (yard.executed(price).await == 1).then_some(())
        })
        .await;
        let id = tickets(&home)[0]["id"].as_str().expect("an id").to_owned();
        for one in ["json", "owner", "turn", "sender", "notes"] {
            if end == one || end == "all" {
                let _ = std::fs::remove_file(home.folder().join(format!("state/tickets/{id}.{one}")));
            }
        }
        // Another process looks, and finds no owner or no sender.
        let mut other = home.serve(&yard.sim).await.hello().await;
        let told = client.result(call).await;
        let said = status(&told).to_owned();
        assert!(
            ["accepted", "unknown", "unreadable"].contains(&&*said),
            "{end}: {}",
            text(&told)
        );
        let known = async || kinds(&home).contains(&"accepted".to_owned()).then_some(());
        until("the outcome's line", known).await;
        let seen = async || {
            let told = other
                .call("countersign_await_approval", &json!({ "ticket": id }))
                .await;
            (status(&told) == "accepted").then_some(())
        };
        until("the outcome in the ticket", seen).await;
        client.close().await;
        other.close().await;
        assert_eq!(yard.executed(price).await, 1, "{end}");
        assert_eq!(yard.received(price).await, 1, "{end}");
        verified(&home).await;
    }
}
