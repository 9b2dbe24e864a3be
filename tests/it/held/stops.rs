//! A stop holds until the person allows trading again, and an unknown outcome until they have looked: whatever a shell
//! does to the files.

use super::*;

/// Tier click: the file is gone, the journal still says so. (A shell that writes the journal anew lifts it: only a PIN
/// stops that.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_outlasts_its_file() {
    let place = Place::with_policy(None).await;
    let (code_, out, err) = place.run(&["halt"]).await;
    assert_eq!(code_, 0, "{out}{err}");
    let file = place.home.folder().join("state/halt");
    std::fs::remove_file(&file).expect("deleted by a shell");
    let (_, told, _) = place.run(&["status"]).await;
    assert!(told.contains("STOPPED"), "{told}");
    let mut client = place.client().await;
    let result = client.call("PlaceOrder", &buy()).await;
    assert_eq!(code(&result), "halted", "{result}");
    assert!(file.exists(), "it is put back for all processes");
    place.nothing_sent().await;
}

/// Tier pin: the file deleted and the journal given a line that says "resumed": the PIN of the next order finds that
/// nobody allowed it under the seal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_pin_a_forged_resume_allows_nothing() {
    let place = Place::sealed(None).await;
    place.run(&["halt"]).await;
    std::fs::remove_file(place.home.folder().join("state/halt")).expect("deleted by a shell");
    forge_resumed(&place);
    let mut client = place.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "voided", "{}", text(&result));
    let told = text(&result);
    assert!(
        told.contains("AI trading was stopped at") && told.contains("not allowed again by you"),
        "{told}"
    );
    place.nothing_sent().await;
    // What the person does: `resume`, with the PIN. Then it goes.
    let terminal = in_terminal(&place, &["resume"]);
    terminal.wait_for("Type approve");
    terminal.say("approve");
    terminal.wait_for("PIN (not shown)");
    terminal.say(PIN);
    terminal.wait_for("AI trading is allowed again");
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "accepted", "{}", text(&result));
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}

/// A line as the program would write it: its chain holds.
fn forge_resumed(place: &Place) {
    use countersign::journal::Journal;
    use countersign::system::Paths;
    let paths = Paths::under(place.home.folder());
    Journal::of(&paths)
        .append("resumed", serde_json::Map::new())
        .expect("a line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_pin_acknowledging_takes_the_pin() {
    let place = Place::sealed(None).await;
    place.sim.fault("408_after", "PlaceOrder").await;
    let mut client = place.client().await;
    let mut browser = Browser::start();
    let id = client.send_call("PlaceOrder", &buy()).await;
    place.order_page(&mut browser).await;
    type_pin(&mut browser, PIN);
    let result = client.result(id).await;
    assert_eq!(status(&result), "unknown", "{}", text(&result));
    let ticket = result["structuredContent"]["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned();
    let _ = std::fs::remove_file(place.link());
    let script = tokio::spawn({
        let command = place
            .home
            .command(&["acknowledge", &ticket, "--url", &place.sim.url]);
        let mut command = command;
        async move {
            command
                .stdin(std::process::Stdio::null())
                .output()
                .await
                .expect("its end")
        }
    });
    // A script gets a page in front of the person, and no further.
    let file = place.link();
    let link = until("the page", async || std::fs::read_to_string(&file).ok()).await;
    browser.open(&link);
    browser.until("I have looked");
    browser.click("#deny");
    let ended = script.await.expect("joined");
    assert_eq!(ended.status.code(), Some(5), "{ended:?}");
    let (_, listed, _) = place.run(&["acknowledge"]).await;
    assert!(listed.contains(&ticket), "{listed}");
    // A stop stops, whatever it was that was asked.
    let terminal = in_terminal(&place, &["acknowledge", &ticket]);
    terminal.wait_for("Type approve");
    terminal.say("stop");
    terminal.wait_for("you stopped AI trading");
    let (_, told, _) = place.run(&["status", "--json"]).await;
    assert!(
        told.contains("\"halted\":true") || told.contains("\"halted\": true"),
        "{told}"
    );
    let (_, listed, _) = place.run(&["acknowledge"]).await;
    assert!(listed.contains(&ticket), "{listed}");
    let terminal = in_terminal(&place, &["acknowledge", &ticket]);
    terminal.wait_for("Type approve");
    terminal.say("approve");
    terminal.wait_for("PIN (not shown)");
    terminal.say(PIN);
    terminal.wait_for("is acknowledged");
    assert_eq!(place.sim.executed().await, ["PlaceOrder"]);
}
